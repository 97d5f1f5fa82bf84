"""Pull a project from Rasa X and split it as a cycle does: URL TOKEN FOLDER.

Prints the seconds of each part and the peak memory of this process and of its largest child, as
JSON. Rasa is started before the clock is.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from measurement import rasa_python

from retrainer.adapters.projects import find_project
from retrainer.adapters.rasa_client import RasaClient
from retrainer.adapters.rasa_x.source import RasaXSource
from retrainer.domain.split import split
from retrainer.settings.model import EvaluationSettings


def main() -> None:
    """Do it and print how long it took."""
    url, token, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    source = RasaXSource(RasaXSource.Options.model_validate({"url": url, "api_token": token}))
    took: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        RasaClient(
            python=rasa_python(), cache=Path(scratch) / "cache", log=Path(scratch) / "log"
        ) as rasa,
    ):
        small = Path(__file__).parents[2] / "retrainer" / "demo" / "assistant" / "must_pass.yml"
        rasa.read_examples([small])  # it imports what it needs
        clock = time.monotonic()

        def lap(name: str) -> None:
            nonlocal clock
            now = time.monotonic()
            took[name], clock = now - clock, now

        folder.mkdir()
        source.pull(folder)
        lap("pull")
        project = find_project(folder)
        examples = rasa.read_project(project).examples
        lap("read")
        rule = EvaluationSettings()
        parts = split(examples, fraction=rule.holdout, minimum=rule.minimum_examples)
        lap("split")
        held_out = frozenset(example.text for example in parts.held_out)
        rasa.write_training_project(project, held_out, Path(scratch) / "training")
        lap("write")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    memory = {"service": own / 1024, "worker": child / 1024}
    sys.stdout.write(json.dumps({"examples": len(examples), "seconds": took, "megabytes": memory}))


if __name__ == "__main__":
    main()
