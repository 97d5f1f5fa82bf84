"""From rows to the values that the rest of retrainer knows."""

from enum import StrEnum
from typing import TypeVar

import sqlalchemy as sa

from retrainer.domain.cycle import Cycle, Promotion, PromotionReason, State, Status, Trigger
from retrainer.errors import CycleNotFound, SchemaError
from retrainer.ports import CycleReport
from retrainer.store.states import merge
from retrainer.store.tables import CONCLUDED, cycles, steps

#: Cycles that were carried out or had nothing to do, dry runs apart; by the index of the concluded.
SUCCEEDED = sa.and_(CONCLUDED, cycles.c.status != Status.FAILED)

_Enum = TypeVar("_Enum", bound=StrEnum)


def known(kind: type[_Enum], value: str) -> _Enum:
    """The member of that value.

    Raises:
        SchemaError: this version does not know it.
    """
    try:
        return kind(value)
    except ValueError:
        members = ", ".join(kind)
        raise SchemaError(
            f"the database holds the {kind.__name__.lower()} {value!r}, known are {members}",
            tip="it was written by another version of retrainer: use the newest one",
        ) from None


def to_cycle(row: sa.RowMapping) -> Cycle:
    """The cycle of a row of `cycles`."""
    return Cycle(
        number=row["number"],
        assistant=row["assistant"],
        trigger=known(Trigger, row["trigger"]),
        started_at=row["started_at"],
        status=known(Status, row["status"]),
        dry_run=row["dry_run"],
        force=row["force"],
        resumed=row["resumed"],
    )


def to_promotion(row: sa.RowMapping) -> Promotion:
    """The promotion of a row of the ledger."""
    return Promotion(
        assistant=row["assistant"],
        previous=row["previous"],
        model=row["model"],
        reason=known(PromotionReason, row["reason"]),
        actor=row["actor"],
        at=row["at"],
        note=row["note"],
        cycle=row["cycle"],
    )


def state_after_steps(connection: sa.Connection, cycle: int) -> State:
    """The state that the cycle's done steps led to."""
    return merge(_deltas(connection, cycle), cycle)


def report(connection: sa.Connection, number: int) -> CycleReport:
    """The cycle with that number as people are told of it.

    Raises:
        CycleNotFound: there is none.
    """
    row = connection.execute(sa.select(cycles).where(cycles.c.number == number)).mappings().first()
    if row is None:
        raise CycleNotFound(
            f"there is no cycle {number}", tip="`retrainer history` lists the cycles"
        )
    return CycleReport(
        cycle=to_cycle(row),
        state=state_after_steps(connection, number),
        ended_at=row["ended_at"],
        error=row["error"],
        tip=row["tip"],
        failed_step=row["failed_step"],
    )


def _deltas(connection: sa.Connection, cycle: int) -> list[dict[str, object] | None]:
    query = sa.select(steps.c.state).where(steps.c.cycle == cycle).order_by(steps.c.number)
    return list(connection.scalars(query))
