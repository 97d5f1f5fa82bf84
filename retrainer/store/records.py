"""From rows to the values that the rest of retrainer knows."""

import sqlalchemy as sa

from retrainer.domain.cycle import Cycle, Promotion, PromotionReason, State, Status, Trigger
from retrainer.errors import SchemaError
from retrainer.ports import CycleReport
from retrainer.store.states import merge
from retrainer.store.tables import cycles, steps


def to_cycle(row: sa.Row[*tuple[object, ...]]) -> Cycle:
    """The cycle of a row of `cycles`.

    Raises:
        SchemaError: a status or trigger that this version does not know.
    """
    found = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return Cycle(
        number=found["number"],
        assistant=found["assistant"],
        trigger=known(Trigger, found["trigger"]),
        started_at=found["started_at"],
        status=known(Status, found["status"]),
        dry_run=found["dry_run"],
        force=found["force"],
        resumed=found["resumed"],
    )
