"""Looks whether a source has new data, which asks for a cycle."""

import logging

from retrainer.daemon.backoff import Backoff
from retrainer.errors import RetrainerError
from retrainer.ports import DataSeen
from retrainer.settings import AssistantSettings
from retrainer.wiring import Application

#: Seconds to leave a source in peace that failed, at first and at most.
_FIRST, _LONGEST = 60.0, 1800.0

_log = logging.getLogger(__name__)


class Watch:
    """Looks at the sources of all assistants; remembers only which of them fail.

    What it sees is compared with what was there when data last asked for a cycle, so that a few
    new examples at a time add up. A cycle of the schedule may have taken the same data by then: the
    one that data asks for finds nothing new and is skipped.
    """

    def __init__(self) -> None:
        self._backoff = Backoff(first=_FIRST, longest=_LONGEST)
        self._failing: set[str] = set()

    def look(self, app: Application, *, name: str) -> None:
        """Look at the assistant's source, and put on the agenda what is new there.

        A source that fails is told of once, and tried more and more rarely.

        Raises:
            DatabaseError: the database could not be used.
            ConfigurationError: the source's options are not usable any more.
        """
        known = next((each for each in app.agenda.enrolments() if each.assistant == name), None)
        if known is None or known.pause is not None:
            return
        if not self._backoff.is_over(name, app.clock.monotonic()):
            return
        source = app.source(name)
        try:
            seen = source.look()
        except RetrainerError as error:
            self._failed(name, error, app.clock.monotonic())
            return
        self._worked(name)
        settings = app.settings.assistants[name]
        if not _is_enough(seen, known.data, settings.schedule.minimum_new_examples):
            return
        note = _note(seen, known.data, settings)
        asked = app.agenda.new_data(name, seen, before=known.data, by="poll", note=note)
        if asked is not None:
            _log.info("%s: %s", name, note)

    def _failed(self, name: str, error: RetrainerError, now: float) -> None:
        delay = self._backoff.failed(name, now)
        if name not in self._failing:
            self._failing.add(name)
            _log.warning(
                "%s: its source could not be looked at: %s; tried again in %.0f s, then more rarely",
                name,
                error,
                delay,
                extra={"tip": error.tip},
            )

    def _worked(self, name: str) -> None:
        self._backoff.worked(name)
        if name in self._failing:
            self._failing.discard(name)
            _log.info("%s: its source can be looked at again", name)


def _is_enough(seen: DataSeen, before: DataSeen | None, least: int) -> bool:
    """Whether so much is new that it is to be remembered; any change, unless more is asked for."""
    if before is None:
        return True
    if seen.token == before.token:
        return False
    more = _more(seen, before)
    return least == 1 or more is None or more >= least


def _more(seen: DataSeen, before: DataSeen | None) -> int | None:
    """How many examples more there are; None if one of the two looks did not count."""
    if before is None or seen.examples is None or before.examples is None:
        return None
    return seen.examples - before.examples


def _note(seen: DataSeen, before: DataSeen | None, settings: AssistantSettings) -> str:
    """What is new, for people."""
    given = settings.source
    kinds = [given.type] if given else [each.type for each in settings.sources.values()]
    where, more = " and ".join(dict.fromkeys(kinds)), _more(seen, before)
    if more:
        examples = "example" if abs(more) == 1 else "examples"
        return (
            f"{more} new {examples} in {where}"
            if more > 0
            else f"{-more} {examples} fewer in {where}"
        )
    return f"{where} at {seen.token[:8]}"
