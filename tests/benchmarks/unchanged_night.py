"""A night on which nothing has changed, and commands that people wait for."""

import sys
from pathlib import Path
from statistics import median

import small_cycle
from measurement import RETRAINER, Comparison, Figure, Run, measure, say

from retrainer.errors import EXIT_SKIPPED

_REPETITIONS = 9
_LIMIT_SECONDS, _LIMIT_MEGABYTES = 1.0, 150.0


def compare(ours: Path, theirs: Path) -> Comparison:
    """`ours` and `theirs` are the folders of a finished cycle of each side."""
    logs = _worker_logs(ours)
    say("nothing changed: rasa train, with its fingerprint cache filled")
    train = small_cycle.train_again(theirs)
    say(f"nothing changed: retrainer, {_REPETITIONS} times each command")
    runs = {
        words: _repeat(words.split(), ours, exit_code)
        for words, exit_code in (
            ("run-once --exit-code", EXIT_SKIPPED),
            ("history", 0),
            ("--help", 0),
        )
    }
    if _worker_logs(ours) != logs:
        sys.exit(f"a Rasa process was started although nothing had changed: see {ours}")
    night = runs["run-once --exit-code"]
    seconds = {words: median(run.seconds for run in of) for words, of in runs.items()}
    return Comparison(
        "A night on which nothing changed",
        figures=(
            Figure(
                "run-once beside `rasa train`",
                seconds["run-once --exit-code"],
                "s",
                train.seconds,
                limit=_LIMIT_SECONDS,
                absolute=True,
            ),
            Figure(
                "its memory",
                max(run.megabytes for run in night),
                "MB",
                train.megabytes,
                limit=_LIMIT_MEGABYTES,
                absolute=True,
            ),
            Figure("retrainer history", seconds["history"], "s"),
            Figure("retrainer --help", seconds["--help"], "s"),
        ),
        notes=(
            (
                f"medians of {_REPETITIONS} runs after one to warm up, byte code cached; fastest "
                f"run-once {min(run.seconds for run in night):.2f} s, slowest "
                f"{max(run.seconds for run in night):.2f} s"
            ),
            (
                "run-once started no Rasa process; `rasa train`, run once more in its own project, "
                "finds all components in its cache"
            ),
        ),
    )


def _repeat(words: list[str], folder: Path, exit_code: int) -> list[Run]:
    return [
        measure([RETRAINER, *words], folder=folder, exit_codes=[exit_code])
        for _ in range(1 + _REPETITIONS)
    ][1:]


def _worker_logs(folder: Path) -> list[Path]:
    return sorted((folder / small_cycle.STATE / "cycles").glob("rasa-*.log"))
