"""The ledger of promotions: which model served from when, and why. Rows are only ever added."""

import sqlalchemy as sa

from retrainer.domain.cycle import Promotion
from retrainer.store.records import to_promotion
from retrainer.store.tables import promotions


def append(connection: sa.Connection, promotion: Promotion) -> None:
    """Add a row, unless the assistant's newest row names the same model already."""
    if connection.dialect.name == "postgresql":
        # Two writers would both miss each other's row; on SQLite a writer is alone anyway.
        connection.exec_driver_sql("LOCK TABLE promotions IN SHARE ROW EXCLUSIVE MODE")
    newest = newest_first(connection, promotion.assistant, 1)
    if newest and newest[0].model == promotion.model:
        return
    connection.execute(
        sa.insert(promotions).values(
            assistant=promotion.assistant,
            previous=promotion.previous,
            model=promotion.model,
            reason=promotion.reason,
            actor=promotion.actor,
            at=promotion.at,
            note=promotion.note,
            cycle=promotion.cycle,
        )
    )


def newest_first(
    connection: sa.Connection, assistant: str | None, limit: int | None
) -> tuple[Promotion, ...]:
    """The assistant's promotions, or those of all; at most `limit` of them."""
    query = sa.select(promotions).order_by(promotions.c.number.desc()).limit(limit)
    if assistant is not None:
        query = query.where(promotions.c.assistant == assistant)
    return tuple(map(to_promotion, connection.execute(query).mappings()))


def of_cycle(connection: sa.Connection, cycle: int) -> tuple[Promotion, ...]:
    """The promotions that a cycle made, oldest first."""
    query = sa.select(promotions).where(promotions.c.cycle == cycle).order_by(promotions.c.number)
    return tuple(map(to_promotion, connection.execute(query).mappings()))
