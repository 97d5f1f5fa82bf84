"""The lease is kept while a step works, and only by its owner."""

import threading
from datetime import timedelta

import pytest

from retrainer.domain.cycle import Cycle, Trigger
from retrainer.errors import DatabaseError, LeaseLost
from retrainer.pipeline.heartbeat import Heartbeat
from retrainer.ports import Lease
from retrainer.testing.clock import FakeClock

LEASE = Lease(Cycle(1, "shop", Trigger.MANUAL, FakeClock().now()), "owner")


class Store:
    """Answers each renewal with what the test wants, and says when it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.renewals = 0
        self.asked = threading.Event()

    def renew(self, lease, until):
        assert lease is LEASE
        assert until > timedelta(0)
        self.renewals += 1
        answer = self.answers.pop(0) if self.answers else None
        if not self.answers:
            self.asked.set()
        if answer is not None:
            raise answer


def test_the_lease_is_renewed_again_and_again():
    """Work that outlasts the lease keeps it, a passing fault of the database included."""
    store = Store(None, None, DatabaseError("locked"), None)
    with Heartbeat(store, LEASE, length=timedelta(milliseconds=30)):
        assert store.asked.wait(10)
    assert store.renewals >= 4


def test_a_lost_lease_ends_the_renewals():
    """Whoever has the cycle now is not disturbed; the next write of the step fails instead."""
    store = Store(None, LeaseLost(), None)
    with Heartbeat(store, LEASE, length=timedelta(milliseconds=30)) as heartbeat:
        heartbeat.join(10)
    assert store.renewals == 2


def test_a_lost_lease_cuts_off_what_is_under_way():
    """A training of hours for a cycle that another process has now must not go on."""
    lost: list[str] = []
    store = Store(None, DatabaseError("locked"), LeaseLost())
    length = timedelta(milliseconds=30)
    with Heartbeat(store, LEASE, length=length, lost=lambda: lost.append("lost")) as heartbeat:
        heartbeat.join(10)
    assert lost == ["lost"]


def test_work_does_not_begin_without_the_lease():
    """A step whose cycle was taken over before it began does nothing."""
    with pytest.raises(LeaseLost), Heartbeat(Store(LeaseLost()), LEASE):
        pytest.fail("the step began")
