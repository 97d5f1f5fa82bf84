"""What always follows a cycle, however it ended: telling people and tidying up."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from retrainer.domain.cycle import Cycle, Model, Promotion, State, Status
from retrainer.domain.verdict import Outcome
from retrainer.errors import NotificationError, RetrainerError
from retrainer.pipeline import records
from retrainer.pipeline.world import World
from retrainer.ports import CycleReport, Notifier, RunStore

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


def sweep(world: World, report: CycleReport) -> None:
    """Delete the models, records and snapshots that the retention no longer keeps.

    Tidying up never changes how a cycle ended: what cannot be deleted now is tried again.
    """
    if report.cycle.dry_run or report.state.same_as is not None:
        return
    try:
        _sweep_models(world)
        _sweep_logs(world)
        _sweep_snapshots(world, report)
    except (RetrainerError, OSError):
        return


def _sweep_models(world: World) -> None:
    active = world.platform.active()
    old = expired(
        world.platform.models(),
        serving=(active, predecessor(active, world.store.promotions(world.assistant.name))),
        keep=world.assistant.keep_models,
        age=world.assistant.keep_age,
        now=world.clock.now(),
    )
    for model in old:
        world.platform.remove(model.name)
        world.artifacts.delete(records.model_name(model.name))


def _sweep_snapshots(world: World, report: CycleReport) -> None:
    """Keep what the stored models were trained on, and what was pulled last."""
    manifests = [records.read_manifest(world.artifacts, m.name) for m in world.platform.models()]
    kept = {manifest.snapshot for manifest in manifests if manifest is not None}
    if report.state.snapshot is not None:
        kept.add(report.state.snapshot.digest)
    world.snapshots.sweep(sorted(kept))


def _sweep_logs(world: World) -> None:
    oldest = (world.clock.now() - world.assistant.keep_age).timestamp()
    for log in world.folder.glob("*.log"):
        if log.stat().st_mtime < oldest:
            log.unlink(missing_ok=True)


def expired(
    models: Sequence[Model],
    *,
    serving: Sequence[str | None],
    keep: int,
    age: timedelta,
    now: datetime,
) -> tuple[Model, ...]:
    """The models beyond the newest `keep` or older than `age`, never one of `serving`."""
    newest_first = sorted(models, key=lambda m: (m.trained_at, m.name), reverse=True)
    return tuple(
        model
        for position, model in enumerate(newest_first)
        if (position >= keep or now - model.trained_at > age) and model.name not in serving
    )


def predecessor(active: str | None, ledger: Sequence[Promotion]) -> str | None:
    """The champion before the active one, from the ledger (newest first); None if there is none.

    After a rollback the ledger's newest row leads back to an older model, and going back once
    more must lead to what preceded that one: the row that first made the active model champion.
    """
    made = [p for p in ledger if p.model == active and p.previous != active]
    return made[-1].previous if made else None
