"""Several real processes on one database."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from contract.run_store_contract import HOUR, begin
from support.databases import DIALECTS, engine_of, url_of

from retrainer.adapters.clock import SystemClock
from retrainer.domain.cycle import State, Status, Trigger
from retrainer.errors import CycleRunning, DatabaseError
from retrainer.ports import Journal
from retrainer.store import history
from retrainer.store.engine import make_engine, reading
from retrainer.store.owner import current_owner
from retrainer.store.run_store import SqlRunStore
from retrainer.store.schema import current

TIMEOUT = 60  # seconds

#: Waits for a line, begins a cycle and one step, says how it went, waits for another line.
WORKER = """
import sys
from datetime import timedelta
from retrainer.adapters.clock import SystemClock
from retrainer.domain.cycle import State, Trigger
from retrainer.errors import RetrainerError
from retrainer.store.engine import make_engine
from retrainer.store.owner import current_owner
from retrainer.store.run_store import SqlRunStore
store = SqlRunStore(make_engine(sys.argv[1]), SystemClock())
print("ready", flush=True)
sys.stdin.readline()
try:
    lease = store.begin("helpdesk", Trigger.MANUAL, owner=current_owner(), lease=timedelta(hours=1))
except RetrainerError as error:
    print(type(error).__name__, flush=True)
else:
    store.step_started(lease, "pull")
    store.step_done(lease, "pull", State(), State(fingerprint="f1"))
    store.step_started(lease, "train")
    print("begun", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database with the schema."""
    with engine_of(request.param, tmp_path) as made:
        yield made


Worker = subprocess.Popen[str]


@pytest.fixture
def start(engine: sa.Engine) -> Iterator[Callable[[int], list[Worker]]]:
    """Starts processes that are ready to begin a cycle."""
    command, started = [sys.executable, "-c", WORKER, url_of(engine)], []

    def start_workers(how_many: int) -> list[Worker]:
        started.extend(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(how_many)
        )
        assert [process.stdout.readline() for process in started] == ["ready\n"] * how_many
        return started

    yield start_workers
    for process in started:
        process.kill()
        process.communicate(timeout=TIMEOUT)


def go(processes: list[Worker]) -> list[str]:
    """Let them begin at the same moment; returns how it went."""
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.stdout.readline().strip() for process in processes]


def test_one_of_eight_processes_wins(start, engine: sa.Engine):
    """However many processes begin at the same moment, one does and the others are told."""
    assert sorted(go(start(8))) == ["CycleRunning"] * 7 + ["begun"]
    assert len(history.list_cycles(engine)) == 1


def test_a_killed_process_loses_nothing_recorded(start, engine: sa.Engine):
    """After kill -9 the next process takes the cycle up at once, with all that was recorded."""
    store = SqlRunStore(engine, SystemClock())
    (killed,) = start(1)
    assert go([killed]) == ["begun"]
    with pytest.raises(CycleRunning, match=f"step train, by .* pid {killed.pid}"):
        begin(store, owner=current_owner())
    killed.kill()
    killed.wait(TIMEOUT)
    lease = store.begin("helpdesk", Trigger.MANUAL, owner=current_owner(), lease=HOUR)
    assert lease.cycle.resumed == 1
    assert store.load(lease.cycle) == Journal(
        State(fingerprint="f1"), ("pull",), {"pull": 1, "train": 1}
    )
    store.finish(lease, Status.COMPLETED, notifiers=())


def test_one_of_many_takes_the_dead_ones_cycle(start, engine: sa.Engine):
    """The cycle of a killed process goes to one of those that want it."""
    killed, *others = start(4)
    go([killed])
    killed.kill()
    killed.wait(TIMEOUT)
    assert sorted(go(others)) == ["CycleRunning"] * 2 + ["begun"]
    (row,) = history.list_cycles(engine)
    assert row.cycle.resumed == 1


@pytest.mark.postgres
def test_a_restarted_server_is_no_error(tmp_path: Path):
    """Connections that the server closed meanwhile are replaced without anybody noticing."""
    with engine_of("postgresql", tmp_path) as engine:
        assert current(engine).revision
        other = make_engine(url_of(engine))
        with reading(other) as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        other.dispose()
        assert current(engine).revision


@pytest.mark.postgres
def test_an_unreachable_server_is_named():
    """The message names the server and never the password."""
    engine = make_engine("postgresql://ann:se%23cret@127.0.0.1:1/retrainer")
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1") as caught:
        current(engine)
    assert "reachable" in caught.value.tip
    text = json.dumps([str(caught.value), caught.value.tip])
    assert "se#cret" not in text
    assert "se%23cret" not in text


@pytest.mark.postgres
def test_a_missing_database_is_named(tmp_path: Path):
    """A database that the server does not have is an error with its name."""
    with engine_of("postgresql", tmp_path) as engine:
        missing = make_engine(
            engine.url.set(database="nowhere").render_as_string(hide_password=False)
        )
        with pytest.raises(DatabaseError, match=r"nowhere.* does not exist"):
            current(missing)


@pytest.mark.postgres
def test_a_read_only_server_is_named(tmp_path: Path):
    """A standby server can be read and says why it cannot be written to."""
    with engine_of("postgresql", tmp_path) as engine:
        with reading(engine) as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = on")
        # The setting holds for the one pooled connection.
        store = SqlRunStore(engine, SystemClock())
        with pytest.raises(DatabaseError, match="read-only transaction") as caught:
            store.begin("a", Trigger.MANUAL, owner="x", lease=timedelta(hours=1))
        assert "primary" in caught.value.tip
