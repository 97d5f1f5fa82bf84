"""What the leading daemon does beside cycles: telling people, looking for new data, tidying up."""

import logging
from collections.abc import Callable
from functools import partial

from retrainer.daemon.crew import Crew
from retrainer.daemon.watch import Watch
from retrainer.errors import RetrainerError
from retrainer.pipeline.conclusion import deliver
from retrainer.store.owner import current_owner
from retrainer.wiring import Application

#: Seconds between two looks at the outbox, and at most between two deletions of old cycles.
_OUTBOX, _HISTORY = 15.0, 24 * 3600.0
#: Share of `daemon.keep_history` by which cycles may be older than that.
_LATE = 0.1
#: So many sources are looked at, and so much else is done, at a time: a server that hangs holds up
#: all looks at it, but not what people are told.
_LOOKS_AT_ONCE, _AT_ONCE = 8, 2
_UNTOLD = "it is kept meanwhile; `retrainer status` shows how much waits, and since when"

_log = logging.getLogger(__name__)


class Errands:
    """Each errand in a thread of its own, never twice at once; a slow one holds up no other."""

    def __init__(self, *, done: Callable[[], None]) -> None:
        self._crew, self._lookers = Crew(_AT_ONCE, done=done), Crew(_LOOKS_AT_ONCE, done=done)
        #: When each errand is due again, monotonic.
        self._due: dict[str, float] = {}
        self._watch = Watch()

    def run(self, app: Application) -> None:
        """Begin what is due."""
        self._run(self._crew, "outbox", _OUTBOX, app, _tell_people)
        keep = app.settings.daemon.keep_history.total_seconds()
        every = min(_HISTORY, _LATE * keep)
        self._run(self._crew, "history", every, app, _forget_old_cycles)
        for name, settings in app.settings.assistants.items():
            if settings.schedule.poll_every is not None:
                seconds = settings.schedule.poll_every.total_seconds()
                look = partial(self._watch.look, name=name)
                self._run(self._lookers, f"data of {name}", seconds, app, look)

    def hurry(self, errand: str) -> None:
        """Do it at the next look."""
        self._due.pop(errand, None)

    def begin_anew(self) -> None:
        """Do all at the next look, and forget what failed: the configuration has changed."""
        self._due.clear()
        self._watch = Watch()

    def _run(
        self,
        crew: Crew,
        errand: str,
        every: float,
        app: Application,
        do: Callable[[Application], None],
    ) -> None:
        now = app.clock.monotonic()
        if self._due.get(errand, now) > now or errand in crew.names or not crew.free:
            return
        crew.begin(errand, partial(_safely, errand, app, do), cancel=lambda: None)
        self._due[errand] = now + every


def _safely(errand: str, app: Application, do: Callable[[Application], None]) -> None:
    try:
        do(app)
    except RetrainerError as error:
        _log.warning("%s: %s", errand, error, extra={"tip": error.tip})


def _tell_people(app: Application) -> None:
    owner = current_owner()
    if not app.notifiers:  # what waits for those that were configured once is given up in time
        app.store.due_notifications()
    for problem in deliver(app.store, app.notifiers, owner=owner, recovered=_log.info):
        _log.warning("%s", problem, extra={"tip": _UNTOLD})


def _forget_old_cycles(app: Application) -> None:
    before = app.clock.now() - app.settings.daemon.keep_history
    if forgotten := app.store.forget(before):
        _log.info("%d cycles begun before %s were deleted", forgotten, f"{before:%Y-%m-%d}")
