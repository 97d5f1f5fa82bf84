"""The read side for those who count: cycles as they end, and how good the champion is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retrainer.domain.cycle import Status
from retrainer.store.engine import reading
from retrainer.store.tables import cycles, steps

#: Numbers are given out before they can be seen: a lower one may show up after a higher one.
_LATE = 100
#: How many of an assistant's newest cycles are looked through for its champion's figures.
_RECENT = 200
_AT_ONCE = 500
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class EndedCycle:
    """A cycle that has ended: how, and for how many seconds each step of it worked.

    A step that was tried several times counts with its last attempt.
    """

    number: int
    assistant: str
    status: str
    verdict: str | None
    steps: tuple[tuple[str, float], ...]


class EndedCycles:
    """Tells of each cycle once, when it has ended; of none that had ended at the first look.

    It remembers a few numbers and reads new rows alone, so that it takes no longer with a million
    cycles than with ten. Not to be used by two threads at a time.
    """

    def __init__(self) -> None:
        self._newest: int | None = None
        self._told: set[int] = set()
        self._running: set[int] = set()

    def read(self, engine: sa.Engine) -> tuple[EndedCycle, ...]:
        """The cycles that ended since the last look.

        Raises:
            DatabaseError: the database could not be used; the next look tells of them.
        """
        with reading(engine) as connection:
            if self._newest is None:
                newest: int = connection.scalar(sa.select(sa.func.max(cycles.c.number))) or 0
                self._advance(_rows(connection, newest, set()), newest)
                return ()
            rows = _rows(connection, self._newest, self._running)
            ended = [row for row in rows if row.status != Status.RUNNING]
            fresh = [row for row in ended if row.number not in self._told]
            timed = _durations(connection, [row.number for row in fresh])
        self._advance(rows, self._newest)
        return tuple(
            EndedCycle(
                row.number,
                row.assistant,
                row.status,
                row.verdict,
                tuple(timed.get(row.number, ())),
            )
            for row in fresh
        )

    def _advance(self, rows: Sequence[Any], at: int) -> None:
        self._newest = newest = max([at, *(row.number for row in rows)])
        running = {row.number for row in rows if row.status == Status.RUNNING}
        told = self._told | ({row.number for row in rows} - running)
        self._running = running
        self._told = {number for number in told if number > newest - _LATE}


def champion_f1(connection: sa.Connection, assistant: str, model: str) -> float | None:
    """The model's weighted F1 where it was measured last, 0 to 1; None: not as far as is known.

    It is looked for in the assistant's newest cycles, then in the one that trained it.
    """
    recent = (
        sa.select(
            cycles.c.number,
            cycles.c.champion,
            cycles.c.challenger,
            cycles.c.f1_champion,
            cycles.c.f1_challenger,
        )
        .where(cycles.c.assistant == assistant)
        .order_by(cycles.c.number.desc())
        .limit(_RECENT)
        .subquery()
    )
    measured = sa.case(
        (recent.c.champion == model, recent.c.f1_champion),
        (recent.c.challenger == model, recent.c.f1_challenger),
    )
    newest = sa.select(measured).where(measured.is_not(None)).order_by(recent.c.number.desc())
    found: float | None = connection.scalar(newest.limit(1))
    number = model.rpartition("-")[2]
    if found is None and number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS:
        trained = sa.select(cycles.c.f1_challenger).where(
            cycles.c.number == int(number), cycles.c.challenger == model
        )
        found = connection.scalar(trained)
    return found


def _rows(connection: sa.Connection, newest: int, running: set[int]) -> list[Any]:
    """What is new, what is running, and what was running, by number."""
    columns = (cycles.c.number, cycles.c.assistant, cycles.c.status, cycles.c.verdict)
    queries = [
        sa.select(*columns).where(cycles.c.number > newest - _LATE),
        sa.select(*columns).where(cycles.c.status == Status.RUNNING),
    ]
    if running:
        queries.append(sa.select(*columns).where(cycles.c.number.in_(running)))
    found = {row.number: row for query in queries for row in connection.execute(query)}
    return [found[number] for number in sorted(found)]


def _durations(
    connection: sa.Connection, numbers: Sequence[int]
) -> dict[int, list[tuple[str, float]]]:
    """Name and seconds of the steps of these cycles."""
    found: dict[int, list[tuple[str, float]]] = {}
    for row in _ended_steps(connection, numbers):
        seconds = max(0.0, (row.ended_at - row.started_at).total_seconds())
        found.setdefault(row.cycle, []).append((row.name, seconds))
    return found


def _ended_steps(connection: sa.Connection, numbers: Sequence[int]) -> Iterator[Any]:
    columns = (steps.c.cycle, steps.c.name, steps.c.started_at, steps.c.ended_at)
    for first in range(0, len(numbers), _AT_ONCE):
        some = numbers[first : first + _AT_ONCE]
        query = sa.select(*columns).where(steps.c.cycle.in_(some), steps.c.ended_at.is_not(None))
        yield from connection.execute(query.order_by(steps.c.number))
