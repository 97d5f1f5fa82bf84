"""The daemon: sees what is due, lets the crew work on it, and knows how to stop.

It remembers nothing that matters: what is asked for, what is running and who leads is in the
database, so that a daemon may end anywhere and another one, or the next one, goes on.
"""

import logging
import math
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from types import FrameType
from typing import Any

from retrainer import __version__
from retrainer.adapters.service_manager import ServiceManager
from retrainer.daemon.alarms import Alarms
from retrainer.daemon.backoff import Backoff
from retrainer.daemon.crew import Crew
from retrainer.daemon.cycles import CycleRunner
from retrainer.daemon.errands import Errands
from retrainer.daemon.timetable import Timetable
from retrainer.daemon.wakeup import Wakeup
from retrainer.errors import (
    AssistantPaused,
    DatabaseError,
    NoThreadLeft,
    RetrainerError,
)
from retrainer.store.owner import current_owner, describe
from retrainer.wiring import Application
from retrainer.wiring.reloading import on_open_database

#: Seconds between two looks at most; requests of other processes wait so long.
LOOK = 5.0
#: The same while looking fails: what is due, and what is over, is noticed so late at most.
LONGEST_LOOK = 60.0
#: Seconds between two tries to stop what does not stop.
_NUDGE = 0.2

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """How the daemon is: when it last looked what is due, and what kept it from that since.

    `leader` is the owner that leads, None before the first look; `standby` says that this daemon
    waits for it to end.
    """

    owner: str
    looked_at: datetime | None = None
    problem: str | None = None
    leader: str | None = None
    standby: bool = False
    working: frozenset[str] = frozenset()


