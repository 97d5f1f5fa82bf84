"""Counting cycles as they end, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from contract.run_store_contract import DECIDED, begin, finish
from support.databases import DIALECTS, engine_of

from retrainer.domain.cycle import State, Status
from retrainer.store.engine import reading, writing
from retrainer.store.run_store import SqlRunStore
from retrainer.store.tables import cycles
from retrainer.store.tallies import EndedCycles, champion_f1
from retrainer.testing.clock import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    with engine_of(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def store(engine: sa.Engine, clock: FakeClock) -> SqlRunStore:
    return SqlRunStore(engine, clock)


def numbers(found) -> list[int]:
    return [cycle.number for cycle in found]


def row(number: int, status: str, **more) -> dict[str, object]:
    """A cycle as it stands in the table."""
    fixed = {
        "number": number,
        "assistant": f"a{number}" if status == "running" else "helpdesk",
        "trigger": "manual",
        "status": status,
        "dry_run": False,
        "force": False,
        "started_at": START,
        "ended_at": None if status == "running" else START,
        "owner": "",
        "lease_until": START,
        "resumed": 0,
        "promoted": False,
    }
    return fixed | more


def insert(engine: sa.Engine, *rows: dict[str, object]) -> None:
    with writing(engine) as connection:
        for keys in {tuple(one) for one in rows}:  # many at once have to have the same columns
            same = [one for one in rows if tuple(one) == keys]
            connection.execute(sa.insert(cycles), same)


def test_each_cycle_is_told_of_once_when_it_has_ended(engine, store, clock):
    """With how it ended and how long each step worked; what had ended before is not told of."""
    finish(store, begin(store), verdict=DECIDED.verdict)
    ended = EndedCycles()
    assert ended.read(engine) == ()
    running, other = begin(store), begin(store, "shop")
    assert ended.read(engine) == ()
    store.step_started(running, "pull")
    clock.advance(timedelta(seconds=90))
    store.step_done(running, "pull", State(), DECIDED)
    store.step_started(running, "train")
    clock.advance(timedelta(seconds=5))
    store.step_failed(running, "train", "no memory")
    store.finish(running, Status.FAILED, notifiers=())
    (told,) = ended.read(engine)
    assert (told.assistant, told.status, told.verdict) == ("helpdesk", "failed", "reject")
    assert told.steps == (("pull", 90.0), ("train", 5.0))
    store.finish(other, Status.ABANDONED, notifiers=())
    finish(store, begin(store))
    assert [(c.number, c.status) for c in ended.read(engine)] == [
        (3, "abandoned"),
        (4, "completed"),
    ]
    assert ended.read(engine) == ()


def test_a_cycle_that_ran_at_the_first_look_is_told_of(engine, store):
    """However many began after it."""
    long = begin(store)
    ended = EndedCycles()
    ended.read(engine)
    insert(engine, *(row(number, "completed") for number in range(2, 400)))
    assert len(ended.read(engine)) == 398
    finish(store, long)
    assert numbers(ended.read(engine)) == [1]
    assert ended.read(engine) == ()


def test_a_lower_number_that_shows_up_late_is_told_of(engine):
    """On PostgreSQL a cycle's number is given out before the cycle can be seen."""
    insert(engine, row(1, "completed"))
    ended = EndedCycles()
    ended.read(engine)
    insert(engine, row(3, "completed"))
    assert numbers(ended.read(engine)) == [3]
    insert(engine, row(2, "completed"))
    assert numbers(ended.read(engine)) == [2]
    assert ended.read(engine) == ()


def test_deleted_cycles_take_nothing_away(engine, store):
    """The retention of the history is not a cycle that ended, nor one less."""
    for _ in range(3):
        finish(store, begin(store))
    ended = EndedCycles()
    ended.read(engine)
    insert(engine, row(10, "completed"))
    with writing(engine) as connection:
        connection.execute(sa.text("DELETE FROM steps"))
        connection.execute(sa.delete(cycles).where(cycles.c.number <= 3))
    assert numbers(ended.read(engine)) == [10]


def test_the_champions_figure_is_the_newest_one(engine):
    """Measured as champion it is on newer data than when it was trained; else as challenger."""
    insert(
        engine,
        row(1, "completed", challenger="helpdesk-x-1", f1_challenger=0.7),
        row(2, "completed", champion="helpdesk-x-1", f1_champion=0.6, challenger="helpdesk-x-2"),
        row(3, "skipped", champion="helpdesk-x-1"),
        row(4, "completed", assistant="shop", champion="helpdesk-x-1", f1_champion=0.1),
    )

    def figure(model: str, assistant: str = "helpdesk") -> float | None:
        with reading(engine) as connection:
            return champion_f1(connection, assistant, model)

    assert figure("helpdesk-x-1") == 0.6
    assert figure("helpdesk-x-2") is None
    insert(engine, *(row(number, "skipped") for number in range(5, 300)))
    assert figure("helpdesk-x-1") == 0.7  # found by the number in its name
    for strange in ("nobody", "x-99999999999999", "x-٣", "other-x-1", ""):
        assert figure(strange) is None


def test_the_first_look_is_quick_however_long_the_history(engine):
    """It reads an index from its end: no table is scanned."""
    insert(engine, *(row(number, "completed") for number in range(1, 2001)))
    seen: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    ended = EndedCycles()
    ended.read(engine)
    insert(engine, row(3000, "completed"))
    ended.read(engine)
    selects = [text for text in seen if text.lstrip().startswith("SELECT")]
    assert len(selects) < 12
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection:
            for text in selects:
                holes = text.count("?")
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (1,) * holes)
                assert not [step for step in plan if step.detail.startswith("SCAN")]
