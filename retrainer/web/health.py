"""Whether the daemon lives, and whether it does its work."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from retrainer.store.owner import describe
from retrainer.web.daemon_view import DaemonHealth

#: A daemon that did not look for so long hangs: it looks every few seconds.
HUNG_AFTER = timedelta(minutes=2)
#: Said to anybody who asks, so it does not say where the database is.
_NO_DATABASE = "the daemon cannot use its database; its log says why"


@dataclass(frozen=True, slots=True)
class Condition:
    """One answer: whether all is well, and if not, what is."""

    good: bool
    reason: str | None = None


def liveness(health: DaemonHealth, *, started_at: datetime, now: datetime) -> Condition:
    """Whether the daemon lives: it looks what is due, or says what keeps it from that.

    A database out of reach is no reason to kill a daemon that waits for it.
    """
    if health.problem is not None:
        return Condition(good=True, reason=_NO_DATABASE)
    quiet = now - (health.looked_at or started_at)
    if quiet > HUNG_AFTER:
        return Condition(
            good=False,
            reason=f"the daemon last looked what is due {quiet.total_seconds():.0f} s ago; "
            f"after {HUNG_AFTER.total_seconds():.0f} s it is taken for hung",
        )
    return Condition(good=True)


def readiness(health: DaemonHealth, *, started_at: datetime, now: datetime) -> Condition:
    """Whether the daemon does its work now: it can use the database, and leads or works."""
    if health.problem is not None:
        return Condition(good=False, reason=_NO_DATABASE)
    if health.looked_at is None:
        return Condition(good=False, reason="the daemon has not looked what is due yet")
    if health.standby:
        leader = describe(health.leader) if health.leader else "another daemon"
        return Condition(good=False, reason=f"it stands by: {leader} leads")
    return liveness(health, started_at=started_at, now=now)
