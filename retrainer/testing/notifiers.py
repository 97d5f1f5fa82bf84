"""A notifier that remembers."""

from retrainer.errors import RetrainerError
from retrainer.ports import CycleReport


class FakeNotifier:
    """Remembers the `reports` that it was told of; `failure` is raised instead while it is set."""

    def __init__(self) -> None:
        self.reports: list[CycleReport] = []
        self.failure: RetrainerError | None = None

    def notify(self, report: CycleReport) -> None:
        """Remember the report; called again it remembers it again."""
        if self.failure:
            raise self.failure
        self.reports.append(report)
