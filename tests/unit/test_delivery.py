"""Telling the notifiers what happened, whatever they do."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from retrainer.domain.cycle import Status, Trigger
from retrainer.domain.delivery import CLAIMED_FOR, MOST_AT_ONCE, SUMMARISED_AFTER
from retrainer.errors import NotificationError
from retrainer.pipeline import conclusion
from retrainer.ports import CycleReport, Notifier
from retrainer.testing.clock import FakeClock
from retrainer.testing.notifiers import FakeNotifier, FakeSummaryNotifier
from retrainer.testing.stores import FakeRunStore

SECRET = "https://hooks.example/T000/secret"
HERE, ELSEWHERE = "here/boot/1/1/1", "elsewhere/boot/1/1/1"


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


def deliver(store: FakeRunStore, notifiers: Mapping[str, Notifier]) -> tuple[str, ...]:
    """As one process does it."""
    return conclusion.deliver(store, notifiers, owner=HERE)


def numbers(reports: Sequence[CycleReport]) -> list[int]:
    return [report.cycle.number for report in reports]


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


def test_what_was_told_at_last_is_said(store: Recording, clock: FakeClock):
    """Whoever read that a message could not be delivered reads that it was, in the end."""
    slack, heard = FakeNotifier(), list[str]()
    slack.failure = NotificationError("down")

    def tell() -> tuple[str, ...]:
        return conclusion.deliver(store, {"slack": slack}, owner=HERE, recovered=heard.append)

    for _ in range(2):
        assert tell()
        clock.advance(timedelta(hours=1))
    assert heard == []
    slack.failure = None
    assert tell() == ()
    assert heard == [
        "slack: told of cycle 1 at last, after 1 failures",
        "slack: told of cycle 2 at last, after 1 failures",
    ]


def test_a_clock_that_was_ahead_keeps_nobody_uninformed(store: Recording, clock: FakeClock):
    """Put off by a clock five days ahead, which was set right since, a message is tried now."""
    slack = FakeNotifier()
    slack.failure = NotificationError("down")
    ahead = timedelta(days=5)
    clock.advance(ahead)
    assert deliver(store, {"slack": slack})
    clock.advance(-ahead)
    slack.failure = None
    assert deliver(store, {"slack": slack}) == ()
    assert sorted(numbers(slack.reports)) == [1, 2, 3]


def test_the_words_of_a_bug_are_not_repeated(store: Recording):
    """A plugin's exception may hold a secret: its kind is enough, with where to look."""
    faulty, mail = Faulty(), FakeNotifier()
    (problem,) = deliver(store, {"slack": faulty, "mail": mail})
    assert faulty.calls == 1
    (recorded,) = store.errors
    assert "ConnectionError" in recorded
    assert "ConnectionError" in problem
    assert "notifiers.slack" in problem
    assert SECRET not in recorded + problem
    assert len(mail.reports) == 3


def test_a_notifier_of_another_config_is_left_alone(store: Recording):
    """Two configs may share a database: what one does not know, the other one still delivers."""
    slack, mail = FakeNotifier(), FakeNotifier()
    assert deliver(store, {"mail": mail}) == ()
    assert deliver(store, {"slack": slack}) == ()
    assert len(mail.reports) == len(slack.reports) == 3


# --- after an outage -------------------------------------------------------------------------------


def away(store: FakeRunStore, clock: FakeClock, slack: FakeNotifier) -> None:
    """Slack does not answer for longer than people want single messages for."""
    slack.failure = NotificationError("down")
    assert deliver(store, {"slack": slack}) == ("slack: down; it will be tried again",)
    clock.advance(SUMMARISED_AFTER)
    slack.failure = None


def test_people_get_one_message_after_an_outage(store: Recording, clock: FakeClock):
    """The newest cycle in full and the missed ones in short, all of it delivered by one message."""
    slack = FakeSummaryNotifier()
    away(store, clock, slack)
    end_cycle(store)
    for _ in range(2):
        assert deliver(store, {"slack": slack}) == ()
    assert slack.reports == []
    assert [numbers(told) for told in slack.summaries] == [[4, 1, 2, 3]]


def test_records_get_every_cycle_after_an_outage(store: Recording, clock: FakeClock):
    """What keeps records is told each cycle on its own, oldest first, however late."""
    mlflow = FakeNotifier()
    clock.advance(timedelta(days=3))
    assert deliver(store, {"slack": mlflow}) == ()
    assert numbers(mlflow.reports) == [1, 2, 3]


