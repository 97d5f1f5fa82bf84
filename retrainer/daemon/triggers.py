"""A schedule as APScheduler wants it: what wakes the daemon up when a tick starts.

What is then due is asked of the schedule and the database. APScheduler's own cron is not used: it
takes 0 for Monday, and has other rules where clocks are changed.
"""

from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped] # has no types

from retrainer.domain.schedule import Schedule, next_start

_INSTANT = timedelta(microseconds=1)


class TickTrigger(BaseTrigger):  # type: ignore[misc] # untyped, as above
    """Fires once whenever a tick of the schedule starts.

    Starts that have passed are left out: one look at what is due finds the latest of them.
    """

    __slots__ = ("_schedule",)

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """The next `starts_at`, UTC: now or later the first time, then later than now and before.

        None if there is none, which removes the job.
        """
        if previous_fire_time is None:
            return next_start(self._schedule, after=now - _INSTANT)
        return next_start(self._schedule, after=max(previous_fire_time, now))
