"""The outbox with real processes: nothing is lost, and nothing is told twice without need."""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from contract.run_store_contract import begin
from support.children import python
from support.databases import DIALECTS, engine_of, url_of

from retrainer.adapters.clock import SystemClock
from retrainer.domain.cycle import Status
from retrainer.pipeline.conclusion import deliver
from retrainer.store.owner import current_owner
from retrainer.store.run_store import SqlRunStore
from retrainer.testing.notifiers import FakeNotifier

#: Delivers until nothing is due; the notifier writes a line, then takes its time, or for ever.
DELIVERER = """
import sys, time
from pathlib import Path
from retrainer.adapters.clock import SystemClock
from retrainer.pipeline.conclusion import deliver
from retrainer.store.engine import make_engine
from retrainer.store.owner import current_owner
from retrainer.store.run_store import SqlRunStore

class Slow:
    def notify(self, report):
        with Path(sys.argv[2]).open("a") as told:
            told.write(f"{report.cycle.number}\\n")
        time.sleep(float(sys.argv[3]))

store = SqlRunStore(make_engine(sys.argv[1]), SystemClock())
print("ready", flush=True)
sys.stdin.readline()
while deliver(store, {"slack": Slow()}, owner=current_owner()) or store.due_notifications():
    pass
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database with the schema."""
    with engine_of(request.param, tmp_path) as made:
        yield made


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()


def lines_of(told: Path) -> list[int]:
    return [int(line) for line in told.read_text().split()] if told.exists() else []


def test_two_processes_tell_each_cycle_once_and_in_order(engine: sa.Engine, tmp_path: Path):
    """`run-once` beside the daemon: what one of them is telling the other leaves alone."""
    store, told = SqlRunStore(engine, SystemClock()), tmp_path / "told"
    numbers = [
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack",)).cycle.number
        for _ in range(20)
    ]
    with ExitStack() as stack:
        both = [
            stack.enter_context(python(DELIVERER, url_of(engine), told, 0.01)) for _ in range(2)
        ]
        for process in both:
            assert process.stdout.readline() == "ready\n"
        for process in both:
            go(process)
        for process in both:
            assert process.stdout.readline() == "done\n", process.stderr.read()
    assert lines_of(told) == numbers


def test_killed_between_telling_and_the_record_is_told_again(engine: sa.Engine, tmp_path: Path):
    """At least once: after kill -9 the next process of the machine delivers without waiting."""
    store, told = SqlRunStore(engine, SystemClock()), tmp_path / "told"
    numbers = [
        store.finish(begin(store), Status.COMPLETED, notifiers=("slack",)).cycle.number
        for _ in range(3)
    ]
    with python(DELIVERER, url_of(engine), told, 600) as process:
        assert process.stdout.readline() == "ready\n"
        go(process)
        end = time.monotonic() + 30
        while not lines_of(told) and time.monotonic() < end:
            time.sleep(0.01)
        mine = FakeNotifier()
        assert deliver(store, {"slack": mine}, owner=current_owner()) == ()
        assert mine.reports == [], "while the other one lives nobody else tells"
        process.kill()
        process.wait()
        assert deliver(store, {"slack": mine}, owner=current_owner()) == ()
    assert [report.cycle.number for report in mine.reports] == numbers
    assert Counter(lines_of(told)) == {numbers[0]: 1}
