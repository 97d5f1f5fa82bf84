"""Notifications that wait to be delivered.

They are queued in the transaction that ends a cycle, so none is lost and none can fail the cycle.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import sqlalchemy as sa

from retrainer.domain import delivery
from retrainer.ports import CycleReport, PendingNotification
from retrainer.store.records import report
from retrainer.store.tables import outbox

_WAITING = sa.and_(outbox.c.delivered_at.is_(None), outbox.c.given_up_at.is_(None))


@dataclass(frozen=True, slots=True)
class _Waiting:
    number: int
    cycle: int
    notifier: str
    attempts: int
    next_attempt_at: datetime


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
    """What may be tried now, in the order of `domain.delivery`; what is too old is given up."""
    _give_up(connection, now - delivery.GIVEN_UP_AFTER, now)

    @cache  # several notifiers tell of the same cycle
    def report_of(cycle: int) -> CycleReport:
        return report(connection, cycle)

    return tuple(
        PendingNotification(row.number, row.notifier, report_of(row.cycle), row.attempts)
        for row in delivery.due(_waiting(connection), now)
    )


def delivered(connection: sa.Connection, number: int, now: datetime) -> None:
    """Mark a notification as delivered; again: nothing."""
    connection.execute(
        sa.update(outbox).where(outbox.c.number == number, _WAITING).values(delivered_at=now)
    )


def put_off(
    connection: sa.Connection, number: int, error: str, retry_after: float | None, now: datetime
) -> None:
    """Count a failed attempt and put the notifier off; nothing once it is delivered."""
    waiting = {row.number: row for row in _waiting(connection, lock=True)}
    failed = waiting.get(number)
    if failed is None:
        return
    attempts = 1 + sum(row.attempts for row in waiting.values() if row.notifier == failed.notifier)
    connection.execute(
        sa.update(outbox)
        .where(outbox.c.number == number)
        .values(
            attempts=failed.attempts + 1,
            next_attempt_at=now + delivery.delay_after(attempts, retry_after),
            last_error=error,
        )
    )


def _give_up(connection: sa.Connection, oldest: datetime, now: datetime) -> None:
    days = delivery.GIVEN_UP_AFTER / timedelta(days=1)
    reason = sa.func.coalesce(outbox.c.last_error, f"not tried for {days:g} days")
    connection.execute(
        sa.update(outbox)
        .where(outbox.c.created_at <= oldest, _WAITING)
        .values(given_up_at=now, last_error=reason)
    )


def _waiting(connection: sa.Connection, *, lock: bool = False) -> list[_Waiting]:
    query = sa.select(
        outbox.c.number,
        outbox.c.cycle,
        outbox.c.notifier,
        outbox.c.attempts,
        outbox.c.next_attempt_at,
    )
    query = query.where(_WAITING).order_by(outbox.c.number)
    rows = connection.execute(query.with_for_update() if lock else query).mappings()
    return [_Waiting(**row) for row in rows]
