"""100,000 examples from Rasa X, pulled and split, beside Rasa's own reading of the same file."""

import json
import shutil
import sys

from measurement import BENCHMARKS, FOLDER, REPETITIONS, Comparison, Figure, measure, rasa_python

EXAMPLES = 100_000
TITLE = f"{EXAMPLES:,} examples from Rasa X (a test double): pull, read, split, write what is left"
_DOMAIN = 'version: "3.1"\nintents: [{}]\n'
_CONFIG = "recipe: default.v1\nassistant_id: bench\nlanguage: en\npipeline: []\npolicies: []\n"
#: Rasa's own loader, its imports left out of the time.
_LOAD = """
import json, sys, time
from rasa.shared.nlu.training_data.loading import load_data
start = time.monotonic()
data = load_data(sys.argv[1])
print(json.dumps({"seconds": time.monotonic() - start, "examples": len(data.nlu_examples)}))
"""


def compare() -> Comparison:
    """Pull and split in a process of its own, then let Rasa read the file."""
    sys.path.insert(0, str(BENCHMARKS.parent))
    from support.rasa_x import Parts, rasa_x  # noqa: PLC0415 - the path is known only now

    folder = FOLDER / "rasa_x"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    intents = ", ".join(f"generated_{number}" for number in range(50))
    parts = Parts(generated=EXAMPLES, domain=_DOMAIN.format(intents), config=_CONFIG)
    ours, theirs = [], []
    with rasa_x(folder / "server", parts=parts) as server:
        for turn in range(REPETITIONS):
            pulled = folder / f"pull-{turn}"
            script = [sys.executable, BENCHMARKS / "pull_and_split.py", server.url]
            run = measure([*script, server.api_token, pulled], folder=folder)
            ours.append(json.loads(run.output.splitlines()[-1]))
            nlu = pulled / "data" / "rasa_x" / "nlu.yml"
            run = measure([rasa_python(), "-c", _LOAD, nlu], folder=folder)
            theirs.append(json.loads(run.output.splitlines()[-1]))
    if {each["examples"] for each in (*ours, *theirs)} != {EXAMPLES}:
        sys.exit(f"not all of the {EXAMPLES} examples were read: {ours}, {theirs}")
    best = min(ours, key=lambda each: sum(each["seconds"].values()))
    laps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in best["seconds"].items())
    return Comparison(
        TITLE,
        (
            Figure(
                "pull and split; Rasa's load_data",
                sum(best["seconds"].values()),
                "s",
                min(each["seconds"] for each in theirs),
                limit=3.0,
            ),
            Figure(
                "memory of the service",
                max(each["megabytes"]["service"] for each in ours),
                "MB",
                limit=500,
                absolute=True,
            ),
        ),
        (laps, f"the Rasa worker took {best['megabytes']['worker']:.0f} MB, TensorFlow included"),
    )
