"""What the doctor asks of the database beside the status."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from retrainer.ports import Clock
from retrainer.store.engine import reading
from retrainer.store.outbox import WAITING
from retrainer.store.tables import outbox


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server: its version, as number and text, and by how much its clock is ahead.

    The clock's figure may be wrong by `uncertain`.
    """

    number: int
    version: str
    ahead: timedelta
    uncertain: timedelta


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What waits for one notifier: how many, since when the oldest does, and the newest error."""

    notifier: str
    waiting: int
    oldest: datetime
    last_error: str | None


def ask_server(engine: sa.Engine, clock: Clock) -> Server | None:
    """The server of the database; None for SQLite.

    Raises:
        DatabaseError: the database could not be used.
    """
    if engine.dialect.name != "postgresql":
        return None
    with reading(engine) as connection:
        number = int(connection.scalar(sa.text("SHOW server_version_num")) or 0)
        version = str(connection.scalar(sa.text("SHOW server_version")))
        before = clock.now()
        there: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        took = clock.now() - before
    return Server(number, version, there - (before + took / 2), took / 2)


def undelivered(engine: sa.Engine) -> tuple[Undelivered, ...]:
    """What waits in the outbox, by notifier.

    Raises:
        DatabaseError: the database could not be used.
    """
    query = (
        sa.select(
            outbox.c.notifier,
            sa.func.count().label("waiting"),
            sa.func.min(outbox.c.created_at).label("oldest"),
            sa.func.max(outbox.c.last_error).label("last_error"),
        )
        .where(WAITING)
        .group_by(outbox.c.notifier)
        .order_by(outbox.c.notifier)
    )
    with reading(engine) as connection:
        return tuple(Undelivered(**row) for row in connection.execute(query).mappings())
