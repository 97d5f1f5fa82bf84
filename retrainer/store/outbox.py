"""Notifications that wait to be delivered.

They are queued in the transaction that ends a cycle, so none is lost and none can fail the cycle.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cache

import sqlalchemy as sa

from retrainer.domain import delivery
from retrainer.ports import CycleReport, PendingNotification
from retrainer.store.owner import is_dead
from retrainer.store.records import report
from retrainer.store.tables import outbox

WAITING = sa.and_(outbox.c.delivered_at.is_(None), outbox.c.given_up_at.is_(None))


@dataclass(frozen=True, slots=True)
class _Waiting:
    number: int
    cycle: int
    notifier: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime
    claimed_by: str | None


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
    _give_up(connection, now)
    return _pending(connection, delivery.due(_waiting(connection, now), now))


def claim(
    connection: sa.Connection, notifier: str, *, owner: str, together: bool, now: datetime
) -> tuple[PendingNotification, ...]:
    """What to tell the notifier next, kept from other owners; none if nothing is due."""
    _give_up(connection, now)
    waiting = _waiting(connection, now, outbox.c.notifier == notifier, owner=owner, lock=True)
    found = delivery.due(waiting, now)
    rows = delivery.together(found, now) if together else found[:1]
    if rows:
        connection.execute(
            sa.update(outbox)
            .where(outbox.c.number.in_([row.number for row in rows]))
            .values(claimed_by=owner, next_attempt_at=now + delivery.CLAIMED_FOR)
        )
    return _pending(connection, rows)


def delivered(connection: sa.Connection, numbers: Collection[int], now: datetime) -> None:
    """Mark notifications as delivered; again: nothing."""
    connection.execute(
        sa.update(outbox)
        .where(outbox.c.number.in_(numbers), WAITING)
        .values(delivered_at=now, claimed_by=None)
    )


def put_off(
    connection: sa.Connection, number: int, error: str, retry_after: float | None, now: datetime
) -> None:
    """Count a failed attempt and put the notifier off; nothing once it is delivered."""
    of_its_notifier = outbox.c.notifier == (
        sa.select(outbox.c.notifier).where(outbox.c.number == number).scalar_subquery()
    )
    waiting = {row.number: row for row in _waiting(connection, now, of_its_notifier, lock=True)}
    failed = waiting.get(number)
    if failed is None:
        return
    attempts = 1 + sum(row.attempts for row in waiting.values())
    if failed.claimed_by is not None:
        connection.execute(
            sa.update(outbox)
            .where(of_its_notifier, outbox.c.claimed_by == failed.claimed_by, WAITING)
            .values(claimed_by=None, next_attempt_at=now)
        )
    connection.execute(
        sa.update(outbox)
        .where(outbox.c.number == number)
        .values(
            attempts=failed.attempts + 1,
            next_attempt_at=now + delivery.delay_after(attempts, retry_after),
            last_error=error,
        )
    )


def _pending(
    connection: sa.Connection, rows: Iterable[_Waiting]
) -> tuple[PendingNotification, ...]:
    @cache  # several notifiers tell of the same cycle
    def report_of(cycle: int) -> CycleReport:
        return report(connection, cycle)

    return tuple(
        PendingNotification(row.number, row.notifier, report_of(row.cycle), row.attempts)
        for row in rows
    )


def _give_up(connection: sa.Connection, now: datetime) -> None:
    days = delivery.GIVEN_UP_AFTER / timedelta(days=1)
    reason = sa.func.coalesce(outbox.c.last_error, f"not tried for {days:g} days")
    connection.execute(
        sa.update(outbox)
        .where(outbox.c.created_at <= now - delivery.GIVEN_UP_AFTER, WAITING)
        .values(given_up_at=now, last_error=reason)
    )


def _waiting(
    connection: sa.Connection,
    now: datetime,
    *which: sa.ColumnElement[bool],
    owner: str = "",
    lock: bool = False,
) -> list[_Waiting]:
    """What waits; a claim by `owner`, or by a process that has died, holds up nothing."""
    query = sa.select(*(outbox.c[field.name] for field in fields(_Waiting)))
    query = query.where(WAITING, *which).order_by(outbox.c.number)
    found = connection.execute(query.with_for_update() if lock else query).mappings()
    rows = [_Waiting(**row) for row in found]
    holders = {row.claimed_by for row in rows if row.claimed_by is not None}
    void = {holder for holder in holders if holder == owner or is_dead(holder)}
    return [replace(row, next_attempt_at=now) if row.claimed_by in void else row for row in rows]
