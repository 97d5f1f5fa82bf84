"""The assistants' schedules, and the ticks that they owe."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from retrainer.domain.schedule import CatchUp, Schedule, latest_due, next_start
from retrainer.ports import Enrolment
from retrainer.settings.schedule import promotion_opens
from retrainer.wiring import Application

#: A daemon that did not look for so long was not there: it slept, or the clock jumped. Fire times
#: so far ahead cannot be settled, however the clocks of several machines differ.
_ABSENT = timedelta(minutes=5)


_log = logging.getLogger(__name__)


class Timetable:
    """Asks for the cycles that are due."""

    def __init__(self, application: Application, *, present_since: datetime | None = None) -> None:
        self._app = application
        self.schedules: Mapping[str, Schedule] = {
            name: application.schedule(name) for name in application.settings.assistants
        }
        self._looked_at = application.clock.now()
        #: Since when a daemon has looked, without a break.
        self.present_since = present_since or self._looked_at
        self._paused: frozenset[str] = frozenset()

    def enrol(self) -> None:
        """Make the assistants known, each with its schedule.

        Raises:
            DatabaseError: the database could not be used.
        """
        for name, schedule in self.schedules.items():
            self._app.agenda.enrol(name, schedule.text)

    def ask(self) -> None:
        """Put each tick that is due on the agenda, once however many daemons do.

        Raises:
            DatabaseError: the database could not be used.
        """
        now = self._app.clock.now()
        if abs(now - self._looked_at) > _ABSENT:
            self.present_since = now
        self._looked_at = now
        enrolments = self._app.agenda.enrolments()
        self._paused = frozenset(known.assistant for known in enrolments if known.pause)
        for known in enrolments:
            schedule = self.schedules.get(known.assistant)
            if schedule is None or known.pause is not None:
                continue
            settled = self._settled(known, now)
            tick = latest_due(schedule, after=settled, now=now)
            if tick is None or self._was_missed(schedule, tick.starts_at):
                continue
            self._app.agenda.tick(known.assistant, tick.fire_time, by="schedule")

    def hasten(self) -> None:
        """Let no cycle wait longer to promote than these settings and the clock now say.

        The moment it waits for may be of promotion hours that were changed since, or of a clock
        that was ahead.

        Raises:
            DatabaseError: the database could not be used.
        """
        now = self._app.clock.now()
        for name, until in self._app.agenda.postponed().items():
            given = self._app.settings.assistants.get(name)
            if given is not None and (opens := promotion_opens(given.schedule, now)) < until:
                self._app.agenda.hasten(name, opens)

    def _settled(self, known: Enrolment, now: datetime) -> datetime:
        """Up to when fire times are settled: not for the time that a wrong clock was ahead."""
        if known.due_after - now <= _ABSENT:
            return known.due_after
        _log.warning(
            "%s: its cycles up to %s UTC were settled by a clock that was ahead, or was set back "
            "since; those to come are due again, without those that were run",
            known.assistant,
            f"{known.due_after:%Y-%m-%d %H:%M}",
            extra={"tip": "`timedatectl` shows whether this machine's clock is kept right"},
        )
        return self._app.agenda.unsettle(known.assistant).due_after

    def next_in_words(self) -> str:
        """Which cycle comes next, and when."""
        now = self._app.clock.now()
        coming = (
            (start, name)
            for name, schedule in self.schedules.items()
            if name not in self._paused and (start := next_start(schedule, after=now)) is not None
        )
        first = min(coming, default=None)
        if first is None:
            return "waiting: nothing is scheduled"
        return f"waiting: {first[1]} at {first[0]:%Y-%m-%d %H:%M} UTC"

    def _was_missed(self, schedule: Schedule, starts_at: datetime) -> bool:
        return schedule.catch_up is CatchUp.NONE and starts_at < self.present_since
