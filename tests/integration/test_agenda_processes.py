"""Several real processes that follow one agenda."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.databases import DIALECTS, engine_of, url_of

from retrainer.adapters.clock import SystemClock
from retrainer.domain.cycle import Trigger
from retrainer.store import history
from retrainer.store.agenda import SqlAgenda
from retrainer.store.owner import current_owner
from retrainer.store.status import read_status

TIMEOUT = 60  # seconds
HOUR = timedelta(hours=1)
TICKS = 10

#: Does what each line says, and answers with a line.
DAEMON = """
import json, sys
from datetime import datetime, timedelta
from retrainer.adapters.clock import SystemClock
from retrainer.domain.cycle import Status
from retrainer.errors import CycleRunning, NothingToDo
from retrainer.store.agenda import SqlAgenda
from retrainer.store.engine import make_engine
from retrainer.store.owner import current_owner
from retrainer.store.run_store import SqlRunStore
engine, clock, hour = make_engine(sys.argv[1]), SystemClock(), timedelta(hours=1)
agenda, store, me = SqlAgenda(engine, clock), SqlRunStore(engine, clock), current_owner()

def tick(*times):
    return sum(bool(agenda.tick("bot", datetime.fromisoformat(t), by="schedule")) for t in times)

def work(*names):
    done = []
    for name in names:
        try:
            lease = store.begin(name, None, owner=me, lease=hour)
        except (CycleRunning, NothingToDo):
            continue
        store.finish(lease, Status.COMPLETED, notifiers=())
        done.append(lease.cycle.number)
    return done

def lead():
    return agenda.check_in(me, "1", lease=hour) == me

print("ready", flush=True)
for line in sys.stdin:
    what, *arguments = json.loads(line)
    print(json.dumps(globals()[what](*arguments)), flush=True)
"""

Daemon = subprocess.Popen[str]


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database with the schema."""
    with engine_of(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def agenda(engine: sa.Engine) -> SqlAgenda:
    """The agenda that they follow."""
    return SqlAgenda(engine, SystemClock())


@pytest.fixture
def start(engine: sa.Engine) -> Iterator[Callable[[int], list[Daemon]]]:
    """Starts processes that wait for something to do."""
    command, started = [sys.executable, "-c", DAEMON, url_of(engine)], []

    def start_daemons(how_many: int) -> list[Daemon]:
        started.extend(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(how_many)
        )
        assert [process.stdout.readline() for process in started] == ["ready\n"] * how_many
        return list(started)

    yield start_daemons
    for process in started:
        process.kill()
        with suppress(BrokenPipeError):
            process.communicate(timeout=TIMEOUT)


def let(processes: list[Daemon], *what: object) -> list:
    """Let all of them do this at the same moment; returns what each of them got."""
    for process in processes:
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()
    return [json.loads(process.stdout.readline()) for process in processes]


def test_each_fire_time_is_one_request(start, agenda: SqlAgenda):
    """However many daemons see the same ticks, each of them asks once."""
    agenda.enrol("bot", "every hour")
    now = datetime.now(UTC)
    times = [(now + n * HOUR).isoformat() for n in range(1, TICKS + 1)]
    daemons = start(4)
    assert [sum(let(daemons, "tick", time)) for time in times] == [1] * TICKS
    assert [request.fire_time.isoformat() for request in agenda.pending()] == times


def test_all_triggers_are_one_cycle(start, agenda: SqlAgenda, engine: sa.Engine):
    """However many daemons begin what many asked for, each assistant gets one cycle."""
    names = [f"bot-{number}" for number in range(5)]
    for name in names:
        for trigger in (Trigger.MANUAL, Trigger.HOOK):
            agenda.ask(name, trigger, by="ann")
    done = let(start(4), "work", *names)
    assert agenda.pending() == ()
    cycles = history.list_cycles(engine)
    assert sorted(number for some in done for number in some) == sorted(
        row.cycle.number for row in cycles
    )
    assert sorted(row.cycle.assistant for row in cycles) == names


def test_a_killed_leader_is_replaced_at_once(start, agenda: SqlAgenda, engine: sa.Engine):
    """After kill -9 the next daemon that looks leads, and the dead one is forgotten."""
    daemons = start(3)
    led = let(daemons, "lead")
    assert sorted(led) == [False, False, True]
    leader = daemons.pop(led.index(True))
    assert [d.leads for d in read_status(engine, datetime.now(UTC)).daemons].count(True) == 1
    leader.kill()
    leader.wait(TIMEOUT)
    status = read_status(engine, datetime.now(UTC))
    assert status.leader is None
    assert [daemon.alive for daemon in status.daemons].count(False) == 1
    assert sorted(let(daemons, "lead")) == [False, True]
    status = read_status(engine, datetime.now(UTC))
    assert len(status.daemons) == 2
    assert status.leader is not None
    assert f"pid {leader.pid}" not in map(str, status.daemons)
    assert agenda.check_in(current_owner(), "1", lease=HOUR) == status.leader.owner
