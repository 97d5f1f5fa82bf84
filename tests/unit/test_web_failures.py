"""How many wrong tokens an address may send."""

import logging
from datetime import timedelta

import pytest

from retrainer.testing.clock import FakeClock
from retrainer.web.failures import ADDRESSES, EVERY, MOST, Failures, TooManyFailures


def fail(failures: Failures, times: int, address: str | None = "192.0.2.1") -> None:
    for _ in range(times):
        failures.count(address)


def test_after_a_burst_an_address_has_to_wait(caplog):
    """Ten at once, then one each half minute; the error says when, and the log says it once."""
    clock = FakeClock()
    failures = Failures(clock)
    with caplog.at_level(logging.WARNING):
        fail(failures, MOST)
        for _ in range(3):
            with pytest.raises(TooManyFailures) as caught:
                fail(failures, 1)
            assert caught.value.retry_after == EVERY
    assert [record.getMessage() for record in caplog.records] == [
        "10 wrong tokens or signatures came from 192.0.2.1 in a row"
    ]
    clock.advance(timedelta(seconds=EVERY))
    fail(failures, 1)
    with pytest.raises(TooManyFailures):
        fail(failures, 1)
    clock.advance(timedelta(seconds=MOST * EVERY))
    fail(failures, MOST)


def test_each_address_counts_for_itself():
    """Somebody else's mistakes are not mine; an IPv6 client has a whole network of addresses."""
    failures = Failures(FakeClock())
    fail(failures, MOST)
    fail(failures, MOST, "192.0.2.2")
    fail(failures, MOST, None)
    for last in range(MOST):
        failures.count(f"2001:db8::{last:x}")
    with pytest.raises(TooManyFailures):
        failures.count("2001:db8::ffff%eth0")
    failures.count("2001:db8:0:1::1")


def test_the_memory_is_bounded():
    """Whoever has many addresses cannot make the daemon remember them all."""
    failures = Failures(FakeClock())
    fail(failures, MOST)
    for number in range(ADDRESSES):
        failures.count(f"10.0.{number >> 8}.{number & 255}")
    assert len(failures._levels) == ADDRESSES
    fail(failures, MOST)  # forgotten: its failures were longest ago