def test_a_short_outage_is_not_summarised(store: Recording, clock: FakeClock):
    """Cycles of the last hours are worth a message each."""
    slack = FakeSummaryNotifier()
    clock.advance(SUMMARISED_AFTER - timedelta(seconds=1))
    assert deliver(store, {"slack": slack}) == ()
    assert (numbers(slack.reports), slack.summaries) == ([1, 2, 3], [])


def test_one_late_cycle_is_told_in_full(clock: FakeClock):
    """A summary of one would only say less."""
    store, slack = Recording(clock), FakeSummaryNotifier()
    end_cycle(store)
    clock.advance(timedelta(days=3))
    end_cycle(store)
    assert deliver(store, {"slack": slack}) == ()
    assert (numbers(slack.reports), slack.summaries) == ([1, 2], [])


def test_a_summary_that_failed_loses_nothing(store: Recording, clock: FakeClock):
    """While the receiver is away all of it waits, and the notifier is left in peace."""
    slack = FakeSummaryNotifier()
    away(store, clock, slack)
    slack.failure = NotificationError("429", retry_after=3600.0)
    assert deliver(store, {"slack": slack}) == ("slack: 429; it will be tried again",)
    slack.failure = None
    clock.advance(timedelta(seconds=3599))
    assert deliver(store, {"slack": slack}) == ()
    assert slack.summaries == []
    clock.advance(timedelta(seconds=1))
    assert deliver(store, {"slack": slack}) == ()
    assert [numbers(told) for told in slack.summaries] == [[3, 1, 2]]


class Refusing(FakeSummaryNotifier):
    """Takes nothing in which there is a certain cycle."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def notify(self, report: CycleReport) -> None:
        """Take it, unless it is that cycle."""
        self._look_at([report])
        super().notify(report)

    def notify_summary(self, report: CycleReport, missed: Sequence[CycleReport]) -> None:
        """Take it, unless that cycle is in it."""
        self._look_at([report, *missed])
        super().notify_summary(report, missed)

    def _look_at(self, reports: Sequence[CycleReport]) -> None:
        if self._number in numbers(reports):
            raise NotificationError("invalid_blocks")


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_a_cycle_that_is_never_taken_keeps_no_other_back(store, clock, refused: int):
    """Also in a summary one such cycle does not stand in the way: the others are told soon."""
    slack = Refusing(refused)
    clock.advance(SUMMARISED_AFTER)
    for _ in range(4):
        deliver(store, {"slack": slack})
        clock.advance(timedelta(minutes=5))
    summarised = [number for told in slack.summaries for number in numbers(told)]
    assert sorted(numbers(slack.reports) + summarised) == sorted({1, 2, 3} - {refused})


def test_a_year_of_cycles_comes_in_messages_of_bounded_size(clock: FakeClock):
    """One message never holds more cycles than a machine can have in memory."""
    store, slack = Recording(clock), FakeSummaryNotifier()
    for _ in range(MOST_AT_ONCE + 2):
        end_cycle(store)
    clock.advance(SUMMARISED_AFTER)
    assert deliver(store, {"slack": slack}) == ()
    assert [len(told) for told in slack.summaries] == [MOST_AT_ONCE, 2]


# --- several processes -----------------------------------------------------------------------------


class Entered(FakeNotifier):
    """While it tells, another process delivers too."""

    def __init__(self, store: FakeRunStore) -> None:
        super().__init__()
        self._store, self.other = store, FakeNotifier()

    def notify(self, report: CycleReport) -> None:
        """Tell; meanwhile the other process looks."""
        conclusion.deliver(self._store, {"slack": self.other}, owner=ELSEWHERE)
        super().notify(report)


def test_what_one_process_tells_no_other_tells(store: Recording):
    """Nor anything after it, so that the order stays."""
    slack = Entered(store)
    assert deliver(store, {"slack": slack}) == ()
    assert (numbers(slack.reports), slack.other.reports) == ([1, 2, 3], [])


def test_what_a_lost_machine_was_telling_is_told_by_another(store: Recording, clock: FakeClock):
    """A claim ends by itself, since nobody can say whether another machine is dead."""
    (claimed,) = store.claim_notifications("slack", owner=ELSEWHERE, together=False)
    slack = FakeNotifier()
    clock.advance(CLAIMED_FOR - timedelta(seconds=1))
    assert deliver(store, {"slack": slack}) == ()
    assert slack.reports == []
    clock.advance(timedelta(seconds=1))
    assert deliver(store, {"slack": slack}) == ()
    assert numbers(slack.reports) == [claimed.report.cycle.number, 2, 3]
