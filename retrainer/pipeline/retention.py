"""Tidying up at the end of a cycle."""

from retrainer.domain.cycle import State
from retrainer.domain.retention import expired, predecessor
from retrainer.errors import PlatformError, RetrainerError
from retrainer.pipeline import records
from retrainer.pipeline.world import World

#: How many of Rasa's logs are kept of each assistant: the newest, as long as models are.
KEPT_LOGS = 100


def sweep(world: World, state: State) -> None:
    """Delete the models, records, snapshots and logs that the retention no longer keeps.

    It happens while the cycle is still ours, so no other cycle of the assistant is at work on
    them. It never changes how the cycle ends: what cannot be deleted is said, and tried again.
    """
    try:
        _sweep_models(world)
        _sweep_snapshots(world, state)
        _sweep_logs(world)
    except (RetrainerError, OSError) as error:
        world.listener.warn(f"old models and snapshots were not tidied up: {error}")


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
        try:
            world.platform.remove(model.name)
        except PlatformError as error:  # it serves elsewhere: that keeps this one, not the others
            world.listener.warn(f"{model.name} was not deleted: {error}")
        else:
            world.artifacts.delete(records.model_name(model.name))


def _sweep_snapshots(world: World, state: State) -> None:
    """Keep what the stored models were trained on, and what was pulled last.

    A version that cannot be read may be mended by a person, and needs its snapshot then.
    """
    if damaged := world.platform.damaged():
        world.listener.warn(f"no snapshot was deleted: {'; '.join(damaged)}")
        return
    manifests = [records.read_manifest(world.artifacts, m.name) for m in world.platform.models()]
    kept = {manifest.snapshot for manifest in manifests if manifest is not None}
    if state.snapshot is not None:
        kept.add(state.snapshot.digest)
    world.snapshots.sweep(sorted(kept))


def _sweep_logs(world: World) -> None:
    oldest = (world.clock.now() - world.assistant.keep_age).timestamp()
    logs = sorted(((log.stat().st_mtime, log) for log in world.folder.glob("*.log")), reverse=True)
    for position, (written, log) in enumerate(logs):
        if position >= KEPT_LOGS or written < oldest:
            log.unlink(missing_ok=True)
