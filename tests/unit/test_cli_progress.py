"""What a log shows of a running cycle."""

import io

import pytest
from rich.console import Console

from retrainer.cli.progress import PlainProgress
from retrainer.ports import Progress


class Log:
    """Plain progress into a string, with a clock of its own."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._stream = io.StringIO()
        console = Console(file=self._stream, width=80, _environ={})
        self.listener = PlainProgress(console, now=lambda: self.seconds)

    @property
    def lines(self) -> list[str]:
        """What was said so far, without the time."""
        return [
            line.strip().partition("  ")[2].strip() for line in self._stream.getvalue().splitlines()
        ]


@pytest.mark.parametrize("total", [10, 100, 3079, 7])
def test_a_component_says_each_tenth(total):
    """However long its training takes, a component is at most eleven lines of a log."""
    log = Log()
    for done in range(total + 1):
        log.seconds += 60
        log.listener.progress(Progress("DIETClassifier", done, total, "epochs"))
    assert len(log.lines) == min(total, 10) + 1
    assert log.lines[0] == f"DIETClassifier: 0 of {total} epochs"
    assert log.lines[-1] == f"DIETClassifier: {total} of {total} epochs"


def test_without_a_total_it_says_something_every_half_minute():
    """What cannot be counted still shows that it is alive."""
    log = Log()
    for second in range(95):
        log.seconds = float(second)
        log.listener.progress(Progress("reading", second, None, "files"))
    assert log.lines == [f"reading: {second} files" for second in (0, 30, 60, 90)]


def test_the_next_component_is_said_at_once():
    """A component is named when it begins, whatever was said just before."""
    log = Log()
    for what in ("RegexFeaturizer", "DIETClassifier", "DIETClassifier", "RegexFeaturizer"):
        log.listener.progress(Progress(what))
    assert log.lines == ["RegexFeaturizer", "DIETClassifier", "RegexFeaturizer"]


def test_a_step_begins_anew():
    """The same component in the next step is named again."""
    log = Log()
    log.listener.progress(Progress("DIETClassifier", 9, 10))
    log.listener.step("evaluate")
    log.listener.progress(Progress("DIETClassifier", 0, 10))
    assert log.lines == ["DIETClassifier: 9 of 10", "evaluate", "DIETClassifier: 0 of 10"]
