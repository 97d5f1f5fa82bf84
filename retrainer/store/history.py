"""The read side: what happened. It reads no states for a list, so that it stays fast."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from retrainer.domain.cycle import Cycle, Promotion, Status
from retrainer.domain.verdict import Outcome
from retrainer.errors import CycleNotFound
from retrainer.ports import Answer, CycleReport
from retrainer.store import approvals, ledger, records
from retrainer.store.engine import reading
from retrainer.store.tables import approvals as approval_table
from retrainer.store.tables import cycles, steps

_MOST_DIGITS = 9  # what the column holds


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A cycle in one line. What it did not get to know is None.

    `f1_champion` and `f1_challenger` are weighted F1, 0 to 1, on `examples` test examples.
    `stopped_by` names the checks that kept the challenger from being promoted, comma-separated.
    `promoted` says whether the challenger was promoted and confirmed; `approved` what a person
    answered to a held cycle.
    """

    cycle: Cycle
    ended_at: datetime | None
    champion: str | None
    challenger: str | None
    verdict: Outcome | None
    stopped_by: str | None
    f1_champion: float | None
    f1_challenger: float | None
    examples: int | None
    promoted: bool
    same_as: int | None
    snapshot: str | None
    origin: str | None
    error: str | None
    tip: str | None
    failed_step: str | None
    approved: bool | None

    @property
    def duration(self) -> timedelta | None:
        """From the start to the end; None while it runs."""
        return self.ended_at - self.cycle.started_at if self.ended_at else None


@dataclass(frozen=True, slots=True)
class StepTiming:
    """A step of a cycle: `status` is running, done or failed; the times are of its last attempt."""

    name: str
    status: str
    attempts: int
    started_at: datetime
    ended_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class CycleDetails:
    """All that is recorded of a cycle."""

    report: CycleReport
    steps: tuple[StepTiming, ...]
    promotions: tuple[Promotion, ...]
    answer: Answer | None


#: The columns that a HistoryRow is made of: no fingerprint, no lease and above all no JSON.
_LISTED: list[sa.ColumnElement[Any]] = [
    cycles.c[name]
    for name in (
        *("number", "assistant", "trigger", "started_at", "status", "dry_run", "force", "resumed"),
        *("ended_at", "champion", "challenger", "verdict", "stopped_by"),
        *("f1_champion", "f1_challenger"),
        *("examples", "promoted", "same_as", "snapshot", "origin", "error", "tip", "failed_step"),
    )
]
_LISTED.append(
    sa.select(approval_table.c.approved)
    .where(approval_table.c.cycle == cycles.c.number)
    .scalar_subquery()
    .label("approved")
)


def list_cycles(
    engine: sa.Engine,
    *,
    assistant: str | None = None,
    status: Status | None = None,
    verdict: Outcome | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 20,
) -> tuple[HistoryRow, ...]:
    """The newest cycles that match, newest first; `since` and `until` (aware) are of their start.

    With `before` only cycles with a lower number, for the next page.

    Raises:
        DatabaseError: the database could not be used.
    """
    query = _select(assistant, status, verdict, since, until).limit(limit)
    if before is not None:
        query = query.where(cycles.c.number < before)
    with reading(engine) as connection:
        return tuple(map(_to_row, connection.execute(query).mappings()))


def get(engine: sa.Engine, reference: str) -> CycleDetails:
    """A cycle by its number, by the name of its challenger, or the `latest` one.

    Raises:
        CycleNotFound: there is none.
        DatabaseError: the database could not be used.
    """
    with reading(engine) as connection:
        number = _number(connection, reference)
        report = records.report(connection, number)
        if not reference.isdecimal() and reference not in {"latest", report.cycle.challenger}:
            raise not_found(reference)
        timings = (
            sa.select(
                steps.c.name,
                steps.c.status,
                steps.c.attempts,
                steps.c.started_at,
                steps.c.ended_at,
                steps.c.error,
            )
            .where(steps.c.cycle == number)
            .order_by(steps.c.number)
        )
        return CycleDetails(
            report,
            tuple(StepTiming(**row) for row in connection.execute(timings).mappings()),
            ledger.of_cycle(connection, number),
            approvals.of_cycle(connection, number),
        )


