"""APScheduler as an alarm clock: it wakes the daemon, which then looks what is due.

It keeps its jobs in memory. A tick that it missed (the machine slept, the clock jumped) is found
by the next look, since what is owed follows from the database.
"""

from collections.abc import Callable, Mapping
from datetime import UTC

from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped] # has no types

from retrainer.daemon.triggers import TickTrigger
from retrainer.domain.schedule import Schedule


class Alarms:
    """Calls `wake` when an assistant's next cycle is due."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None}
        )

    def set(self, schedules: Mapping[str, Schedule]) -> None:
        """Follow these schedules, by assistant, and no others."""
        self._scheduler.remove_all_jobs()
        for name, schedule in schedules.items():
            self._scheduler.add_job(self._wake, TickTrigger(schedule), id=name, name=name)

    def start(self) -> None:
        """Begin to wake."""
        self._scheduler.start()

    def stop(self) -> None:
        """Wake no more; nothing if it never began."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
