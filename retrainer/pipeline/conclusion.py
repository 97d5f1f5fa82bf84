"""What always follows a cycle, however it ended: telling people and tidying up."""

from collections.abc import Mapping

from retrainer.domain.cycle import Cycle, State, Status
from retrainer.domain.verdict import Outcome
from retrainer.errors import NotificationError
from retrainer.ports import Notifier, RunStore

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


def deliver(store: RunStore, notifiers: Mapping[str, Notifier]) -> tuple[str, ...]:
    """Deliver what is due; returns a sentence for each notification that has to be tried again.

    A notifier is somebody else's code and somebody else's server: nothing that it raises may
    change how a cycle ended.
    """
    problems = []
    for pending in store.due_notifications():
        notifier = notifiers.get(pending.notifier)
        if notifier is None:  # taken out of the config since
            store.delivered(pending.number)
            continue
        try:
            notifier.notify(pending.report)
        except NotificationError as error:
            store.not_delivered(pending.number, str(error), error.retry_after)
            problems.append(f"{pending.notifier}: {error}; it will be tried again")
        except Exception as error:  # noqa: BLE001 - a plugin's bug must not fail the cycle
            store.not_delivered(pending.number, repr(error), None)
            problems.append(f"{pending.notifier}: {error!r}; it will be tried again")
        else:
            store.delivered(pending.number)
    return tuple(problems)
