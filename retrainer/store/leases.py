"""Who may work on a cycle.

A running cycle's row holds its lease: the owner, until when, and how often the cycle was taken up
again. Every write looks at it in its own transaction, so a process that was paused, and whose
cycle another one has taken up, can change nothing more.
"""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from retrainer.domain.cycle import Cycle, Status
from retrainer.errors import CycleRunning, DatabaseError, LeaseLost
from retrainer.ports import Lease
from retrainer.store.owner import busy, describe, is_dead
from retrainer.store.records import to_cycle
from retrainer.store.tables import cycles, steps

#: Each needs another process to begin a cycle and end it between two of our statements.
_TRIES = 5


def take(
    connection: sa.Connection, wanted: Cycle, *, owner: str, until: datetime, now: datetime
) -> Lease:
    """Start the cycle (whose number is not known yet), or take up the assistant's interrupted one.

    Raises:
        CycleRunning: a live owner works on a cycle of the assistant.
    """
    for _ in range(_TRIES):
        row = _running(connection, wanted.assistant)
        if row is None:
            lease = _start(connection, wanted, owner, until)
            if lease is not None:
                return lease
        elif row["lease_until"] <= now or is_dead(row["owner"]):
            return _take_up(connection, to_cycle(row), owner, until)
        else:
            raise _busy(connection, row, now)
    raise DatabaseError(f"no cycle of {wanted.assistant} could be begun in {_TRIES} tries")


def require(connection: sa.Connection, lease: Lease) -> sa.RowMapping:
    """The cycle's row, locked until the end of the transaction.

    Raises:
        LeaseLost: another owner has the cycle.
    """
    cycle = lease.cycle
    row = _locked(connection, cycles.c.number == cycle.number)
    if row is None:
        raise LeaseLost(f"cycle {cycle.number} of {cycle.assistant} is not in the database")
    if (row["owner"], row["resumed"]) != (lease.owner, cycle.resumed):
        raise LeaseLost(
            f"cycle {cycle.number} of {cycle.assistant} was taken over by {describe(row['owner'])}",
            tip="that process goes on with it; this one has nothing left to do",
        )
    return row


def require_running(connection: sa.Connection, lease: Lease) -> None:
    """Make sure that the cycle is still ours and has not ended.

    Raises:
        LeaseLost: another owner has the cycle, or it has ended.
    """
    row = require(connection, lease)
    if row["status"] != Status.RUNNING:
        raise LeaseLost(
            f"cycle {row['number']} of {row['assistant']} has ended already: {row['status']}"
        )


def renew(connection: sa.Connection, lease: Lease, until: datetime) -> None:
    """Keep the lease until then.

    Raises:
        LeaseLost: another owner has the cycle.
    """
    require_running(connection, lease)
    connection.execute(
        sa.update(cycles).where(cycles.c.number == lease.cycle.number).values(lease_until=until)
    )


def _running(connection: sa.Connection, assistant: str) -> sa.RowMapping | None:
    return _locked(
        connection, sa.and_(cycles.c.assistant == assistant, cycles.c.status == Status.RUNNING)
    )


def _locked(connection: sa.Connection, which: sa.ColumnElement[bool]) -> sa.RowMapping | None:
    # Without locking the key itself, which rows of other tables refer to.
    query = sa.select(cycles).where(which).with_for_update(key_share=True)
    return connection.execute(query).mappings().first()


def _start(connection: sa.Connection, wanted: Cycle, owner: str, until: datetime) -> Lease | None:
    """None if another process was faster."""
    new = sa.insert(cycles).values(
        assistant=wanted.assistant,
        trigger=wanted.trigger,
        status=wanted.status,
        dry_run=wanted.dry_run,
        force=wanted.force,
        started_at=wanted.started_at,
        owner=owner,
        lease_until=until,
        resumed=0,
        promoted=False,
    )
    try:
        with connection.begin_nested():
            number = connection.execute(new.returning(cycles.c.number)).scalar_one()
    except sa.exc.IntegrityError:
        return None
    return Lease(replace(wanted, number=number), owner)


def _take_up(connection: sa.Connection, cycle: Cycle, owner: str, until: datetime) -> Lease:
    connection.execute(
        sa.update(cycles)
        .where(cycles.c.number == cycle.number)
        .values(owner=owner, lease_until=until, resumed=cycle.resumed + 1)
    )
    return Lease(replace(cycle, resumed=cycle.resumed + 1), owner)


def _busy(connection: sa.Connection, row: sa.RowMapping, now: datetime) -> CycleRunning:
    newest = (
        sa.select(steps.c.name)
        .where(steps.c.cycle == row["number"])
        .order_by(steps.c.number.desc())
        .limit(1)
    )
    step = connection.scalar(newest)
    return busy(to_cycle(row), step, owner=row["owner"], until=row["lease_until"], now=now)
