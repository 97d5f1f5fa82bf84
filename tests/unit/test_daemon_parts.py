"""The small parts of the daemon: waiting, giving way, trying again, working side by side."""

import os
import signal
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from retrainer.adapters.deadline import within
from retrainer.daemon.backoff import Backoff
from retrainer.daemon.crew import Crew
from retrainer.daemon.retries import Retries
from retrainer.daemon.wakeup import Wakeup
from retrainer.domain.cycle import Cycle, State, Status, Trigger
from retrainer.errors import NoThreadLeft
from retrainer.ports import CycleReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def no_thread_left():
    """A stack that no machine has room for: the system refuses each thread, as it does at a limit."""
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


def report(status: Status, failed_step: str | None = None, name: str = "shop") -> CycleReport:
    cycle = Cycle(1, name, Trigger.SCHEDULE, NOW, status=status)
    return CycleReport(cycle, State(), NOW, failed_step=failed_step)


def test_delays_double_up_to_a_cap():
    """What fails is left in peace for longer each time, and never for ever."""
    backoff = Backoff(first=5, longest=30)
    assert [backoff.failed("db", now=100) for _ in range(4)] == [5, 10, 20, 30]
    assert not backoff.is_over("db", now=129.9)
    assert backoff.is_over("db", now=130)
    backoff.worked("db")
    assert backoff.failed("db", now=0) == 5


def test_what_fails_for_years_still_has_its_cap():
    """No number of failures overflows the delay."""
    backoff = Backoff()
    for _ in range(5000):
        delay = backoff.failed("db", now=0)
    assert delay == 300


def test_others_do_not_wait():
    """The failures of one name are not those of another."""
    backoff = Backoff()
    backoff.failed("shop", now=0)
    assert backoff.is_over("bank", now=0)


def test_a_cycle_that_could_not_pull_is_tried_again_a_few_times():
    """After each delay once, then the schedule goes on."""
    retries = Retries(delays=(10, 20))
    assert retries.ended(report(Status.FAILED, "pull"), now=0) == 10
    assert retries.due(9.9) == ()
    (again,) = retries.due(10)
    assert again.cycle.assistant == "shop"
    assert retries.due(1000) == (again,)  # the database may have failed before it was asked for
    retries.asked(again)
    assert retries.due(1000) == ()
    assert retries.ended(report(Status.FAILED, "pull"), now=1000) == 20
    assert retries.ended(report(Status.FAILED, "pull"), now=2000) is None
    assert retries.ended(report(Status.FAILED, "pull"), now=3000) == 10


@pytest.mark.parametrize(
    ("status", "step"), [(Status.COMPLETED, None), (Status.FAILED, "train"), (Status.SKIPPED, None)]
)
def test_only_what_could_not_pull_is_tried_again(status, step):
    """Data that Rasa refuses, or a training that failed, would only fail again."""
    retries = Retries(delays=(10, 20))
    retries.ended(report(Status.FAILED, "pull"), now=0)
    assert retries.ended(report(status, step), now=0) is None
    assert retries.ended(report(Status.FAILED, "pull"), now=0) == 10


def test_a_crew_has_its_size():
    """No more work at a time than there is room for, and room again when one is done."""
    done, go = threading.Event(), threading.Event()
    crew = Crew(1, done=done.set)
    crew.begin("shop", go.wait, cancel=go.set)
    assert (crew.names, crew.free) == ({"shop"}, 0)
    with pytest.raises(ValueError, match="already"):
        crew.begin("shop", go.wait, cancel=go.set)
    crew.cancel()
    assert done.wait(5)
    assert (crew.names, crew.free) == (frozenset(), 1)


def test_a_crew_without_a_thread():
    """A machine at its limit is an error that says so, and the name is free for the next try."""
    crew = Crew(1, done=lambda: None)
    with no_thread_left():
        for _ in range(2):
            with pytest.raises(NoThreadLeft) as caught:
                crew.begin("shop", lambda: None, cancel=lambda: None)
            assert "TasksMax" in caught.value.tip
        with pytest.raises(NoThreadLeft):
            within(1, lambda: None, name="any")
    assert (crew.names, crew.free) == (frozenset(), 1)


def test_a_crew_may_shrink():
    """Fewer at a time than are at work means that none begins, not that one is cut off."""
    go = threading.Event()
    crew = Crew(2, done=lambda: None)
    crew.begin("shop", go.wait, cancel=go.set)
    crew.begin("bank", go.wait, cancel=go.set)
    crew.size = 1
    assert (crew.names, crew.free) == ({"shop", "bank"}, 0)
    crew.cancel()


def test_a_signal_handler_may_wake_whom_it_interrupts():
    """A wakeup within its own wait must not lock up the thread."""
    wakeup = Wakeup()
    previous = signal.signal(signal.SIGUSR1, lambda *_: wakeup.wake())
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        wakeup.wait(30)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, previous)
        wakeup.close()


def test_a_wakeup_before_the_wait_is_not_lost():
    """Who is woken while awake does not sleep then; any number of calls is one."""
    wakeup = Wakeup()
    for _ in range(100_000):
        wakeup.wake()
    wakeup.wait(30)
    wakeup.wait(0)
    wakeup.close()
