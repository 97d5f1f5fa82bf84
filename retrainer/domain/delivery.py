"""When a notification is tried, tried again, and given up."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

#: What could not be delivered for so long is no news any more.
GIVEN_UP_AFTER = timedelta(days=7)
#: After an outage of so long people get one message of all that they missed, rather than a flood.
SUMMARISED_AFTER = timedelta(hours=6)
#: Cycles that one such message may tell of.
MOST_AT_ONCE = 200
#: A notification that a process tries to deliver is nobody else's for so long, unless it dies.
CLAIMED_FOR = timedelta(minutes=15)

_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(hours=1)
#: A receiver may ask for more patience than we would have, but not for ever.
_LONGEST_ASKED = timedelta(days=1)
_DOUBLINGS = 10


class Waiting(Protocol):
    """A notification that is neither delivered nor given up."""

    @property
    def number(self) -> int:
        """Its number; later ones have greater numbers."""
        ...

    @property
    def notifier(self) -> str:
        """The name of who is to be told."""
        ...

    @property
    def attempts(self) -> int:
        """How many failed so far."""
        ...

    @property
    def next_attempt_at(self) -> datetime:
        """Not to be tried before."""
        ...

    @property
    def created_at(self) -> datetime:
        """When its cycle ended."""
        ...


_Waiting = TypeVar("_Waiting", bound=Waiting)


def due(waiting: Sequence[_Waiting], now: datetime) -> tuple[_Waiting, ...]:
    """What may be tried now: nothing of a notifier that has a notification put off.

    What failed least comes first, then the oldest: so a notification that its receiver will never
    take does not stand in the way of the others. What is put off for longer than anything may be
    was so by a clock that has been set back since.
    """
    put_off = {row.notifier for row in waiting if now < row.next_attempt_at <= now + _LONGEST_ASKED}
    free = (row for row in waiting if row.notifier not in put_off)
    return tuple(sorted(free, key=lambda row: (row.attempts, row.number)))


def together(due: Sequence[_Waiting], now: datetime) -> tuple[_Waiting, ...]:
    """Of what is due for one notifier for people, in the order of `due`: what to tell as one.

    That is the first, or, where several are older than SUMMARISED_AFTER, all of them.
    """
    late = [row for row in due if row.created_at <= now - SUMMARISED_AFTER]
    return tuple(due[:MOST_AT_ONCE] if len(late) > 1 else due[:1])


def delay_after(attempts: int, retry_after: float | None) -> timedelta:
    """How long to wait after that many failed attempts: 30 s, then twice as long each, up to 1 h.

    `attempts` are those of all that waits for the notifier.
    `retry_after` is what the receiver asked for, in seconds: longer is respected, up to a day.
    """
    own = min(_FIRST_DELAY * (1 << min(attempts - 1, _DOUBLINGS)), _LONGEST_DELAY)
    if retry_after is None or math.isnan(retry_after):
        return own
    asked = min(max(retry_after, 0.0), _LONGEST_ASKED.total_seconds())
    return max(own, timedelta(seconds=asked))
