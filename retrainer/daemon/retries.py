"""Cycles that could not even pull are tried again: the server that was away may be back soon.

Kept in memory alone: after a restart the next tick, or the next new data, does as well.
"""

from retrainer.domain.cycle import Status
from retrainer.ports import CycleReport

#: Seconds after which it is tried again; then the schedule goes on as if it had never been.
DELAYS = (300.0, 600.0, 1200.0)
_FIRST_STEP = "pull"


class Retries:
    """Which assistants are to be tried again, and when."""

    def __init__(self, delays: tuple[float, ...] = DELAYS) -> None:
        self._delays = delays
        self._failures: dict[str, int] = {}
        self._due: dict[str, tuple[float, CycleReport]] = {}

    def ended(self, report: CycleReport, now: float) -> float | None:
        """A cycle ended at `now` (monotonic): in how many seconds it is tried again, if at all."""
        name = report.cycle.assistant
        if report.cycle.status is not Status.FAILED or report.failed_step != _FIRST_STEP:
            self._failures.pop(name, None)
            return None
        failures = self._failures.get(name, 0)
        if failures >= len(self._delays):
            self._failures.pop(name)
            return None
        self._failures[name] = failures + 1
        delay = self._delays[failures]
        self._due[name] = (now + delay, report)
        return delay

    def due(self, now: float) -> tuple[CycleReport, ...]:
        """The failed cycles whose time has come, until it is said that they were `asked` for."""
        return tuple(report for due, report in tuple(self._due.values()) if due <= now)

    def asked(self, report: CycleReport) -> None:
        """A cycle was asked for in its place."""
        self._due.pop(report.cycle.assistant, None)
