"""What is to be done: requests for cycles, pauses, and which daemon leads."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from retrainer.domain.cycle import Status, Trigger
from retrainer.errors import AssistantPaused, DatabaseError
from retrainer.ports import Clock, DataSeen, Enrolment, Pause, Request
from retrainer.store import leases
from retrainer.store.engine import reading, writing
from retrainer.store.owner import is_dead
from retrainer.store.records import known
from retrainer.store.tables import assistants, cycles, daemons, requests
from retrainer.store.tables import leases as lease_table

#: The lease that the leading daemon holds.
LEADER = "leader"
#: Daemons that were not seen for so long are forgotten.
_FORGOTTEN_AFTER = timedelta(days=1)


class SqlAgenda:
    """The agenda, in SQLite or PostgreSQL. Every method may raise DatabaseError."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def enrol(self, assistant: str, schedule: str) -> Enrolment:
        """Remember the assistant and its schedule; again: nothing."""
        with writing(self._engine) as connection:
            found = self._known(connection, assistant)
            if found["schedule"] != schedule:
                self._change(connection, assistant, schedule=schedule, due_after=self._clock.now())
            return to_enrolment(self._known(connection, assistant))

    def enrolments(self) -> tuple[Enrolment, ...]:
        """All assistants that were ever enrolled, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(assistants).order_by(assistants.c.name)).mappings()
            return tuple(map(to_enrolment, rows))

    def ask(
        self, assistant: str, trigger: Trigger, *, by: str, note: str = "", force: bool = False
    ) -> Request:
        """Ask for a cycle."""
        with writing(self._engine) as connection:
            paused = to_enrolment(self._known(connection, assistant)).pause
            if paused is not None:
                why = f": {paused.reason}" if paused.reason else ""
                raise AssistantPaused(
                    f"{assistant} is paused since {paused.at:%Y-%m-%d %H:%M} UTC "
                    f"by {paused.by}{why}",
                    tip=f"retrainer resume {assistant}",
                )
            return self._insert(connection, assistant, trigger, asked_by=by, note=note, force=force)

    def tick(self, assistant: str, fire_time: datetime, *, by: str) -> Request | None:
        """Ask for the cycle of a fire time, and settle the ones before it."""
        with writing(self._engine) as connection:
            found = to_enrolment(self._known(connection, assistant))
            if found.pause is not None or fire_time <= found.due_after:
                return None
            self._change(connection, assistant, due_after=fire_time)
            taken = connection.scalar(
                sa.select(requests.c.number).where(
                    requests.c.assistant == assistant, requests.c.fire_time == fire_time
                )
            )
            if taken is not None:  # of a schedule, or a clock, that was changed and changed back
                return None
            return self._insert(
                connection, assistant, Trigger.SCHEDULE, asked_by=by, fire_time=fire_time
            )

    def unsettle(self, assistant: str) -> Enrolment:
        """Take back that fire times to come are settled; again: nothing."""
        with writing(self._engine) as connection:
            now = self._clock.now()
            if to_enrolment(self._known(connection, assistant)).due_after > now:
                self._change(connection, assistant, due_after=now)
            return to_enrolment(self._known(connection, assistant))

    def new_data(
        self, assistant: str, seen: DataSeen, *, before: DataSeen | None, by: str, note: str
    ) -> Request | None:
        """Remember what the source shows, and ask for a cycle of it."""
        with writing(self._engine) as connection:
            found = to_enrolment(self._known(connection, assistant))
            if found.data != before or found.pause is not None:
                return None
            self._change(connection, assistant, data_token=seen.token, data_examples=seen.examples)
            if before is None:
                return None
            return self._insert(connection, assistant, Trigger.DATA, asked_by=by, note=note)

    def pending(self) -> tuple[Request, ...]:
        """What no cycle has answered yet, oldest first."""
        with reading(self._engine) as connection:
            return read_pending(connection)

    def ready(self) -> tuple[str, ...]:
        """Assistants whose next cycle may begin now, in the order in which they should."""
        at_work = sa.select(cycles.c.assistant).where(cycles.c.status == Status.RUNNING)
        paused = sa.select(assistants.c.name).where(assistants.c.paused_at.is_not(None))
        waiting = (
            sa.select(requests.c.assistant)
            .where(
                requests.c.cycle.is_(None),
                requests.c.assistant.not_in(at_work),
                requests.c.assistant.not_in(paused),
            )
            .order_by(requests.c.number)
        )
        with reading(self._engine) as connection:
            interrupted = leases.free(connection, self._clock.now())
            return tuple(dict.fromkeys([*interrupted, *connection.scalars(waiting)]))

    def postponed(self) -> Mapping[str, datetime]:
        """Assistants whose cycle waits for an hour to promote in, and until when it does."""
        with reading(self._engine) as connection:
            return leases.postponed(connection)

    def hasten(self, assistant: str, opens: datetime) -> None:
        """Let a cycle of it that waits go on at this moment, if that is earlier."""
        with writing(self._engine) as connection:
            leases.hasten(connection, assistant, opens)

    def pause(self, assistant: str, *, by: str, reason: str) -> Enrolment:
        """Begin no cycles of it any more; again: the first pause stands."""
        with writing(self._engine) as connection:
            if self._known(connection, assistant)["paused_at"] is None:
                now = self._clock.now()
                self._change(
                    connection, assistant, paused_at=now, paused_by=by, pause_reason=reason
                )
            return to_enrolment(self._known(connection, assistant))

    def resume(self, assistant: str) -> Enrolment:
        """Begin cycles of it again; fire times of the pause are not owed. Again: nothing."""
        with writing(self._engine) as connection:
            if self._known(connection, assistant)["paused_at"] is not None:
                now = self._clock.now()
                self._change(
                    connection,
                    assistant,
                    due_after=now,
                    paused_at=None,
                    paused_by=None,
                    pause_reason=None,
                )
            return to_enrolment(self._known(connection, assistant))

    def check_in(self, owner: str, version: str, *, lease: timedelta) -> str:
        """Say that this daemon is alive, and lead if nobody does; returns the owner that leads."""
        with writing(self._engine) as connection:
            now = self._clock.now()
            # First of all: it locks the lease's row, so that daemons check in one after the other.
            leader = self._lead(connection, owner, now + lease, now)
            seen = sa.update(daemons).where(daemons.c.owner == owner).values(seen_at=now)
            if not connection.execute(seen).rowcount:
                row = {"owner": owner, "version": version, "started_at": now, "seen_at": now}
                connection.execute(sa.insert(daemons), row)
            self._forget_the_dead(connection, now)
            return leader

    def check_out(self, owner: str) -> None:
        """Say that this daemon ends; another one may lead at once."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(lease_table).where(lease_table.c.owner == owner))
            connection.execute(sa.delete(daemons).where(daemons.c.owner == owner))

    def _lead(self, connection: sa.Connection, owner: str, until: datetime, now: datetime) -> str:
        """Take or keep the leader's lease if it is to be had; who has it then."""
        mine = {"owner": owner, "until": until}
        of_leader = lease_table.c.name == LEADER

        def read() -> sa.RowMapping | None:
            query = sa.select(lease_table).where(of_leader).with_for_update()
            return connection.execute(query).mappings().first()

        held = read()
        if held is None:
            held = _insert_or_find(
                connection, sa.insert(lease_table).values(name=LEADER, **mine), read
            )
        if held["owner"] == owner or held["until"] <= now or is_dead(held["owner"]):
            connection.execute(sa.update(lease_table).where(of_leader).values(**mine))
            return owner
        leader: str = held["owner"]
        return leader

    def _forget_the_dead(self, connection: sa.Connection, now: datetime) -> None:
        rows = connection.execute(sa.select(daemons.c.owner, daemons.c.seen_at)).all()
        for row in rows:
            if is_dead(row.owner) or row.seen_at < now - _FORGOTTEN_AFTER:
                connection.execute(sa.delete(daemons).where(daemons.c.owner == row.owner))

    def _known(self, connection: sa.Connection, assistant: str) -> sa.RowMapping:
        """The assistant's row, locked; made if there is none."""

        def read() -> sa.RowMapping | None:
            query = sa.select(assistants).where(assistants.c.name == assistant).with_for_update()
            return connection.execute(query).mappings().first()

        new = sa.insert(assistants).values(name=assistant, schedule="", due_after=self._clock.now())
        return read() or _insert_or_find(connection, new, read)

    def _change(self, connection: sa.Connection, assistant: str, **values: object) -> None:
        connection.execute(
            sa.update(assistants).where(assistants.c.name == assistant).values(**values)
        )

    def _insert(
        self,
        connection: sa.Connection,
        assistant: str,
        trigger: Trigger,
        **values: Any,  # noqa: ANN401 - columns
    ) -> Request:
        new = sa.insert(requests).values(
            assistant=assistant,
            trigger=trigger,
            asked_at=self._clock.now(),
            **({"note": "", "force": False} | values),
        )
        return _request(connection.execute(new.returning(requests)).mappings().one())


