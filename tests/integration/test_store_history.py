"""What the history shows, and that it stays fast."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from contract.run_store_contract import DECIDED, NASTY, PULLED, begin, promotion, run_step
from support.databases import DIALECTS, engine_of

from retrainer.domain.cycle import State, Status
from retrainer.domain.verdict import Outcome
from retrainer.errors import CycleNotFound, SchemaError
from retrainer.store import history
from retrainer.store.agenda import SqlAgenda
from retrainer.store.engine import reading, writing
from retrainer.store.run_store import SqlRunStore
from retrainer.store.status import read_status
from retrainer.store.tables import checks, cycles, outbox, promotions, requests, steps
from retrainer.testing.clock import FakeClock

MANY = 20_000
START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


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
    clock: FakeClock,
    assistant: str = "helpdesk",
    state: State = DECIDED,
    status: Status = Status.COMPLETED,
) -> int:
    """A cycle of one step that takes a minute; the next starts an hour later."""
    lease = begin(store, assistant)
    run_step(store, lease, "pull", State(), state)
    clock.advance(MINUTE)
    store.finish(lease, status, notifiers=(), error=NASTY, tip="tip", failed_step="pull")
    clock.advance(60 * MINUTE)
    return lease.cycle.number


def numbers(rows: object) -> list[int]:
    """Which cycles."""
    return [row.cycle.number for row in rows]


def test_a_row_sums_the_cycle_up(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """One line holds verdict, F1 of both models, test size, models, inputs and errors."""
    promoted = replace(DECIDED, promoted=("champion", "new"), confirmed=True)
    run_cycle(store, clock, state=promoted)
    (row,) = history.list_cycles(engine)
    assert (row.cycle.status, row.duration) == (Status.COMPLETED, MINUTE)
    assert (row.verdict, row.f1_champion, row.f1_challenger) == (Outcome.REJECT, 0.8, 0.9)
    assert (row.examples, row.promoted, row.same_as) == (100, True, None)
    assert (row.champion, row.challenger) == ("champion", DECIDED.model.name)
    assert (row.snapshot, row.origin) == ("d" * 64, "directory")
    assert (row.error, row.tip, row.failed_step) == (NASTY.replace("\0", "?"), "tip", "pull")


def test_a_running_cycle_is_listed(engine: sa.Engine, store: SqlRunStore):
    """What is not known yet is None."""
    begin(store)
    (row,) = history.list_cycles(engine)
    assert row.cycle.status is Status.RUNNING
    assert (row.ended_at, row.duration, row.verdict, row.promoted) == (None, None, None, False)


def test_an_unconfirmed_promotion_is_none(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """A promotion that was undone, because the model did not serve, is not listed as one."""
    run_cycle(store, clock, state=replace(DECIDED, promoted=(None, "new")), status=Status.FAILED)
    assert not history.list_cycles(engine)[0].promoted


def test_filters(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """Newest first; each filter alone and all of them together."""
    first = run_cycle(store, clock)
    second = run_cycle(store, clock, "other", PULLED, Status.FAILED)
    third = run_cycle(store, clock, status=Status.ABANDONED)
    listed: Callable[..., list[int]] = lambda **f: numbers(history.list_cycles(engine, **f))  # noqa: E731
    assert listed() == [third, second, first]
    assert listed(limit=2) == [third, second]
    assert listed(assistant="other") == [second]
    assert listed(status=Status.ABANDONED) == [third]
    assert listed(verdict=Outcome.REJECT) == [third, first]
    later = START + 61 * MINUTE
    assert listed(since=later) == [third, second]
    assert listed(until=later) == [first]
    assert listed(since=later, until=START + 2 * 61 * MINUTE) == [second]
    everything = {"assistant": "helpdesk", "status": Status.COMPLETED, "verdict": Outcome.REJECT}
    assert listed(**everything, since=START, until=later) == [first]


def test_details_hold_everything(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """The report as it was told, each step's attempts and times, and the promotions made."""
    lease = begin(store)
    store.step_started(lease, "pull")
    store.step_failed(lease, "pull", "no network")
    clock.advance(MINUTE)
    store.step_started(lease, "pull")
    clock.advance(MINUTE)
    made = replace(promotion("new"), cycle=lease.cycle.number)
    store.step_done(lease, "pull", State(), DECIDED, made)
    store.step_started(lease, "sweep")
    store.step_failed(lease, "sweep", "disk full")
    report = store.finish(lease, Status.FAILED, notifiers=(), error="disk full")
    details = history.get(engine, str(lease.cycle.number))
    assert details.report == report
    assert details.report.state == DECIDED
    assert details.promotions == (made,)
    pull, sweep = details.steps
    assert (pull.name, pull.status, pull.attempts, pull.error) == ("pull", "done", 2, None)
    assert (pull.started_at, pull.ended_at) == (START + MINUTE, START + 2 * MINUTE)
    assert (sweep.status, sweep.attempts, sweep.error) == ("failed", 1, "disk full")


