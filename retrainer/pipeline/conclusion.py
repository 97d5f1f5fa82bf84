"""What always follows a cycle, however it ended: telling people and tidying up."""

from collections.abc import Callable, Mapping, Sequence

from retrainer.domain.cycle import Cycle, State, Status
from retrainer.domain.verdict import Outcome
from retrainer.errors import NotificationError
from retrainer.ports import Notifier, PendingNotification, RunStore, SummaryNotifier

_OF_OUTCOME = {
    Outcome.PROMOTE: "promoted",
    Outcome.HOLD: "held",
    Outcome.REJECT: "rejected",
}
#: Everything that a notifier may be told of.
EVENTS = (*_OF_OUTCOME.values(), "failed", "abandoned", "skipped", "dry_run")


def event(status: Status, cycle: Cycle, state: State) -> str:
    """How the cycle ended, as one of EVENTS."""
    if status is not Status.COMPLETED:
        return status.value
    if cycle.dry_run or state.verdict is None:
        return "dry_run"
    return _OF_OUTCOME[state.verdict.outcome]


def deliver(
    store: RunStore,
    notifiers: Mapping[str, Notifier],
    *,
    owner: str,
    recovered: Callable[[str], None] = lambda _: None,
) -> tuple[str, ...]:
    """Deliver what is due; returns a sentence for each notifier that has to be tried again.

    `recovered` hears a sentence of each that was told at last what it could not be told before.

    A notifier is somebody else's code and somebody else's server: nothing that it raises may
    change how a cycle ended, and one that failed is left in peace until its delay is over. A name
    that is not in our config may be in another one that shares the database. `owner` is this
    process: what it is at, others leave alone.
    """
    told = (
        _deliver_to(name, notifier, store, owner, recovered) for name, notifier in notifiers.items()
    )
    return tuple(problem for problem in told if problem is not None)


def _deliver_to(
    name: str, notifier: Notifier, store: RunStore, owner: str, recovered: Callable[[str], None]
) -> str | None:
    """Tell one notifier all that is due; why it has to be tried again, if so."""
    together = isinstance(notifier, SummaryNotifier)
    while claimed := store.claim_notifications(name, owner=owner, together=together):
        told, error = claimed, _tell(name, notifier, claimed)
        if error is not None and error.retry_after is None and len(claimed) > 1:
            # It may be one of them that is never taken, and the others are not to wait for it.
            told = claimed[:1]
            error = _tell(name, notifier, told)
        if error is not None:
            store.not_delivered(told[0].number, error.message, error.retry_after)
            return f"{name}: {error}; it will be tried again"
        store.delivered(*(each.number for each in told))
        if failures := max(each.attempts for each in told):
            cycle = told[0].report.cycle.number
            recovered(f"{name}: told of cycle {cycle} at last, after {failures} failures")
    return None


def _tell(
    name: str, notifier: Notifier, claimed: Sequence[PendingNotification]
) -> NotificationError | None:
    """Tell of the newest of these cycles, and in short of the others; the error if that failed."""
    *missed, newest = (p.report for p in sorted(claimed, key=lambda each: each.number))
    try:
        if missed and isinstance(notifier, SummaryNotifier):
            notifier.notify_summary(newest, missed)
        else:
            notifier.notify(newest)
    except NotificationError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a plugin's bug must not fail the cycle
        # Its words may hold a secret, such as the URL that it posts to.
        return NotificationError(
            f"it raised {type(error).__name__}, which is a fault of its own code: look at the "
            f"plugin that notifiers.{name} names"
        )
    return None