class Daemon:
    """Runs the assistants' cycles until it is told to stop.

    `load` reads the configuration again, `adopted` hears of each that is used from now on;
    `manager` is told how it goes.
    """

    def __init__(
        self,
        application: Application,
        *,
        load: Callable[[], Application],
        manager: ServiceManager,
        adopted: Callable[[Application], None] = lambda _: None,
    ) -> None:
        self._app, self._load, self._manager = application, load, manager
        self._adopted = adopted
        self._owner = current_owner()
        self._wakeup = Wakeup()
        self._crew = Crew(application.settings.daemon.cycles_at_once, done=self._wakeup.wake)
        self._alarms = Alarms(self._wakeup.wake)
        self._timetable = Timetable(application)
        self._errands = Errands(done=self._wakeup.wake)
        self._cycles = CycleRunner(
            owner=self._owner, stopping=lambda: self._stopping, told=self._told
        )
        self._backoff, self._looks = Backoff(), Backoff(longest=LONGEST_LOOK)
        self._stopping = self._reload_asked = False
        self._health = Health(self._owner)
        #: Why the configuration was not read again, as the end of a sentence.
        self._refused = ""

    @property
    def application(self) -> Application:
        """The configuration that it follows now; may be asked from any thread."""
        return self._app

    @property
    def health(self) -> Health:
        """How it is; may be asked from any thread."""
        return self._health

    def wake(self) -> None:
        """Look what is due now rather than later; may be called from anywhere."""
        self._wakeup.wake()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; a second one ends the process at once.

        Raises:
            DatabaseError: the database could not be used at the start.
            ConfigurationError: the configuration is not usable.
        """
        self._take_signals()
        self._require_usable(self._app)
        self._timetable.enrol()
        self._alarms.set(self._timetable.schedules)
        self._alarms.start()
        _log.info("retrainer %s, %d assistants", __version__, len(self._timetable.schedules))
        self._manager.ready(self._summary())
        try:
            while not self._stopping:
                if self._reload_asked:
                    self._reload()
                self._look()
                self._manager.alive()
                self._wakeup.wait(self._pause)
        finally:
            self._end()

    @property
    def _pause(self) -> float:
        """Seconds until the next look: well before the lease, or the watchdog's patience, ends."""
        watchdog = self._manager.watchdog_seconds or math.inf
        return min(LOOK, self._app.settings.daemon.lease.total_seconds() / 4, watchdog / 4)

    def _look(self) -> None:
        """See to everything that is due; a database that fails is tried again later."""
        now = self._app.clock.monotonic()
        if not self._looks.is_over("look", now):
            return
        try:
            leader = self._app.agenda.check_in(
                self._owner, __version__, lease=self._app.settings.daemon.lease
            )
            self._follow(leader)
            if not self._health.standby:
                self._timetable.ask()
                self._timetable.hasten()
                self._try_again()
                self._begin_cycles()
                if leader == self._owner:
                    self._errands.run(self._app)
        except (DatabaseError, NoThreadLeft) as error:
            delay = self._looks.failed("look", self._app.clock.monotonic())
            self._notice(problem=str(error))
            _log.error("%s; tried again in %.0f s", error, delay, extra={"tip": error.tip})
        else:
            if self._health.problem is not None:
                _log.info("it is over, all goes on: %s", self._health.problem)
            self._looks.worked("look")
            self._notice(looked_at=self._app.clock.now(), problem=None)
        self._manager.status(self._summary())

    def _follow(self, leader: str) -> None:
        """Of several daemons on SQLite one works and the others stand by."""
        standby = leader != self._owner and self._app.single_machine
        if leader != self._health.leader:
            if leader == self._owner:
                _log.info("this daemon leads")
            else:
                doing = "stands by" if standby else "works beside it"
                _log.info("%s leads; this daemon %s", describe(leader), doing)
        self._notice(leader=leader, standby=standby)

    def _try_again(self) -> None:
        retries = self._cycles.retries
        for failed in retries.due(self._app.clock.monotonic()):
            cycle = failed.cycle
            note = f"cycle {cycle.number} could not pull"
            with suppress(AssistantPaused):
                if (name := cycle.assistant) in self._app.settings.assistants:
                    self._app.agenda.ask(
                        name, cycle.trigger, by="retrainer", note=note, force=cycle.force
                    )
            retries.asked(failed)

    def _begin_cycles(self) -> None:
        now = self._app.clock.monotonic()
        for name in self._app.agenda.ready():
            if name not in self._app.settings.assistants or name in self._crew.names:
                continue
            if not self._backoff.is_over(name, now):
                continue
            if not self._crew.free:
                return
            work = self._cycles.work(self._app, name, self._backoff)
            self._crew.begin(name, work.run, cancel=work.cancel)

    def _told(self, name: str, status: str | None) -> None:
        """A cycle says what it is at; None: it ended, and people may have to be told."""
        if status is None:
            self._errands.hurry("outbox")
        self._cycles.at[name] = status
        self._manager.status(self._summary())

    def _summary(self) -> str:
        """What it is at, for `systemctl status`."""
        if self._health.problem is not None:
            return self._health.problem
        if self._health.standby and self._health.leader is not None:
            return f"standing by: {describe(self._health.leader)} leads"
        working = "; ".join(filter(None, tuple(self._cycles.at.values())))  # of other threads
        return (working or self._timetable.next_in_words()) + self._refused

    def _reload(self) -> None:
        """Read the configuration again; one that is not usable changes nothing."""
        self._reload_asked = False
        self._manager.reloading()
        try:
            new = on_open_database(self._load(), self._app)
            self._require_usable(new)
            timetable = Timetable(new, present_since=self._timetable.present_since)
            timetable.enrol()
        except RetrainerError as error:
            _log.error(
                "the configuration was not read again, the old one stays: %s",
                error,
                extra={"tip": error.tip},
            )
            self._refused = f"; the old configuration stays: {error}"
            self._manager.ready(self._summary())
            return
        self._app, self._timetable, self._refused = new, timetable, ""
        # What failed may work now, and what is done at intervals may have others.
        self._backoff = Backoff()
        self._errands.begin_anew()
        self._adopted(new)
        self._crew.size = new.settings.daemon.cycles_at_once
        self._alarms.set(timetable.schedules)
        _log.info("the configuration was read again, %d assistants", len(timetable.schedules))
        self._manager.ready(self._summary())

    def _require_usable(self, app: Application) -> None:
        """Find now what would otherwise stop a cycle in the night."""
        app.require_plugins()
        for name in app.settings.assistants:
            app.policy(name)
            try:
                app.assistant(name)
            except RetrainerError as error:  # Rasa may be set up, or back, by the time it is needed
                _log.error("no cycle of %s can begin: %s", name, error, extra={"tip": error.tip})

    def _notice(self, **changes: Any) -> None:  # noqa: ANN401 - fields of Health
        self._health = replace(self._health, working=self._crew.names, **changes)

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_asked)
        signal.signal(signal.SIGHUP, self._reload_was_asked)

    def _stop_asked(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        for each in (signal.SIGTERM, signal.SIGINT):  # the second one ends the process
            signal.signal(each, signal.SIG_DFL)
        self._stopping = True
        self._wakeup.wake()

    def _reload_was_asked(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._reload_asked = True
        self._wakeup.wake()

    def _end(self) -> None:
        """Cut off what is under way; it goes on at the next start."""
        self._stopping = True
        clock, limit = self._app.clock, self._app.settings.daemon.stop_limit.total_seconds()
        self._manager.extend(limit + self._app.settings.http.stop_limit.total_seconds())
        working = ", ".join(sorted(self._crew.names))
        self._manager.stopping(f"stopping {working}" if working else "stopping")
        _log.info("stopping%s", f": {working}" if working else "")
        self._alarms.stop()
        end = clock.monotonic() + 0.8 * limit
        while self._crew.names and clock.monotonic() < end:
            self._manager.alive()
            self._crew.cancel()
            self._wakeup.wait(_NUDGE)
        for name in sorted(self._crew.names):
            _log.warning("%s did not stop in time; its cycle goes on at the next start", name)
        try:
            if self._health.problem is None:  # else it would only be waited for
                self._app.agenda.check_out(self._owner)
        except DatabaseError as error:
            _log.warning("the database was not told that this daemon ends: %s", error)
        _log.info("stopped")
