"""Old cycles are deleted, and what is still needed stays."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from contract.run_store_contract import DECIDED, begin, promotion, run_step
from support.databases import DIALECTS, engine_of

from retrainer.domain.cycle import State, Status, Trigger
from retrainer.ports import Answer
from retrainer.store import forgetting, history
from retrainer.store.agenda import SqlAgenda
from retrainer.store.approvals import SqlApprovals
from retrainer.store.engine import reading, writing
from retrainer.store.run_store import SqlRunStore
from retrainer.store.tables import cycles, metadata, steps
from retrainer.testing.clock import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = START + timedelta(days=1)


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database with the schema."""
    with engine_of(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    """The time of the store."""
    return FakeClock(START)


@pytest.fixture
def store(engine: sa.Engine, clock: FakeClock) -> SqlRunStore:
    """A store on the database."""
    return SqlRunStore(engine, clock)


def run_cycle(
    store: SqlRunStore,
    assistant: str = "helpdesk",
    status: Status = Status.COMPLETED,
    *,
    tell: tuple[str, ...] = (),
    **changes: object,
) -> int:
    """A whole cycle of one step; returns its number."""
    lease = begin(store, assistant)
    state = State(**changes) if changes else DECIDED
    run_step(store, lease, "pull", State(), state)
    store.finish(lease, status, notifiers=tell)
    return lease.cycle.number


def left(engine: sa.Engine) -> list[int]:
    """The cycles that are still there, oldest first."""
    return sorted(row.cycle.number for row in history.list_cycles(engine, limit=1000))


def rows(engine: sa.Engine) -> dict[str, int]:
    """How many rows each table has."""
    with reading(engine) as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in metadata.sorted_tables
        }


def test_a_cycle_goes_with_all_of_it(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """Steps, checks, notifications, requests and answers of a deleted cycle are deleted too."""
    agenda = SqlAgenda(engine, clock)
    agenda.ask("helpdesk", Trigger.HOOK, by="git")
    agenda.check_in("elsewhere/boot/1/1/1", "1", lease=HOUR)
    old = run_cycle(store, tell=("slack",))
    (told,) = store.due_notifications()
    store.delivered(told.number)
    SqlApprovals(engine).give(Answer(old, approved=False, actor="ann", reason="no", at=START))
    clock.advance(HOUR)
    new = run_cycle(store)
    waiting = agenda.ask("helpdesk", Trigger.HOOK, by="git")
    assert store.forget(START + HOUR / 2) == 1
    assert left(engine) == [new]
    assert agenda.pending() == (waiting,)
    kept = {"cycles": 1, "steps": 1, "checks": 3, "requests": 1, "assistants": 1, "leases": 1}
    assert rows(engine) == dict.fromkeys(metadata.tables, 0) | kept
    assert store.forget(START + HOUR / 2) == 0


def test_what_is_needed_stays(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """However old: what changed the champion, what runs, what people were not told of."""
    promoted = run_cycle(store)
    store.record_promotion(replace(promotion("m"), cycle=promoted))
    untold = run_cycle(store, tell=("slack",))
    gone = run_cycle(store)
    concluded = run_cycle(store, fingerprint="f")
    same = run_cycle(store, status=Status.SKIPPED, fingerprint="f", same_as=concluded)
    failed = run_cycle(store, status=Status.FAILED)
    others = run_cycle(store, "other", Status.FAILED)
    running = begin(store, "other").cycle.number
    clock.advance(10 * HOUR)
    assert store.forget(clock.now()) == 3
    assert left(engine) == [promoted, untold, concluded, same, running]
    assert {gone, failed, others}.isdisjoint(left(engine))
    assert store.last_with("helpdesk", "f") == concluded
    assert [due.report.cycle.number for due in store.due_notifications()] == [untold]


def test_the_moment_itself_stays(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """What began at that moment or later is not old."""
    numbers = []
    for _ in range(4):
        numbers.append(run_cycle(store))
        clock.advance(HOUR)
    assert store.forget(START + 2 * HOUR) == 2
    assert left(engine) == numbers[2:]


def fill(engine: sa.Engine, how_many: int) -> None:
    """So many ended cycles of two assistants, a minute apart."""
    row = {"trigger": "schedule", "dry_run": False, "force": False, "owner": "x", "resumed": 0}
    ended = [
        row
        | {
            "assistant": f"assistant-{n % 2}",
            "status": "completed",
            "started_at": START + timedelta(minutes=n),
            "ended_at": START,
            "lease_until": START,
            "promoted": False,
        }
        for n in range(how_many)
    ]
    step = {"attempts": 1, "started_at": START, "status": "done", "name": "pull"}
    with writing(engine) as connection:
        connection.execute(sa.insert(cycles), ended)
        numbers = connection.scalars(sa.select(cycles.c.number)).all()
        connection.execute(sa.insert(steps), [step | {"cycle": number} for number in numbers])


def test_many_are_deleted_in_short_transactions(engine: sa.Engine, store: SqlRunStore):
    """While a thousand are deleted, another one begins cycles without waiting for the end."""
    fill(engine, 1000)
    another = SqlRunStore(engine, FakeClock(LATER))
    begun: list[int] = []
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            begun.append(run_cycle(another))

    thread = threading.Thread(target=work)
    transactions: list[int] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_rest) -> None:
        if statement.startswith("DELETE FROM cycles"):
            transactions.append(len(begun))

    thread.start()
    try:
        assert store.forget(LATER) == 998, "the newest concluded one of each assistant stays"
    finally:
        over.set()
        thread.join(60)
    assert len(transactions) == 1000 / forgetting._AT_ONCE
    assert len(begun) > 1
    assert transactions[-1] > transactions[0], "others got their turn between two of them"
    assert rows(engine)["cycles"] == 2 + len(begun)
    assert rows(engine)["steps"] == 2 + len(begun)


def test_a_deletion_that_is_cut_off_goes_on(engine: sa.Engine, store: SqlRunStore):
    """Each transaction is whole: after a crash in the middle no half of a cycle is left."""
    fill(engine, 450)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def fail(_connection, _cursor, statement, *_rest) -> None:
        if statement.startswith("DELETE FROM cycles") and rows(engine)["cycles"] < 450:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.forget(LATER)
    sa.event.remove(engine, "before_cursor_execute", fail)
    assert rows(engine)["cycles"] == rows(engine)["steps"] == 250
    assert store.forget(LATER) == 248
    assert rows(engine)["steps"] == 2