def list_promotions(
    engine: sa.Engine, *, assistant: str | None = None, limit: int = 20
) -> tuple[Promotion, ...]:
    """The newest rows of the ledger, newest first; of one assistant or of all.

    Raises:
        DatabaseError: the database could not be used.
    """
    with reading(engine) as connection:
        return ledger.newest_first(connection, assistant, limit)


def made_by(engine: sa.Engine, models: Sequence[str]) -> dict[str, HistoryRow]:
    """The cycle that made each of these models, by the model's name; others are left out.

    Raises:
        DatabaseError: the database could not be used.
    """
    numbers = [number for model in models if (number := _number_in(model)) is not None]
    query = sa.select(*_LISTED).where(cycles.c.number.in_(numbers), cycles.c.challenger.in_(models))
    with reading(engine) as connection:
        rows = map(_to_row, connection.execute(query).mappings())
        return {row.challenger: row for row in rows if row.challenger}


def by_number(
    connection: sa.Connection, numbers: Iterable[int | None]
) -> dict[int | None, HistoryRow]:
    """The cycles of these numbers; None is left out."""
    query = sa.select(*_LISTED).where(cycles.c.number.in_([n for n in numbers if n is not None]))
    return {row["number"]: _to_row(row) for row in connection.execute(query).mappings()}


def _select(
    assistant: str | None,
    status: Status | None,
    verdict: Outcome | None,
    since: datetime | None,
    until: datetime | None,
) -> sa.Select[Any]:
    query = sa.select(*_LISTED).order_by(cycles.c.started_at.desc(), cycles.c.number.desc())
    if assistant is not None:
        query = query.where(cycles.c.assistant == assistant)
    if status is not None:
        query = query.where(cycles.c.status == status)
    if verdict is not None:
        query = query.where(cycles.c.verdict == verdict)
    if since is not None:
        query = query.where(cycles.c.started_at >= since)
    if until is not None:
        query = query.where(cycles.c.started_at < until)
    return query


def _to_row(row: sa.RowMapping) -> HistoryRow:
    verdict = row["verdict"]
    return HistoryRow(
        cycle=records.to_cycle(row),
        ended_at=row["ended_at"],
        champion=row["champion"],
        challenger=row["challenger"],
        verdict=records.known(Outcome, verdict) if verdict is not None else None,
        stopped_by=row["stopped_by"],
        f1_champion=row["f1_champion"],
        f1_challenger=row["f1_challenger"],
        examples=row["examples"],
        promoted=row["promoted"],
        same_as=row["same_as"],
        snapshot=row["snapshot"],
        origin=row["origin"],
        error=row["error"],
        tip=row["tip"],
        failed_step=row["failed_step"],
        approved=row["approved"],
    )


def _number(connection: sa.Connection, reference: str) -> int:
    if reference == "latest":
        newest: int | None = connection.scalar(sa.select(sa.func.max(cycles.c.number)))
        if newest is None:
            raise CycleNotFound("there is no cycle yet", tip="`retrainer run-once` starts one")
        return newest
    number = _number_in(reference)
    if number is None:
        raise not_found(reference)
    return number


def _number_in(reference: str) -> int | None:
    """The number that it is, or with which it ends: a challenger's name does, with its cycle's."""
    digits = reference.rpartition("-")[2]
    if not digits.isascii() or not digits.isdecimal() or len(digits) > _MOST_DIGITS:
        return None
    return int(digits)


def not_found(reference: str) -> CycleNotFound:
    """What to raise when no cycle is called so."""
    return CycleNotFound(
        f"there is no cycle {reference!r}",
        tip="name it by its number, its challenger or `latest`; `retrainer history` lists them",
    )
