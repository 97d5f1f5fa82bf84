"""Notifications that wait to be delivered.

They are queued in the transaction that ends a cycle, so none is lost and none can fail the cycle.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache

import sqlalchemy as sa

from retrainer.ports import CycleReport, PendingNotification
from retrainer.store.records import report
from retrainer.store.tables import outbox

_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(hours=1)
#: A receiver may ask for more patience than we would have, but not for ever.
_LONGEST_ASKED = timedelta(days=1)
_DOUBLINGS = 10


def delay_after(attempts: int, retry_after: float | None) -> timedelta:
    """How long to wait after that many failed attempts: 30 s, then twice as long each, up to 1 h.

    `retry_after` is what the receiver asked for, in seconds: longer is respected, up to a day.
    """
    own = min(_FIRST_DELAY * (1 << min(attempts - 1, _DOUBLINGS)), _LONGEST_DELAY)
    if retry_after is None or math.isnan(retry_after):
        return own
    asked = min(max(retry_after, 0.0), _LONGEST_ASKED.total_seconds())
    return max(own, timedelta(seconds=asked))


def queue(connection: sa.Connection, cycle: int, notifiers: Iterable[str], now: datetime) -> None:
    """Add a notification for each notifier; a name that is given twice counts once."""
    rows = [
        {
            "cycle": cycle,
            "notifier": notifier,
            "created_at": now,
            "attempts": 0,
            "next_attempt_at": now,
        }
        for notifier in dict.fromkeys(notifiers)
    ]
    if rows:
        connection.execute(sa.insert(outbox), rows)


def due(connection: sa.Connection, now: datetime) -> tuple[PendingNotification, ...]:
    """What has not been delivered and may be tried now, oldest first."""
    query = (
        sa.select(outbox)
        .where(outbox.c.delivered_at.is_(None), outbox.c.next_attempt_at <= now)
        .order_by(outbox.c.number)
    )
    rows = connection.execute(query).mappings().all()

    @cache  # several notifiers tell of the same cycle
    def report_of(cycle: int) -> CycleReport:
        return report(connection, cycle)

    return tuple(
        PendingNotification(
            row["number"], row["notifier"], report_of(row["cycle"]), row["attempts"]
        )
        for row in rows
    )


def delivered(connection: sa.Connection, number: int, now: datetime) -> None:
    """Mark a notification as delivered; again: nothing."""
    connection.execute(sa.update(outbox).where(_waiting(number)).values(delivered_at=now))


def put_off(
    connection: sa.Connection, number: int, error: str, retry_after: float | None, now: datetime
) -> None:
    """Count a failed attempt and put the next one off; nothing once it is delivered."""
    query = sa.select(outbox.c.attempts).where(_waiting(number)).with_for_update()
    before = connection.scalar(query)
    if before is None:
        return
    connection.execute(
        sa.update(outbox)
        .where(_waiting(number))
        .values(
            attempts=before + 1,
            next_attempt_at=now + delay_after(before + 1, retry_after),
            last_error=error,
        )
    )


def _waiting(number: int) -> sa.ColumnElement[bool]:
    return sa.and_(outbox.c.number == number, outbox.c.delivered_at.is_(None))
