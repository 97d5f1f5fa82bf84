"""Several daemons on one database: killed and stalled, each cycle has one owner and one end."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.crash_points import Crash, Kind, run_daemon
from support.daemons import TIMEOUT, Household
from support.databases import postgres_engine, url_of
from support.fleet import Fleet, judge
from support.waiting import wait_until
from support.warm_processes import processes

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.domain.cycle import PromotionReason, Status
from retrainer.store.engine import reading
from retrainer.store.ledger import newest_first

pytestmark = [pytest.mark.end_to_end, pytest.mark.postgres]

NOTIFIER = '[notifiers.team]\ntype = "console"\non = ["promoted"]\n'
#: Changes until the row of a new cycle is inserted, and its transaction still open.
ANSWERING = 2
#: Seconds that a cycle takes on a busy machine.
CYCLE = 4.0


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    with postgres_engine() as made:
        yield made


def test_three_daemons_killed_and_stalled_at_random(engine: sa.Engine, tmp_path: Path):
    """Each fire time one request, each request one cycle, nobody promotes without the lease."""
    fleet = Fleet(tmp_path, url_of(engine), assistants=("bank", "shop"), chance=random.Random(4))
    try:
        fleet.start()
        fleet.harass(until=15, seconds=120, pause=(0.2, 1.0))
        fleet.settle()
        findings = judge(fleet)
    finally:
        fleet.close()
    assert findings.violations == ()
    assert findings.cycles >= 15
    assert findings.promotions
    assert findings.kills + findings.stalls


@contextmanager
def started(home: Household, *arguments: object) -> Iterator[Any]:
    """A daemon; `arguments` as of `run_daemon`. It is killed at the end."""
    process = processes.Process(target=run_daemon, args=(home.config, home.environment, *arguments))
    process.start()
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid or 0, signal.SIGCONT)
        process.kill()
        process.join(TIMEOUT)


def log_of(home: Household) -> str:
    """What the daemons logged."""
    return (home.folder / "daemon.log").read_text()


def wait(home: Household, happened: Callable[[], bool]) -> None:
    """Wait until it happened; what the daemons logged is in the error if it does not."""
    try:
        wait_until(happened, seconds=TIMEOUT)
    except TimeoutError as error:
        raise AssertionError(log_of(home)) from error


def is_stopped(process: Any) -> bool:
    """Whether SIGSTOP has taken effect."""
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "T"


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    "crash",
    [
        Crash("promote", "before"),
        Crash("promote", "fenced"),
        Crash("promote", "after"),
    ],
    ids=["before the fence", "between fence and promotion", "promoted and not recorded"],
)
def test_a_stalled_daemon_promotes_nothing_when_it_wakes(
    engine: sa.Engine, tmp_path: Path, dialect: str, crash: Crash
):
    """Stopped for longer than its lease, it finds the cycle taken over, and changes nothing more.

    Between the fence and the promotion it cannot know; there the platform compares and swaps.
    """
    url = url_of(engine) if dialect == "postgresql" else ""
    home = Household(tmp_path, database=url, lease="1s", general=NOTIFIER)
    home.ask()
    with started(home, crash, Kind.STALLED) as stalled:
        wait(home, lambda: is_stopped(stalled))
        with started(home) as other:
            wait(home, lambda: home.ended() == 1)
            home.write_data("shop", 60)
            home.ask()
            wait(home, lambda: home.ended() == 2)
            os.kill(stalled.pid, signal.SIGCONT)
            wait(home, lambda: "was taken over by" in log_of(home))
            stalled.terminate()
            stalled.join(TIMEOUT)
            assert (stalled.exitcode, other.is_alive()) == (0, True)
    assert "tried again" not in log_of(home), "it would be idle now"
    first, second = home.cycles()
    assert (first.cycle.status, first.cycle.resumed) == (Status.COMPLETED, 1)
    assert (second.cycle.status, second.cycle.resumed) == (Status.COMPLETED, 0)
    past = home.application().past
    assert past is not None
    with reading(past) as connection:
        ledger = newest_first(connection, "shop", None)
    past.dispose()
    assert [(row.model, row.reason) for row in ledger] == [
        (second.challenger, PromotionReason.GATE),
        (first.challenger, PromotionReason.GATE),
    ]
    registry = EmbeddedRegistry(home.folder / "state" / "assistants" / "shop" / "registry")
    assert registry.active() == second.challenger


def test_a_daemon_stalled_in_a_transaction_holds_nobody_up(engine: sa.Engine, tmp_path: Path):
    """What it has locked is free when its lease has run out, though it does not let go of it."""
    home = Household(tmp_path, database=url_of(engine), lease="2s", general=NOTIFIER)
    home.ask()
    with started(home, Crash("begin", "inside", nth=ANSWERING), Kind.STALLED) as stalled:
        wait(home, lambda: is_stopped(stalled))
        since = time.monotonic()
        with started(home):
            wait(home, lambda: home.ended() == 1)
            assert time.monotonic() - since < 4 + CYCLE
            os.kill(stalled.pid, signal.SIGCONT)
            wait(home, lambda: "tried again" in log_of(home))
    (row,) = home.cycles()
    assert (row.cycle.status, row.cycle.resumed) == (Status.COMPLETED, 0)


def test_a_stalled_leader_on_sqlite_is_followed_by_the_one_that_stands_by(tmp_path: Path):
    """It is not dead, so its lease has to run out; when it wakes it stands by in its turn."""
    home = Household(tmp_path, lease="1s", general=NOTIFIER)
    home.ask()
    with started(home, Crash("train", "before"), Kind.STALLED) as first:
        wait(home, lambda: is_stopped(first))
        with started(home):
            wait(home, lambda: home.ended() == 1)
            assert log_of(home).count("this daemon leads") == 2
            os.kill(first.pid, signal.SIGCONT)
            wait(home, lambda: "was taken over by" in log_of(home))
            wait(home, lambda: "this daemon stands by" in log_of(home))
            home.ask()
            wait(home, lambda: home.ended() == 2)
    one, two = home.cycles()
    assert (one.cycle.status, one.cycle.resumed, two.cycle.resumed) == (Status.COMPLETED, 1, 0)
