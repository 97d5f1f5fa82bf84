"""Deleting old cycles, with all that was recorded of them."""

import time
from datetime import datetime

import sqlalchemy as sa

from retrainer.store.engine import reading, writing
from retrainer.store.leases import RUNNING
from retrainer.store.outbox import WAITING
from retrainer.store.tables import (
    CONCLUDED,
    approvals,
    checks,
    cycles,
    daemons,
    outbox,
    promotions,
    requests,
    steps,
)

#: Cycles that are looked at in one transaction: others wait for less than a tenth of a second.
_AT_ONCE = 200
#: Seconds between two transactions, in which others get their turn.
_PAUSE = 0.02


def forget(engine: sa.Engine, before: datetime) -> int:
    """Delete the cycles begun before that moment (aware), and daemons not seen since.

    Kept are cycles that changed the champion, that have not ended or not been told of, and of each
    assistant the newest concluded one, with the one that it was the same as. It takes many short
    transactions, and may be cut off anywhere.

    Returns:
        How many cycles were deleted.

    Raises:
        DatabaseError: the database could not be used; what was deleted before stays so.
    """
    with writing(engine) as connection:
        connection.execute(sa.delete(daemons).where(daemons.c.seen_at < before))
    count, after = 0, None
    while page := _page(engine, before, after):
        with writing(engine) as connection:
            count += _delete(connection, [row.number for row in page])
        after = page[-1]
        time.sleep(_PAUSE)
    return count


def _page(
    engine: sa.Engine, before: datetime, after: sa.Row[tuple[datetime, int]] | None
) -> list[sa.Row[tuple[datetime, int]]]:
    """The next cycles that are old enough."""
    query = sa.select(cycles.c.started_at, cycles.c.number).where(cycles.c.started_at < before)
    if after is not None:
        place = sa.tuple_(cycles.c.started_at, cycles.c.number)
        query = query.where(place > sa.tuple_(*after))
    query = query.order_by(cycles.c.started_at, cycles.c.number).limit(_AT_ONCE)
    with reading(engine) as connection:
        return list(connection.execute(query))


def _delete(connection: sa.Connection, numbers: list[int]) -> int:
    """Delete those of them that nothing keeps; returns how many."""
    kept = sa.or_(
        RUNNING,
        sa.exists().where(promotions.c.cycle == cycles.c.number),
        sa.exists().where(outbox.c.cycle == cycles.c.number, WAITING),
        cycles.c.number == _of_newest_concluded("number"),
        cycles.c.number == _of_newest_concluded("same_as"),
    )
    query = sa.select(cycles.c.number).where(cycles.c.number.in_(numbers), sa.not_(kept))
    gone = list(connection.scalars(query))
    for table in (steps, checks, outbox, requests, approvals):
        connection.execute(sa.delete(table).where(table.c.cycle.in_(gone)))
    connection.execute(sa.delete(cycles).where(cycles.c.number.in_(gone)))
    return len(gone)


def _of_newest_concluded(column: str) -> sa.ColumnElement[int]:
    """That column of the newest concluded cycle of the same assistant; 0 without one."""
    newest = cycles.alias("newest")
    # The condition names its columns without a table: they are those of the innermost one.
    query = sa.select(newest.c[column]).where(newest.c.assistant == cycles.c.assistant, CONCLUDED)
    newest_first = query.order_by(newest.c.number.desc())
    return sa.func.coalesce(newest_first.limit(1).correlate(cycles).scalar_subquery(), 0)
