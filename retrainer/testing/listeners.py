"""A listener that remembers."""

from collections.abc import Sequence

from retrainer.domain.cycle import Cycle
from retrainer.ports import CycleReport, Progress


class FakeListener:
    """Remembers the steps, the progress, the warnings and the report that it was told of."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.done: tuple[str, ...] = ()
        self.heard: list[Progress] = []
        self.warnings: list[str] = []
        self.report: CycleReport | None = None

    def begun(self, cycle: Cycle, steps: Sequence[str], done: Sequence[str]) -> None:
        """Remember what was done before."""
        del cycle, steps
        self.done = tuple(done)

    def step(self, name: str) -> None:
        """Remember the step."""
        self.steps.append(name)

    def progress(self, progress: Progress) -> None:
        """Remember the progress."""
        self.heard.append(progress)

    def warn(self, sentence: str) -> None:
        """Remember the sentence."""
        self.warnings.append(sentence)

    def ended(self, report: CycleReport) -> None:
        """Remember the report."""
        self.report = report
