"""The read side: what is going on now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from retrainer.domain.cycle import Cycle, Promotion
from retrainer.ports import Pause, Request
from retrainer.store import agenda, history, leases
from retrainer.store.engine import reading
from retrainer.store.history import HistoryRow
from retrainer.store.outbox import WAITING
from retrainer.store.owner import describe, is_dead
from retrainer.store.records import SUCCEEDED, to_cycle, to_promotion
from retrainer.store.tables import assistants, cycles, daemons, outbox, promotions, steps
from retrainer.store.tables import leases as lease_table

#: A daemon that was not seen for so long is taken for gone; it shows itself every few seconds.
_ALIVE_FOR = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """A `retrainer run`. `owner` names its process; `str(...)` of it is for people."""

    owner: str
    version: str
    started_at: datetime
    seen_at: datetime
    leads: bool
    alive: bool

    def __str__(self) -> str:
        return describe(self.owner)


@dataclass(frozen=True, slots=True)
class RunningCycle:
    """A cycle that has not ended.

    `owner` works on it (host and process id); None: nobody, it waits to be taken up, until
    `resume_at` at the earliest if that is set. `step` is its newest one, begun `step_since` for the
    `attempts`th time; None before the first.
    """

    cycle: Cycle
    owner: str | None
    lease_until: datetime
    resume_at: datetime | None
    step: str | None
    step_since: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class AssistantStatus:
    """An assistant that is enrolled, or has a cycle or a champion.

    `last` is its newest cycle that has ended; `last_success` when one ended last that was carried
    out or had nothing to do, dry runs apart; `champion` the newest row of the ledger.
    """

    name: str
    last: HistoryRow | None
    last_success: datetime | None
    champion: Promotion | None


@dataclass(frozen=True, slots=True)
class Outbox:
    """Notifications that wait: how many, and since when the oldest does."""

    waiting: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """What is going on. Daemons and cycles by age, assistants by name, oldest request first."""

    daemons: tuple[DaemonStatus, ...]
    running: tuple[RunningCycle, ...]
    pending: tuple[Request, ...]
    pauses: Mapping[str, Pause]
    assistants: tuple[AssistantStatus, ...]
    outbox: Outbox

    @property
    def leader(self) -> DaemonStatus | None:
        """The daemon that leads, if it is alive."""
        return next((daemon for daemon in self.daemons if daemon.leads and daemon.alive), None)


#: Before the first cycle: there is no database yet.
NOTHING = Status((), (), (), {}, (), Outbox(0, None))


def read_status(engine: sa.Engine, now: datetime) -> Status:
    """What is going on at `now` (aware), in one short transaction.

    Raises:
        DatabaseError: the database could not be used.
    """
    with reading(engine) as connection:
        return Status(
            daemons=_daemons(connection, now),
            running=_running(connection, now),
            pending=agenda.read_pending(connection),
            pauses=_pauses(connection),
            assistants=_assistants(connection),
            outbox=_outbox(connection),
        )


def _daemons(connection: sa.Connection, now: datetime) -> tuple[DaemonStatus, ...]:
    leader = connection.scalar(
        sa.select(lease_table.c.owner).where(
            lease_table.c.name == agenda.LEADER, lease_table.c.until > now
        )
    )
    rows = connection.execute(sa.select(daemons).order_by(daemons.c.started_at, daemons.c.owner))
    return tuple(
        DaemonStatus(
            **row,
            leads=row["owner"] == leader,
            alive=row["seen_at"] > now - _ALIVE_FOR and not is_dead(row["owner"]),
        )
        for row in rows.mappings()
    )


def _running(connection: sa.Connection, now: datetime) -> tuple[RunningCycle, ...]:
    query = sa.select(cycles).where(leases.RUNNING).order_by(cycles.c.number)
    rows = connection.execute(query).mappings().all()
    begun = sa.select(steps.c.cycle, steps.c.name, steps.c.started_at, steps.c.attempts).where(
        steps.c.cycle.in_([row["number"] for row in rows])
    )
    newest = {step.cycle: step for step in connection.execute(begun.order_by(steps.c.number))}

    def describe_row(row: sa.RowMapping) -> RunningCycle:
        step = newest.get(row["number"])
        return RunningCycle(
            cycle=to_cycle(row),
            owner=None if leases.is_free(row, now) else describe(row["owner"]),
            lease_until=row["lease_until"],
            resume_at=row["resume_at"],
            step=step.name if step else None,
            step_since=step.started_at if step else None,
            attempts=step.attempts if step else 0,
        )

    return tuple(map(describe_row, rows))


def _pauses(connection: sa.Connection) -> dict[str, Pause]:
    query = sa.select(assistants).where(assistants.c.paused_at.is_not(None))
    rows = connection.execute(query.order_by(assistants.c.name)).mappings()
    enrolled = map(agenda.to_enrolment, rows)
    return {known.assistant: known.pause for known in enrolled if known.pause is not None}


def _assistants(connection: sa.Connection) -> tuple[AssistantStatus, ...]:
    """Each assistant's newest rows, by a look into an index for each of them."""
    names = _names().subquery("known")

    def newest(column: sa.Column[Any], *conditions: sa.ColumnElement[bool]) -> Any:  # noqa: ANN401 - a subquery
        table = column.table
        query = sa.select(column).where(table.c.assistant == names.c.name, *conditions)
        return query.order_by(table.c.number.desc()).limit(1).scalar_subquery()

    query = sa.select(
        names.c.name,
        newest(cycles.c.number, cycles.c.ended_at.is_not(None)).label("last"),
        newest(cycles.c.ended_at, SUCCEEDED).label("last_success"),
        newest(promotions.c.number).label("champion"),
    )
    rows = connection.execute(query.where(names.c.name.is_not(None)).order_by(names.c.name)).all()
    ended = history.by_number(connection, [row.last for row in rows])
    champions = _promotions(connection, [row.champion for row in rows])
    return tuple(
        AssistantStatus(
            row.name, ended.get(row.last), row.last_success, champions.get(row.champion)
        )
        for row in rows
    )


def _names() -> sa.CompoundSelect[Any]:
    """All assistants' names; a list of them ends with NULL."""
    return sa.union(
        sa.select(assistants.c.name),
        sa.select(_distinct(cycles).c.name),
        sa.select(_distinct(promotions).c.name),
    )


def _distinct(table: sa.Table) -> sa.CTE:
    """The assistants in a table, by leaps in its index: there are many rows, and few of them."""
    column = table.c.assistant
    first = sa.select(sa.func.min(column).label("name"))
    found = first.cte(f"in_{table.name}", recursive=True)
    following = sa.select(sa.func.min(column)).where(column > found.c.name).scalar_subquery()
    return found.union_all(sa.select(following).where(found.c.name.is_not(None)))


def _promotions(
    connection: sa.Connection, numbers: Iterable[int | None]
) -> dict[int | None, Promotion]:
    query = sa.select(promotions).where(promotions.c.number.in_([n for n in numbers if n]))
    rows = connection.execute(query).mappings()
    return {row["number"]: to_promotion(row) for row in rows}


def _outbox(connection: sa.Connection) -> Outbox:
    query = sa.select(sa.func.count(), sa.func.min(outbox.c.created_at)).where(WAITING)
    waiting, oldest = connection.execute(query).one()
    return Outbox(waiting, oldest)