def test_checks_are_rows(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """Each check can be asked for in SQL; a figure that is no number is NULL."""
    number = run_cycle(store, clock)
    with reading(engine) as connection:
        rows = connection.execute(sa.select(checks).order_by(checks.c.position)).all()
    assert [(r.cycle, r.rule, r.outcome, r.observed, r.limit, r.blocking) for r in rows] == [
        (number, "gain", "promote", 0.9, 0.8, True),
        (number, "must_pass", "reject", None, 0.0, True),
        (number, "drop", None, None, None, False),
    ]
    assert rows[1].details == [NASTY, "b"]


def test_a_cycle_by_any_name(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """By number, by challenger, or the latest."""
    first, second = run_cycle(store, clock), run_cycle(store, clock, "other")
    challenger = history.get(engine, str(first)).report.cycle.challenger
    for reference, number in ((str(first), first), (challenger, first), ("latest", second)):
        assert history.get(engine, reference).report.cycle.number == number


@pytest.mark.parametrize(
    "reference",
    ["2", "0", "-1", "x", "", "helpdesk-20260101-000001-1", "x-1", "9" * 40, "²", "latest "],
)
def test_a_cycle_that_is_not_there(
    engine: sa.Engine, store: SqlRunStore, clock: FakeClock, reference
):
    """Anything else is named, with how to find the right one."""
    run_cycle(store, clock)
    with pytest.raises(CycleNotFound, match="there is no cycle") as caught:
        history.get(engine, reference)
    assert "history" in caught.value.tip


def test_no_cycle_yet(engine: sa.Engine):
    """The latest of none says how to start one."""
    with pytest.raises(CycleNotFound, match="no cycle yet"):
        history.get(engine, "latest")
    assert history.list_cycles(engine) == ()


def test_a_row_of_a_newer_version_is_refused(
    engine: sa.Engine, store: SqlRunStore, clock: FakeClock
):
    """Unknown words in a row are an error that says so, not a crash."""
    number = run_cycle(store, clock)
    with writing(engine) as connection:
        connection.execute(sa.update(cycles).values(verdict="perhaps"))
    with pytest.raises(SchemaError, match="the outcome 'perhaps', known are promote, hold, reject"):
        history.list_cycles(engine)
    with writing(engine) as connection:
        connection.execute(sa.update(steps).values(state={"mood": "good"}))
    with pytest.raises(SchemaError, match=f"cycle {number} cannot be read: mood"):
        history.get(engine, "latest")


def fill(engine: sa.Engine) -> None:
    """Many ended cycles of ten assistants, with all that belongs to them, and fresh statistics."""
    row = {"trigger": "schedule", "dry_run": False, "force": False, "owner": "x", "resumed": 0}
    ended = [
        row
        | {
            "assistant": f"assistant-{n % 10}",
            "status": "failed" if n % 1000 == 0 else "completed",
            "verdict": "hold" if n % 1000 == 1 else "reject",
            "started_at": START + n * MINUTE,
            "ended_at": START + n * MINUTE,
            "lease_until": START,
            "fingerprint": "f",
            "promoted": False,
        }
        for n in range(1, MANY + 1)
    ]
    numbers = range(1, MANY + 1)
    of_assistant = [{"assistant": f"assistant-{n % 10}", "cycle": n} for n in numbers]
    moment = {"attempts": 1, "started_at": START, "status": "done", "name": "pull"}
    promoted = {"reason": "gate", "actor": "x", "at": START, "note": "", "model": "m"}
    sent = {"notifier": "slack", "created_at": START, "attempts": 1, "next_attempt_at": START}
    asked = {"trigger": "hook", "asked_at": START, "asked_by": "x", "note": "", "force": False}
    with writing(engine) as connection:
        connection.execute(sa.insert(cycles), ended)
        connection.execute(sa.insert(steps), [moment | {"cycle": n} for n in numbers])
        connection.execute(sa.insert(promotions), [promoted | of for of in of_assistant])
        connection.execute(
            sa.insert(outbox), [sent | {"cycle": n, "delivered_at": START} for n in numbers]
        )
        connection.execute(
            sa.insert(requests),
            [asked | of | {"fire_time": START + of["cycle"] * MINUTE} for of in of_assistant],
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


@contextmanager
def plans(engine: sa.Engine) -> Iterator[dict[str, str]]:
    """How the database answers what is asked inside, by statement."""
    asked: list[tuple[str, object]] = []
    found: dict[str, str] = {}

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, *_rest) -> None:
        if statement.split()[0] in {"SELECT", "WITH", "UPDATE", "DELETE"}:
            asked.append((statement, parameters))

    yield found
    sa.event.remove(engine, "before_cursor_execute", note)
    word = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    for statement, parameters in asked:
        if "set_config" not in statement:
            with reading(engine) as connection:
                rows = connection.exec_driver_sql(f"{word} {statement}", parameters).all()
            found[statement] = "\n".join(str(row[-1]) for row in rows)


#: Tables that grow with every cycle.
GROWING = ("cycles", "steps", "checks", "promotions", "outbox", "requests")
#: Indexes of few rows, and the one that leads from the newest cycle on, which a LIMIT ends.
FEW, NEWEST = {"ix_requests_pending", "ix_outbox_waiting"}, "ix_cycles_started_at_number"


def require_index(engine: sa.Engine, statement: str, plan: str) -> None:
    """Make sure that no table that grows is read, or sorted, as a whole."""
    for line in plan.splitlines():
        if engine.dialect.name == "sqlite":
            scan = re.match(rf"SCAN ({'|'.join(GROWING)})\b(?:.* INDEX (\w+))?", line)
            allowed = FEW | ({NEWEST} if "LIMIT" in statement else set())
            if "LIMIT" in statement and "WHERE" not in statement:
                allowed |= {None}  # the newest rows of the table itself
            assert scan is None or scan[2] in allowed, f"{statement}\n{plan}"
        else:
            scan = re.search(rf"Seq Scan on ({'|'.join(GROWING)})\b", line)
            assert scan is None, f"{statement}\n{plan}"


@pytest.fixture(scope="module", params=DIALECTS)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Engine]:
    """A database with 20,000 cycles."""
    with engine_of(request.param, tmp_path_factory.mktemp("filled")) as made:
        fill(made)
        yield made


ONE = "assistant-3"
FILTERS = (
    {},
    {"assistant": ONE},
    {"status": Status.FAILED},
    {"status": Status.COMPLETED},
    {"verdict": Outcome.HOLD},
    {"verdict": Outcome.REJECT, "status": Status.FAILED},
    {"assistant": ONE, "status": Status.FAILED},
    {"assistant": ONE, "verdict": Outcome.HOLD},
)


@pytest.mark.parametrize("bounds", [{}, {"since": START}, {"until": START + 100 * MINUTE}])
def test_every_list_uses_an_index(filled: sa.Engine, bounds: dict):
    """With 20,000 cycles no way to list the history reads or sorts them all."""
    with plans(filled) as found:
        for filters in FILTERS:
            history.list_cycles(filled, **filters, **bounds)
    assert len(found) == len(FILTERS) - 1, "two of them differ in their values alone"
    for statement, plan in found.items():
        require_index(filled, statement, plan)
        assert "TEMP B-TREE" not in plan, plan


def test_every_frequent_query_uses_an_index(filled: sa.Engine):
    """With 20,000 cycles no query of a cycle, a daemon or a command reads a whole table."""
    store, agenda = SqlRunStore(filled, FakeClock(START)), SqlAgenda(filled, FakeClock(START))
    with plans(filled) as found:
        assert history.get(filled, "latest").report.cycle.number >= MANY
        assert history.get(filled, "7").promotions
        assert history.made_by(filled, ["m-7"]) == {}
        assert history.list_promotions(filled)
        assert history.list_promotions(filled, assistant=ONE)
        assert store.last_with(ONE, "f")
        assert store.promotions(ONE, 2)
        assert store.due_notifications() == ()
        agenda.enrol("new", "every hour")
        agenda.tick("new", START + MINUTE, by="schedule")
        agenda.check_in("elsewhere/boot/1/1/1", "1", lease=MINUTE)
        assert agenda.ready() == ("new",)
        assert [known.assistant for known in agenda.enrolments()] == ["new"]
        assert len(read_status(filled, START).assistants) == 11
        lease = begin(store, "new", trigger=None)
        run_step(store, lease, "pull", State(), DECIDED)
        store.renew(lease, MINUTE)
        store.load(lease.cycle)
        assert len(read_status(filled, START).running) == 1
        store.finish(lease, Status.COMPLETED, notifiers=("slack",))
        (due,) = store.due_notifications()
        store.not_delivered(due.number, "down", None)
        store.delivered(due.number)
        assert agenda.pending() == ()
        assert store.forget(START + 50 * MINUTE) == 0, "all of them changed the champion"
        agenda.check_out("elsewhere/boot/1/1/1")
    assert len(found) > 40
    for statement, plan in found.items():
        require_index(filled, statement, plan)


def test_the_command_line_stays_light():
    """Listing the history imports neither Alembic nor numpy."""
    code = (
        "import sys, retrainer.store.history;"
        "print(sorted({'alembic', 'numpy', 'scipy', 'psycopg'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_ledger_of_all_or_of_one(engine: sa.Engine, store: SqlRunStore):
    """Changes of the champion are listed newest first, of every assistant unless one is named."""
    for assistant, model in (("a", "a-1"), ("b", "b-1"), ("a", "a-2"), ("a", "a-3")):
        store.record_promotion(replace(promotion(model), assistant=assistant))
    models = [row.model for row in history.list_promotions(engine)]
    assert models == ["a-3", "a-2", "b-1", "a-1"]
    assert [row.model for row in history.list_promotions(engine, assistant="a", limit=2)] == [
        "a-3",
        "a-2",
    ]


def test_the_cycle_that_made_a_model(engine: sa.Engine, store: SqlRunStore, clock: FakeClock):
    """A model is traced to its cycle by name; one that no cycle made is left out."""
    number = run_cycle(store, clock)
    begin(store, "other")
    made = history.made_by(engine, [DECIDED.model.name, "from elsewhere"])
    assert {name: row.cycle.number for name, row in made.items()} == {DECIDED.model.name: number}
    assert history.made_by(engine, []) == {}
