"""One cycle of a small assistant: `retrainer run-once`, or a script of Rasa's commands."""

import json
import shutil
import sys
from pathlib import Path

from measurement import (
    BENCHMARKS,
    FOLDER,
    REPETITIONS,
    REPOSITORY,
    RETRAINER,
    Comparison,
    Figure,
    Run,
    best,
    measure,
    say,
)

from retrainer.errors import EXIT_HELD, EXIT_OK, EXIT_REJECTED

_FOLDER = FOLDER / "small_cycle"
_ASSISTANT = REPOSITORY / "retrainer" / "demo" / "assistant"
_BETTER_DATA = REPOSITORY / "retrainer" / "demo" / "nights" / "2"
STATE = Path(".retrainer/assistants/shop")
_CONFIG = """\
[assistants.shop]
must_pass = ["must_pass.yml"]
source = { type = "directory", path = "assistant" }

[policies.default]
good_enough = { rule = "floor", metric = "f1_weighted", minimum = 0.5 }
"""
_TEST_STORIES = """\
version: "3.1"
stories:
- story: a refund that takes long
  steps:
  - user: |
      hello
    intent: greet
  - action: utter_greet
  - user: |
      where is my refund
    intent: refund_status
  - action: utter_refund_status
- story: somebody to talk to
  steps:
  - user: |
      I want to talk to a human
    intent: talk_to_human
  - action: utter_talk_to_human
"""


def compare() -> tuple[Comparison, Path, Path]:
    """Measure both sides in turns; returns the folders of our and their last cycle, too."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    ours_before, theirs_before = _prepare(_FOLDER)
    ours, theirs, commands = [], [], []
    for number in range(1, REPETITIONS + 1):
        their_folder = _fresh(theirs_before, f"rasa-{number}")
        say(f"small assistant: Rasa's commands ({number} of {REPETITIONS})")
        theirs.append(_script(their_folder))
        commands.append(_seconds(their_folder / "seconds.txt"))
        our_folder = _fresh(ours_before, f"retrainer-{number}")
        say(f"small assistant: retrainer run-once ({number} of {REPETITIONS})")
        ours.append(_run_once(our_folder))
    our_seconds, their_seconds = best(ours), best(theirs)
    of_command = min(commands, key=lambda seconds: sum(seconds.values()))
    without_core = their_seconds - of_command["test core"]
    comparison = Comparison(
        "One cycle of the demo's assistant, with a champion and changed data",
        figures=(
            Figure("run-once, the whole script", our_seconds, "s", their_seconds, limit=1 / 3),
            Figure("run-once, without `test core`", our_seconds, "s", without_core),
        ),
        notes=(
            (
                f"the faster of {REPETITIONS} runs, in turns; Rasa's fingerprint cache empty on both "
                "sides before each run, the champion's answers of the first cycle stored on ours"
            ),
            "theirs: " + ", ".join(f"{name} {s:.1f} s" for name, s in of_command.items()),
            (
                "run-once tests no stories yet, so the second line leaves `rasa test core` out; "
                "what it does beside (snapshot, split, verdict, registry, history) the script does not"
            ),
        ),
    )
    return comparison, our_folder, their_folder


def train_again(folder: Path) -> Run:
    """Repeat the script's training in its folder, with the cache that it left there."""
    command = ["rasa", "train", "--config", "config.yml", "--domain", "domain.yml"]
    return measure([*command, "--data", *_training_data(folder)], folder=folder)


def _prepare(folder: Path) -> tuple[Path, Path]:
    """The folders that each side starts from, with the same champion and the same split."""
    ours, theirs = folder / "retrainer-before", folder / "rasa-before"
    shutil.copytree(_ASSISTANT, ours / "assistant")
    (ours / "retrainer.toml").write_text(_CONFIG, encoding="utf-8")
    say("small assistant: a first cycle, for a champion")
    _run_once(ours)
    shutil.copytree(_BETTER_DATA, ours / "assistant", dirs_exist_ok=True)
    shutil.rmtree(ours / STATE / "rasa-cache")

    shutil.copytree(ours / "assistant", theirs)
    shutil.copy(ours / STATE / "registry" / "champion.tar.gz", theirs)
    (theirs / "tests").mkdir()
    (theirs / "tests" / "test_stories.yml").write_text(_TEST_STORIES, encoding="utf-8")
    say("small assistant: splitting, with the same examples held out on both sides")
    script = BENCHMARKS / "hold_out.py"
    run = measure(
        [sys.executable, script, theirs, theirs / "held_out.yml", folder / "training"],
        folder=folder,
    )
    (folder / "training").rename(theirs / "training")
    data = [Path(path).relative_to(folder) for path in json.loads(run.output.splitlines()[-1])]
    (theirs / "training_data.json").write_text(json.dumps(list(map(str, data))))
    return ours, theirs


def _fresh(before: Path, name: str) -> Path:
    return Path(shutil.copytree(before, before.with_name(name)))


def _run_once(folder: Path) -> Run:
    """A cycle that was not skipped, whatever its verdict."""
    verdicts = (EXIT_OK, EXIT_REJECTED, EXIT_HELD)
    return measure([RETRAINER, "run-once", "--exit-code"], folder=folder, exit_codes=verdicts)


def _script(folder: Path) -> Run:
    return measure([BENCHMARKS / "rasa_cycle.sh", *_training_data(folder)], folder=folder)


def _training_data(folder: Path) -> list[str]:
    data: list[str] = json.loads((folder / "training_data.json").read_text())
    return data


def _seconds(file: Path) -> dict[str, float]:
    """How long each command took, as the script wrote it down."""
    lines = [line.rsplit(" ", 2) for line in file.read_text().splitlines()]
    return {name: float(end) - float(begin) for name, begin, end in lines}
