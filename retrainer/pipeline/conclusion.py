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
    """Deliver what is due; returns a sentence for each notifier that has to be tried again.

    A notifier is somebody else's code and somebody else's server: nothing that it raises may
    change how a cycle ended, and one that failed is left in peace until its delay is over.
    """
    problems: dict[str, str] = {}
    for pending in store.due_notifications():
        name = pending.notifier
        # A name that is not in our config may be in another one that shares the database.
        if name in problems or name not in notifiers:
            continue
        try:
            notifiers[name].notify(pending.report)
        except NotificationError as error:
            store.not_delivered(pending.number, str(error), error.retry_after)
            problems[name] = f"{name}: {error}; it will be tried again"
        except Exception as error:  # noqa: BLE001 - a plugin's bug must not fail the cycle
            # Its words may hold a secret, such as the URL that it posts to.
            kind = type(error).__name__
            store.not_delivered(pending.number, kind, None)
            problems[name] = (
                f"{name} raised {kind}, which is a fault of its own code: look at the plugin that "
                f"notifiers.{name} names; it will be tried again"
            )
        else:
            store.delivered(pending.number)
    return tuple(problems.values())
