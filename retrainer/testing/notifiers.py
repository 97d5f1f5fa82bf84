"""Notifiers that remember."""

from collections.abc import Sequence

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


class FakeSummaryNotifier(FakeNotifier):
    """A fake for people; `summaries` are those that it was told, the report in full first."""

    def __init__(self) -> None:
        super().__init__()
        self.summaries: list[tuple[CycleReport, ...]] = []

    def notify_summary(self, report: CycleReport, missed: Sequence[CycleReport]) -> None:
        """Remember the summary; called again it remembers it again."""
        if self.failure:
            raise self.failure
        self.summaries.append((report, *missed))
