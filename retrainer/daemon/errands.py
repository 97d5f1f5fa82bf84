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
_AT_ONCE = 8
_UNTOLD = "it is kept meanwhile; `retrainer status` shows how much waits, and since when"

_log = logging.getLogger(__name__)


class Errands:
    """Each errand in a thread of its own, never twice at once; a slow one holds up no other."""

    def __init__(self, *, done: Callable[[], None]) -> None:
        self._crew = Crew(_AT_ONCE, done=done)
        #: When each errand is due again, monotonic.
        self._due: dict[str, float] = {}
        self._watch = Watch()

    def run(self, app: Application) -> None:
        """Begin what is due."""
        self._run("outbox", _OUTBOX, app, _tell_people)
        keep = app.settings.daemon.keep_history.total_seconds()
        self._run("history", min(_HISTORY, _LATE * keep), app, _forget_old_cycles)
        for name, settings in app.settings.assistants.items():
            if settings.schedule.poll_every is not None:
                seconds = settings.schedule.poll_every.total_seconds()
                self._run(f"data of {name}", seconds, app, partial(self._watch.look, name=name))

    def hurry(self, errand: str) -> None:
        """Do it at the next look."""
        self._due.pop(errand, None)

    def _run(
        self, errand: str, every: float, app: Application, do: Callable[[Application], None]
    ) -> None:
        now = app.clock.monotonic()
        if self._due.get(errand, now) > now or errand in self._crew.names or not self._crew.free:
            return
        self._crew.begin(errand, partial(_safely, errand, app, do), cancel=lambda: None)
        self._due[errand] = now + every


def _safely(errand: str, app: Application, do: Callable[[Application], None]) -> None:
    try:
        do(app)
    except RetrainerError as error:
        _log.warning("%s: %s", errand, error, extra={"tip": error.tip})


def _tell_people(app: Application) -> None:
    owner = current_owner()
    for problem in deliver(app.store, app.notifiers, owner=owner, recovered=_log.info):
        _log.warning("%s", problem, extra={"tip": _UNTOLD})


def _forget_old_cycles(app: Application) -> None:
    before = app.clock.now() - app.settings.daemon.keep_history
    if forgotten := getattr(app.store, "forget", lambda _: 0)(before):
        _log.info("%d cycles begun before %s were deleted", forgotten, f"{before:%Y-%m-%d}")
