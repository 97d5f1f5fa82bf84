"""A failover in the middle of a commit: whether it was made is not known, and nothing doubles.

Each commit of a cycle is lost in turn, once before the server hears of it and once after it has
made it. Whoever works on the cycle then does what a daemon does: it runs it again.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.databases import postgres_engine
from support.postgres_proxy import Lost, PostgresProxy
from support.worlds import OWNER, Laboratory, utterances

from retrainer.domain.cycle import PromotionReason, Status, Trigger
from retrainer.domain.rules import Floor
from retrainer.domain.verdict import NamedRule, Policy
from retrainer.errors import (
    DatabaseError,
)
from retrainer.pipeline.conclusion import deliver
from retrainer.pipeline.runner import run_cycle
from retrainer.ports import DataSeen
from retrainer.store.agenda import SqlAgenda
from retrainer.store.engine import make_engine
from retrainer.store.history import list_cycles
from retrainer.store.run_store import SqlRunStore
from retrainer.store.status import read_status
from retrainer.testing.clock import FakeClock
from retrainer.testing.notifiers import FakeNotifier

pytestmark = pytest.mark.postgres

LEASE = timedelta(minutes=1)
AFTER = timedelta(minutes=2)
LOST = [Lost.COMMAND, Lost.ANSWER]
SHOP = "shop"
EASY = Policy("easy", (NamedRule("good_enough", Floor("f1_weighted", 0.1)),))


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    """A database, reached directly."""
    with postgres_engine() as made:
        yield made


@pytest.fixture
def proxy(engine: sa.Engine) -> Iterator[PostgresProxy]:
    """A proxy before its server."""
    (socket,) = Path(str(engine.url.query["host"])).glob(".s.PGSQL.*[0-9]")
    with PostgresProxy(socket) as proxy:
        yield proxy


@pytest.fixture
def through(engine: sa.Engine, proxy: PostgresProxy) -> Iterator[sa.Engine]:
    """The same database, reached through the proxy."""
    url = engine.url.set(host="127.0.0.1", port=proxy.port, query={})
    made = make_engine(url.render_as_string(hide_password=False))
    yield made
    made.dispose()


class Night:
    """A cycle that is asked for, worked on until it has ended, and told of."""

    def __init__(self, folder: Path, engine: sa.Engine) -> None:
        self.lab = Laboratory(folder, policy=EASY)
        self.engine = engine
        self.lab.store = self.store = SqlRunStore(engine, self.lab.clock)
        self.agenda = SqlAgenda(engine, self.lab.clock)
        self.told = FakeNotifier()
        self.nights = 0
        self.failures = 0

    def ask(self) -> None:
        """Ask for the next cycle, of data of its own."""
        self.nights += 1
        self.lab.write(utterances(45 + self.nights))
        self.agenda.ask(SHOP, Trigger.MANUAL, by="ann", force=True)

    def work(self) -> None:
        """Do as a daemon does until there is nothing to do."""
        for _ in range(8):
            self.lab.clock.advance(AFTER)
            try:
                if not self.agenda.ready() and not self.waiting:
                    return
                if self.agenda.ready():
                    run_cycle(self.lab.world(), owner=OWNER, trigger=None, lease=LEASE)
                deliver(self.store, {"everything": self.told}, owner=OWNER)
            except DatabaseError:
                self.failures += 1
        raise AssertionError("it goes on for ever")

    @property
    def waiting(self) -> int:
        """How many notifications wait."""
        return read_status(self.engine, self.lab.clock.now()).outbox.waiting

    def assert_sound(self, nights: int) -> None:
        """One cycle, training and promotion for each night, and people know."""
        rows = list_cycles(self.engine, limit=1000)[::-1]
        assert len(rows) == nights
        assert {row.cycle.status for row in rows} == {Status.COMPLETED}
        models = [row.cycle.challenger for row in rows]
        assert self.lab.rasa.calls.count("train") == nights
        assert self.lab.platform.changes == models
        ledger = self.store.promotions(SHOP)
        assert [p.model for p in ledger] == models[::-1]
        assert {p.reason for p in ledger} == {PromotionReason.GATE}
        assert self.lab.platform.active() == models[-1]
        told = {report.cycle.challenger for report in self.told.reports}
        assert told == set(models)
        assert self.agenda.pending() == ()
        assert self.waiting == 0


@pytest.mark.parametrize("lost", LOST)
def test_each_commit_of_a_cycle(
    tmp_path: Path, through: sa.Engine, proxy: PostgresProxy, lost: Lost
):
    """Whichever commit is lost: one cycle, one training, one promotion, and people are told."""
    night = Night(tmp_path, through)
    night.ask()
    proxy.commits.clear()
    night.work()
    commits = len(proxy.commits)
    assert commits > 25
    for nth in range(1, commits + 1):
        night.ask()
        proxy.lose_commit(lost, nth=nth)
        night.work()
    assert night.failures >= commits - 3
    night.assert_sound(commits + 1)


@pytest.mark.parametrize("lost", LOST)
def test_what_a_person_asks_for(
    tmp_path: Path, through: sa.Engine, proxy: PostgresProxy, lost: Lost
):
    """Who asks again, being told that it is not known, gets one cycle all the same."""
    night = Night(tmp_path, through)
    night.ask()
    proxy.lose_commit(lost, of="INSERT INTO requests")
    with pytest.raises(DatabaseError) as caught:
        night.agenda.ask(SHOP, Trigger.MANUAL, by="ann")
    assert "whether this was written is not known" in caught.value.message
    assert "retrainer status" in (caught.value.tip or "")
    night.agenda.ask(SHOP, Trigger.MANUAL, by="ann")
    assert len(night.agenda.pending()) == (3 if lost is Lost.ANSWER else 2)
    night.work()
    night.assert_sound(1)


@pytest.mark.parametrize("lost", LOST)
def test_what_the_schedule_and_new_data_ask_for(
    through: sa.Engine, proxy: PostgresProxy, lost: Lost
):
    """A tick, and what is new in a source, make one request, however often they are tried."""
    clock = FakeClock()
    agenda = SqlAgenda(through, clock)
    agenda.enrol(SHOP, "hourly")
    before, seen = DataSeen("one", 10), DataSeen("two", 20)
    agenda.new_data(SHOP, before, before=None, by="poll", note="")
    clock.advance(timedelta(hours=1))

    def tick() -> object:
        return agenda.tick(SHOP, clock.now(), by="schedule")

    def notice() -> object:
        known = agenda.enrolments()[0].data
        if known == seen:
            return None
        return agenda.new_data(SHOP, seen, before=known, by="poll", note="")

    for act in (tick, notice):
        proxy.lose_commit(lost, of="INSERT INTO requests")
        with pytest.raises(DatabaseError):
            act()
        act()
        assert act() is None
    assert [request.trigger for request in agenda.pending()] == [Trigger.SCHEDULE, Trigger.DATA]


@pytest.mark.parametrize("lost", LOST)
def test_what_a_person_and_a_daemon_say(through: sa.Engine, proxy: PostgresProxy, lost: Lost):
    """Pauses, resumptions and signs of life may be said again, whatever became of the first time."""
    clock = FakeClock()
    agenda = SqlAgenda(through, clock)

    def pause() -> object:
        return agenda.pause(SHOP, by="ann", reason="holidays")

    def resume() -> object:
        return agenda.resume(SHOP)

    def check_in() -> object:
        return agenda.check_in(OWNER, "1.0", lease=LEASE)

    def check_out() -> object:
        return agenda.check_out(OWNER)

    for act in (pause, resume, check_in, check_out):
        proxy.lose_commit(lost)
        with pytest.raises(DatabaseError):
            act()
        assert act() == act()
    assert agenda.enrolments()[0].pause is None
    assert agenda.check_in("other/boot/1/1/1", "1.0", lease=LEASE) == "other/boot/1/1/1"
