"""What a probe is told of the daemon."""

from datetime import UTC, datetime, timedelta

import pytest
from support.http_side import Health

from retrainer.web.health import HUNG_AFTER, liveness, readiness

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
START = NOW - timedelta(hours=1)
OWNER, OTHER = "here/boot/ns/1/1", "there/boot/ns/22/1"
GOOD = Health(OWNER, NOW - timedelta(seconds=5), leader=OWNER)
HUNG = Health(OWNER, NOW - HUNG_AFTER - timedelta(seconds=1), leader=OWNER)
NEW = Health(OWNER, None)
NO_DATABASE = Health(OWNER, START, problem="database postgresql://ada@db.internal/x: refused")
STANDBY = Health(OWNER, NOW, leader=OTHER, standby=True)
BESIDE = Health(OWNER, NOW, leader=OTHER)
CLOCK_SET_BACK = Health(OWNER, NOW + timedelta(hours=1), leader=OWNER)


@pytest.mark.parametrize(
    ("health", "started_at", "lives", "ready"),
    [
        (GOOD, START, True, True),
        (BESIDE, START, True, True),
        (CLOCK_SET_BACK, START, True, True),
        (STANDBY, START, True, False),
        (NO_DATABASE, START, True, False),
        (HUNG, START, False, False),
        (NEW, NOW, True, False),
        (NEW, START, False, False),
    ],
)
def test_alive_and_ready_are_two_things(health, started_at, lives, ready):
    """A daemon that waits for its database, or for the leader, is not to be killed for it."""
    assert liveness(health, started_at=started_at, now=NOW).good is lives
    assert readiness(health, started_at=started_at, now=NOW).good is ready


def test_a_reason_says_what_is_wrong_and_nothing_that_strangers_need_not_know():
    """Who leads and for how long it hangs, but not where the database is."""
    assert (
        readiness(STANDBY, started_at=START, now=NOW).reason == "it stands by: there pid 22 leads"
    )
    hung = liveness(HUNG, started_at=START, now=NOW).reason
    assert hung is not None
    assert "121 s ago; after 120 s it is taken for hung" in hung
    for found in (liveness, readiness):
        reason = found(NO_DATABASE, started_at=START, now=NOW).reason
        assert reason == "the daemon cannot use its database; its log says why"