def read_request(connection: sa.Connection, number: int) -> Request | None:
    """The request of this number; None if there is none."""
    query = sa.select(requests).where(requests.c.number == number)
    row = connection.execute(query).mappings().first()
    return None if row is None else _request(row)


def read_pending(connection: sa.Connection) -> tuple[Request, ...]:
    """What no cycle has answered yet, oldest first."""
    query = sa.select(requests).where(requests.c.cycle.is_(None)).order_by(requests.c.number)
    return tuple(map(_request, connection.execute(query).mappings()))


def to_enrolment(row: sa.RowMapping) -> Enrolment:
    """The enrolment of a row of `assistants`."""
    pause = None
    if row["paused_at"] is not None:
        pause = Pause(row["paused_at"], row["paused_by"], row["pause_reason"])
    data = None
    if row["data_token"] is not None:
        data = DataSeen(row["data_token"], row["data_examples"])
    return Enrolment(row["name"], row["schedule"], row["due_after"], pause, data)


def _insert_or_find(
    connection: sa.Connection, new: sa.Insert, read: Callable[[], sa.RowMapping | None]
) -> sa.RowMapping:
    """Insert a row, unless another process was faster; the row that is there then."""
    try:
        with connection.begin_nested():
            connection.execute(new)
    except sa.exc.IntegrityError:
        pass
    found = read()
    if found is None:
        raise DatabaseError("a row is gone right after it was inserted; try again")
    return found


def _request(row: sa.RowMapping) -> Request:
    return Request(
        number=row["number"],
        assistant=row["assistant"],
        trigger=known(Trigger, row["trigger"]),
        asked_at=row["asked_at"],
        asked_by=row["asked_by"],
        note=row["note"],
        fire_time=row["fire_time"],
        force=row["force"],
        cycle=row["cycle"],
    )
