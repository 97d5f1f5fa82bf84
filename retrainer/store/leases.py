"""Who may work on a cycle.

A running cycle's row holds its lease: the owner, until when, and how often the cycle was taken up
again. Every write looks at it in its own transaction, so a process that was paused, and whose
cycle another one has taken up, can change nothing more.
"""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from retrainer.domain.cycle import Cycle, Status, Trigger
from retrainer.errors import CyclePostponed, CycleRunning, DatabaseError, LeaseLost, NothingToDo
from retrainer.ports import Lease
from retrainer.store.owner import busy, describe, is_dead
from retrainer.store.records import known, to_cycle
from retrainer.store.tables import assistants, cycles, requests, steps

#: Each needs another process to begin a cycle and end it between two of our statements.
_TRIES = 5
RUNNING = cycles.c.status == Status.RUNNING
#: The owner of a cycle that was given back.
NOBODY = ""


def take(
    connection: sa.Connection,
    wanted: Cycle,
    *,
    owner: str,
    until: datetime,
    now: datetime,
    asked: bool = False,
) -> Lease:
    """Start the cycle (whose number is not known yet), or take up the assistant's interrupted one.

    With `asked` only if a request is pending, whose trigger the cycle then has.

    Raises:
        CycleRunning: a live owner works on a cycle of the assistant.
        CyclePostponed: the assistant's cycle waits for its hour.
        NothingToDo: there is none to take up, and none is asked for.
    """
    for _ in range(_TRIES):
        row = _running(connection, wanted.assistant)
        if row is None:
            lease = _start(connection, wanted, owner, until, asked=asked)
            if lease is not None:
                return lease
        elif row["resume_at"] is not None and row["resume_at"] > now:
            raise CyclePostponed(
                f"cycle {row['number']} of {wanted.assistant} waits until "
                f"{row['resume_at']:%Y-%m-%d %H:%M} UTC, when its assistant may be changed",
                until=row["resume_at"],
            )
        elif is_free(row, now):
            return _take_up(connection, to_cycle(row), owner, until)
        else:
            raise _busy(connection, row, now)
    raise DatabaseError(f"no cycle of {wanted.assistant} could be begun in {_TRIES} tries")


def free(connection: sa.Connection, now: datetime) -> tuple[str, ...]:
    """Assistants with a cycle that could be taken up now."""
    rows = connection.execute(
        sa.select(cycles.c.assistant, cycles.c.owner, cycles.c.lease_until, cycles.c.resume_at)
        .where(RUNNING)
        .order_by(cycles.c.number)
    ).mappings()
    return tuple(
        row["assistant"]
        for row in rows
        if (row["resume_at"] is None or row["resume_at"] <= now) and is_free(row, now)
    )


def release(connection: sa.Connection, lease: Lease, step: str, resume_at: datetime | None) -> None:
    """Give the cycle back; the attempt at the step does not count.

    Raises:
        LeaseLost: another owner has the cycle.
    """
    require_running(connection, lease)
    number = lease.cycle.number
    connection.execute(
        sa.update(cycles).where(cycles.c.number == number).values(owner=NOBODY, resume_at=resume_at)
    )
    connection.execute(
        sa.update(steps)
        .where(steps.c.cycle == number, steps.c.name == step, steps.c.attempts > 1)
        .values(attempts=steps.c.attempts - 1)
    )


def postponed(connection: sa.Connection) -> dict[str, datetime]:
    """Assistants whose cycle waits for its hour, and until when it does."""
    query = sa.select(cycles.c.assistant, cycles.c.resume_at)
    rows = connection.execute(query.where(RUNNING, cycles.c.resume_at.is_not(None)))
    return {row.assistant: row.resume_at for row in rows}


def hasten(connection: sa.Connection, assistant: str, opens: datetime) -> None:
    """Let the assistant's waiting cycle go on at that moment, if that is earlier."""
    waits = sa.and_(RUNNING, cycles.c.assistant == assistant, cycles.c.resume_at > opens)
    connection.execute(sa.update(cycles).where(waits).values(resume_at=opens))


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
        if row["owner"] == NOBODY:
            raise LeaseLost(f"cycle {cycle.number} of {cycle.assistant} was given back")
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
    return _locked(connection, sa.and_(cycles.c.assistant == assistant, RUNNING))


def _locked(connection: sa.Connection, which: sa.ColumnElement[bool]) -> sa.RowMapping | None:
    # Without locking the key itself, which rows of other tables refer to.
    query = sa.select(cycles).where(which).with_for_update(key_share=True)
    return connection.execute(query).mappings().first()


def is_free(row: sa.RowMapping, now: datetime) -> bool:
    """Whether the running cycle's owner is gone, or has given it back."""
    owner: str = row["owner"]
    return owner == NOBODY or row["lease_until"] <= now or is_dead(owner)


def _start(
    connection: sa.Connection, wanted: Cycle, owner: str, until: datetime, *, asked: bool
) -> Lease | None:
    """None if another process was faster."""
    if asked and not _is_asked_for(connection, wanted.assistant):
        raise _nothing_to_do(wanted.assistant)
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
    begun = replace(wanted, number=number)
    return Lease(begun if wanted.dry_run else _answering(connection, begun, asked=asked), owner)


def _is_asked_for(connection: sa.Connection, assistant: str) -> bool:
    paused = sa.select(assistants.c.name).where(assistants.c.paused_at.is_not(None))
    pending = sa.select(requests.c.number).where(
        requests.c.assistant == assistant,
        requests.c.cycle.is_(None),
        requests.c.assistant.not_in(paused),  # maybe since it was found to be ready
    )
    return connection.scalar(pending.limit(1)) is not None


def _answering(connection: sa.Connection, begun: Cycle, *, asked: bool) -> Cycle:
    """Let the new cycle answer what is pending for its assistant.

    After the cycle's row was inserted, which only one process at a time can do: two that answered
    requests first could each wait for what the other one has locked.
    """
    answer = (
        sa.update(requests)
        .where(requests.c.assistant == begun.assistant, requests.c.cycle.is_(None))
        .values(cycle=begun.number)
        .returning(requests)
    )
    answered = sorted(connection.execute(answer), key=lambda request: request.number)
    if asked:
        if not answered:
            raise _nothing_to_do(begun.assistant)  # which takes the new row back
        force = begun.force or any(request.force for request in answered)
        begun = replace(begun, trigger=known(Trigger, answered[0].trigger), force=force)
    fire_time = max((r.fire_time for r in answered if r.fire_time is not None), default=None)
    if answered:
        connection.execute(
            sa.update(cycles)
            .where(cycles.c.number == begun.number)
            .values(trigger=begun.trigger, force=begun.force, fire_time=fire_time)
        )
    return begun


def _nothing_to_do(assistant: str) -> NothingToDo:
    return NothingToDo(f"no cycle of {assistant} is asked for")


def _take_up(connection: sa.Connection, cycle: Cycle, owner: str, until: datetime) -> Lease:
    connection.execute(
        sa.update(cycles)
        .where(cycles.c.number == cycle.number)
        .values(owner=owner, lease_until=until, resumed=cycle.resumed + 1, resume_at=None)
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
