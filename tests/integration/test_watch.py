"""Looking for new data: what asks for a cycle, what does not, and a source that fails."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.databases import DIALECTS, engine_of

from retrainer.daemon.watch import Watch
from retrainer.domain.cycle import Trigger
from retrainer.errors import ConfigurationError, NothingToDo, ProjectError, ServerError
from retrainer.ports import DataSource
from retrainer.testing.clock import FakeClock
from retrainer.testing.sources import FakeSource
from retrainer.wiring import Application

CONFIG = """
[assistants.shop]
source = { type = "directory", path = "project" }
[assistants.shop.schedule]
every = "1d"
poll_every = "5m"
"""
POLL = timedelta(minutes=5)


class Watched(Application):
    """An application whose one source is a fake, on a clock of the test's own."""

    def source(self, name: str) -> DataSource:
        """The fake, whatever the config names."""
        del name
        fake: FakeSource = vars(self)["fake"]
        return fake


class Place:
    """A database, a source and what watches it."""

    def __init__(
        self, folder: Path, engine: sa.Engine, *, examples: int | None, least: int
    ) -> None:
        config = folder / "retrainer.toml"
        config.write_text(CONFIG + f"minimum_new_examples = {least}\n")
        self.app = Watched.from_config(config, {})
        self.source = FakeSource({"config.yml": "recipe: default.v1"}, examples=examples)
        self.clock = FakeClock()
        known = {"fake": self.source, "clock": self.clock, "engine": engine, "bare_engine": engine}
        vars(self.app).update(known)
        self.watch = Watch()
        self.app.agenda.enrol("shop", "every day")

    def annotate(self, more: int) -> None:
        """So many examples are added, or taken away."""
        self.source.files["data/nlu.yml"] = f"{self.source.files} {more}"
        if self.source.examples is not None:
            self.source.examples += more

    def look(self, times: int = 1) -> None:
        """As the daemon does every five minutes."""
        for _ in range(times):
            self.watch.look(self.app, name="shop")
            self.clock.advance(POLL)

    @property
    def asked(self) -> list[tuple[Trigger, str]]:
        """What is pending."""
        return [(request.trigger, request.note) for request in self.app.agenda.pending()]

    def begin(self) -> int:
        """The next cycle that is asked for."""
        lease = self.app.store.begin("shop", None, owner="o", lease=timedelta(hours=1))
        self.app.store.finish(lease, lease.cycle.status.COMPLETED, notifiers=())
        return lease.cycle.number


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def place_with(tmp_path: Path, stack: ExitStack):
    """Makes the place, on SQLite unless told otherwise."""

    def made(*, examples: int | None = 10, least: int = 1, dialect: str = "sqlite") -> Place:
        engine = stack.enter_context(engine_of(dialect, tmp_path))
        return Place(tmp_path, engine, examples=examples, least=least)

    return made


def test_what_was_there_at_first_asks_for_nothing(place_with):
    """The first look remembers; the schedule, or a person, brings the first cycle."""
    place = place_with()
    place.look(times=3)
    assert place.asked == []


@pytest.mark.parametrize(
    ("more", "note"),
    [
        (37, "37 new examples in directory"),
        (1, "1 new example in directory"),
        (-2, "2 examples fewer in directory"),
    ],
)
def test_new_examples_ask_for_one_cycle(place_with, more: int, note: str):
    """However often it is looked, and people read what is new."""
    place = place_with()
    place.look()
    place.annotate(more)
    place.look(times=3)
    assert place.asked == [(Trigger.DATA, note)]


@pytest.mark.parametrize("examples", [None, 10])
def test_a_change_that_cannot_be_counted_asks_too(place_with, examples):
    """A commit, a moved label or another domain is new data, unless a minimum is asked for."""
    place = place_with(examples=examples)
    place.look()
    place.annotate(0)
    place.look()
    (asked,) = place.asked
    assert asked == (Trigger.DATA, f"directory at {place.source.look().token[:8]}")


def test_few_examples_add_up(place_with):
    """Below the minimum nothing is asked, and the examples of each look count together."""
    place = place_with(least=10)
    place.look()
    for more in (4, 0, 5):
        place.annotate(more)
        place.look()
        assert place.asked == []
    place.annotate(1)
    place.look()
    assert place.asked == [(Trigger.DATA, "10 new examples in directory")]


def test_a_paused_assistant_is_not_looked_at(place_with):
    """What came during the pause is found after it."""
    place = place_with()
    place.look()
    place.app.agenda.pause("shop", by="ann", reason="")
    place.annotate(1)
    looks = place.source.looks
    place.look(times=2)
    assert (place.source.looks, place.asked) == (looks, [])
    place.app.agenda.resume("shop")
    place.look()
    assert place.asked == [(Trigger.DATA, "1 new example in directory")]


def test_a_source_that_fails_is_told_of_once(place_with, caplog):
    """A server that is away for a week is two lines in the log, and is asked more and more rarely."""
    place, week = place_with(), 7 * 24 * 12
    place.look()
    looks = place.source.looks
    place.source.failure = ServerError("rasa.example.com did not answer", tip="is it up?")
    with caplog.at_level(logging.INFO, "retrainer.daemon.watch"):
        place.look(times=week)
        place.source.failure = ProjectError("another problem")
        place.look(times=12)
        place.source.failure = None
        place.look(times=12)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "rasa.example.com did not answer" in caplog.messages[0]
    assert place.source.looks - looks < week / 5
    place.annotate(1)
    place.look(times=12)
    assert place.asked == [(Trigger.DATA, "1 new example in directory")]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_triggers_at_once_make_one_cycle(place_with, dialect: str):
    """The schedule, new data, a hook and a person ask; one cycle answers all of them."""
    place = place_with(dialect=dialect)
    agenda = place.app.agenda
    place.look()
    place.annotate(3)
    due: datetime = place.clock.now()
    assert agenda.tick("shop", due, by="schedule") is not None
    place.look()
    agenda.ask("shop", Trigger.MANUAL, by="ann")
    agenda.ask("shop", Trigger.HOOK, by="git")
    assert [trigger for trigger, _ in place.asked] == ["schedule", "data", "manual", "hook"]
    number = place.begin()
    assert place.asked == []
    with pytest.raises(NothingToDo):
        place.begin()
    place.look()
    assert place.asked == []
    with place.app.engine.connect() as connection:
        cycles = connection.execute(sa.text("SELECT number FROM cycles")).scalars().all()
    assert cycles == [number]


def test_a_minimum_needs_a_source_that_counts(tmp_path: Path):
    """A limit that could never be compared with anything is found at the start."""
    (tmp_path / "project").mkdir()
    config = tmp_path / "retrainer.toml"
    config.write_text(CONFIG + "minimum_new_examples = 2\n")
    with pytest.raises(ConfigurationError, match=r"shop\.schedule\.minimum_new_examples is 2"):
        Application.from_config(config, {}).require_plugins()
    config.write_text(CONFIG + "minimum_new_examples = 1\n")
    Application.from_config(config, {}).require_plugins()
    rasa_x = '{ type = "rasa_x", url = "http://127.0.0.1", api_token = "t" }'
    counted = CONFIG.replace('{ type = "directory", path = "project" }', rasa_x)
    config.write_text(counted + "minimum_new_examples = 2\n")
    Application.from_config(config, {}).require_plugins()
