"""When cycles begin: cron, interval or both, with jitter, and not in blackouts.

A tick has a nominal `fire_time`, which is what is recorded as done, and a moment at which it
starts, which is later by the jitter and by a blackout. Everything follows from the schedule alone,
not from when it is asked or by whom: several daemons agree.
"""

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain, count, groupby, islice

from retrainer.domain.cron import Cron
from retrainer.domain.wall_clock import require_zone
from retrainer.domain.windows import Window, contains, end_of, start_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_LONGEST = timedelta(days=366)


class CatchUp(StrEnum):
    """What becomes of ticks that came while no daemon ran."""

    LATEST = "latest"  # the latest one is made up for
    NONE = "none"  # none is


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an assistant's cycles begin. Without `cron` and `every` it never ticks.

    `cron` fires by the clock on the wall of the `zone` (see `domain.cron`), `every` on a grid of
    multiples since 1970-01-01 00:00 UTC; both together at the moments of either, each once.
    `blackouts` are by the wall clock of the zone too. `seed`, the assistant's name, makes the
    jitter of assistants with equal schedules differ.

    Raises ValueError if a part cannot be meant.
    """

    cron: str | None = None
    zone: str = "UTC"
    every: timedelta | None = None
    jitter: timedelta = timedelta(0)
    blackouts: tuple[Window, ...] = ()
    seed: str = ""
    catch_up: CatchUp = CatchUp.LATEST

    def __post_init__(self) -> None:
        require_zone(self.zone)
        if self.cron is not None:
            Cron(self.cron, self.zone)
        if self.every is not None:
            require_every(self.every)
        if self.jitter < timedelta(0):
            raise ValueError(f"a jitter of {self.jitter.total_seconds():g}s is below 0")
        require_time_left(self.blackouts, self.zone)

    @property
    def text(self) -> str:
        """What decides the fire times, in one spelling; empty if there are none.

        Jitter and blackouts are not in it: they delay a tick that is owed, and changing them does
        not make it another one.
        """
        parts = []
        if self.cron is not None:
            parts.append(f"cron {Cron(self.cron, self.zone).text} {self.zone}")
        if self.every is not None:
            parts.append(f"every {self.every // _SECOND}s")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Tick:
    """One time at which a schedule fires; both are aware UTC, in whole seconds."""

    #: The nominal moment; names the tick.
    fire_time: datetime
    #: `fire_time` plus jitter, moved to the end of a blackout that it falls into.
    starts_at: datetime


def upcoming(schedule: Schedule, *, after: datetime) -> Iterator[Tick]:
    """The ticks with a fire time after this moment, in order, lazily."""
    last = None
    for fire_time in _fires_after(schedule, after):
        if last is not None:
            yield _tick(schedule, last, fire_time)
        last = fire_time
    if last is not None:
        yield _tick(schedule, last, None)


def latest_due(schedule: Schedule, *, after: datetime, now: datetime) -> Tick | None:
    """The latest tick that fires after `after` and starts at `now` or before.

    It stands for all ticks before it, which are not made up for one by one. The time that it takes
    does not depend on how long ago `after` was.
    """
    until = now
    if contains(schedule.blackouts, now, schedule.zone):  # nothing in this blackout has started
        began = start_of(schedule.blackouts, now, schedule.zone)
        if began is None:
            return None
        until = began - _SECOND
    # Without blackouts a tick starts before the next one fires: one of the last two has started.
    for tick in islice(_ticks_back(schedule, until), 2):
        if tick.fire_time <= after:
            return None
        if tick.starts_at <= now:
            return tick
    return None


def next_start(schedule: Schedule, *, after: datetime) -> datetime | None:
    """The first moment after this one at which a tick starts; None: never.

    Unlike that of `upcoming`, it may be of a tick that has fired already and waits.
    """
    ticks = chain(waiting(schedule, now=after), upcoming(schedule, after=after))
    return next((tick.starts_at for tick in ticks), None)


def waiting(schedule: Schedule, *, now: datetime) -> tuple[Tick, ...]:
    """The ticks that have fired and start later than now, in order.

    Of several that start at the same moment it is the latest: they are one.
    """
    # All before the last but one have started, or wait for the end of the same blackout as it.
    last = [tick for tick in islice(_ticks_back(schedule, now), 2) if tick.starts_at > now]
    return tuple({tick.starts_at: tick for tick in reversed(last)}.values())


def waits_for_blackout(schedule: Schedule, tick: Tick) -> bool:
    """Whether the tick starts at the end of a blackout, rather than by the jitter alone."""
    before = tick.starts_at - _SECOND
    return tick.starts_at > tick.fire_time and contains(schedule.blackouts, before, schedule.zone)


def require_every(every: timedelta) -> timedelta:
    """An interval of whole seconds, at most 366 days. Raises ValueError otherwise."""
    if every % _SECOND or not timedelta(0) < every <= _LONGEST:
        raise ValueError(
            f"an interval of {every.total_seconds():.10g}s; it has to be of whole seconds, "
            f"1s to {_LONGEST.days}d"
        )
    return every


def require_time_left(blackouts: tuple[Window, ...], zone: str) -> None:
    """Raises ValueError if the blackouts leave no time at all."""
    if end_of(blackouts, _EPOCH, zone) is None:
        raise ValueError(
            f"{', '.join(map(str, blackouts))} leave no time at all in which a cycle may begin"
        )


def _ticks_back(schedule: Schedule, until: datetime) -> Iterator[Tick]:
    """The ticks that fire at this moment and before, the latest first."""
    following = next(_fires_after(schedule, until), None)
    for fire_time in _fires_up_to(schedule, until):
        yield _tick(schedule, fire_time, following)
        following = fire_time


def _tick(schedule: Schedule, fire_time: datetime, following: datetime | None) -> Tick:
    starts_at = fire_time + _jitter(schedule, fire_time, following)
    free = end_of(schedule.blackouts, starts_at, schedule.zone)
    return Tick(fire_time, free or starts_at)


def _jitter(schedule: Schedule, fire_time: datetime, following: datetime | None) -> timedelta:
    """Whole seconds in [0, jitter], evenly spread by a hash.

    A jitter as long as the time to the next fire time is cut to end a second before it, so that
    ticks start in the order in which they fire.
    """
    longest = schedule.jitter
    if following is not None:
        longest = min(longest, following - fire_time - _SECOND)
    word = f"{schedule.seed} {fire_time.astimezone(UTC).isoformat()}"
    number = int.from_bytes(hashlib.sha256(word.encode()).digest())
    return number % (longest // _SECOND + 1) * _SECOND


def _fires_after(schedule: Schedule, moment: datetime) -> Iterator[datetime]:
    """Every fire time after this moment, in order, each once."""
    found = []
    if schedule.cron is not None:
        found.append(Cron(schedule.cron, schedule.zone).after(moment))
    if schedule.every is not None:
        found.append(_grid(schedule.every, (moment - _EPOCH) // schedule.every + 1, 1))
    return (fire_time for fire_time, _ in groupby(heapq.merge(*found)))


def _fires_up_to(schedule: Schedule, moment: datetime) -> Iterator[datetime]:
    """Every fire time at this moment and before, the latest first, each once."""
    found = []
    if schedule.cron is not None:
        found.append(Cron(schedule.cron, schedule.zone).up_to(moment))
    if schedule.every is not None:
        found.append(_grid(schedule.every, (moment - _EPOCH) // schedule.every, -1))
    return (fire_time for fire_time, _ in groupby(heapq.merge(*found, reverse=True)))


def _grid(every: timedelta, first: int, step: int) -> Iterator[datetime]:
    return (_EPOCH + every * number for number in count(first, step))
