"""Telling the notifiers what happened, whatever they do."""

from datetime import timedelta

import pytest

from retrainer.domain.cycle import Status, Trigger
from retrainer.errors import NotificationError
from retrainer.pipeline.conclusion import deliver
from retrainer.ports import CycleReport
from retrainer.testing.clock import FakeClock
from retrainer.testing.notifiers import FakeNotifier
from retrainer.testing.stores import FakeRunStore

SECRET = "https://hooks.example/T000/secret"


class Faulty:
    """A plugin with a bug; it counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def notify(self, report: CycleReport) -> None:
        """Fail as no notifier should."""
        self.calls += 1
        raise ConnectionError(f"cannot reach {SECRET} for {report.cycle.number}")


class Recording(FakeRunStore):
    """A store that remembers what it was told of failures."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.errors: list[str] = []

    def not_delivered(self, number: int, error: str, retry_after: float | None) -> None:
        """Remember the error."""
        self.errors.append(error)
        super().not_delivered(number, error, retry_after)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Recording:
    """A store in which three cycles ended, of which `slack` and `mail` are to be told."""
    made = Recording(clock)
    for _ in range(3):
        end_cycle(made)
    return made


def end_cycle(store: FakeRunStore) -> None:
    lease = store.begin("shop", Trigger.MANUAL, owner="o", lease=timedelta(hours=1))
    store.finish(lease, Status.COMPLETED, notifiers=("slack", "mail"))


def test_what_is_due_is_told_once(store: Recording):
    """Every notifier hears of every cycle, and of none twice."""
    slack, mail = FakeNotifier(), FakeNotifier()
    for _ in range(2):
        assert deliver(store, {"slack": slack, "mail": mail}) == ()
    assert [r.cycle.number for r in slack.reports] == [1, 2, 3]
    assert [r.cycle.number for r in mail.reports] == [1, 2, 3]


def test_a_notifier_that_failed_is_not_called_again(store: Recording, clock: FakeClock):
    """One that hangs or asks for patience costs one call a delivery, however much waits for it."""
    slack, mail = FakeNotifier(), FakeNotifier()
    slack.failure = NotificationError("429", retry_after=3600.0)
    problems = deliver(store, {"slack": slack, "mail": mail})
    assert problems == ("slack: 429; it will be tried again",)
    assert store.errors == ["429"]
    assert len(mail.reports) == 3
    end_cycle(store)
    clock.advance(timedelta(seconds=3599))
    assert deliver(store, {"slack": slack, "mail": mail}) == ()
    assert store.errors == ["429"]
    slack.failure = None
    clock.advance(timedelta(seconds=1))
    assert deliver(store, {"slack": slack, "mail": mail}) == ()
    assert sorted(r.cycle.number for r in slack.reports) == [1, 2, 3, 4]


def test_the_words_of_a_bug_are_not_repeated(store: Recording):
    """A plugin's exception may hold a secret: its kind is enough, with where to look."""
    faulty, mail = Faulty(), FakeNotifier()
    (problem,) = deliver(store, {"slack": faulty, "mail": mail})
    assert faulty.calls == 1
    assert store.errors == ["ConnectionError"]
    assert "ConnectionError" in problem
    assert "notifiers.slack" in problem
    assert SECRET not in problem
    assert len(mail.reports) == 3


def test_a_notifier_of_another_config_is_left_alone(store: Recording):
    """Two configs may share a database: what one does not know, the other one still delivers."""
    slack, mail = FakeNotifier(), FakeNotifier()
    assert deliver(store, {"mail": mail}) == ()
    assert deliver(store, {"slack": slack}) == ()
    assert len(mail.reports) == len(slack.reports) == 3
