"""What a person does to the champion, on the same ledger as what cycles do."""

from retrainer.domain.cycle import Promotion, PromotionReason
from retrainer.errors import ModelNotFound, PlatformError
from retrainer.pipeline.conclusion import predecessor
from retrainer.pipeline.data_steps import note_outside_change
from retrainer.pipeline.world import World


def promote(world: World, model: str, *, actor: str, note: str) -> Promotion:
    """Make a stored model the champion, whatever the policy says of it.

    Raises:
        ModelNotFound: the platform has no model of this name.
        PlatformError: it is the champion already, or it does not serve now.
    """
    return _change(world, model, PromotionReason.PERSON, actor, note)


def rollback(world: World, *, actor: str, note: str) -> Promotion:
    """Make the champion's predecessor the champion again.

    Raises:
        ModelNotFound: there is no predecessor, or it is not stored any more.
    """
    active = world.platform.active()
    before = predecessor(active, world.store.promotions(world.assistant.name))
    if before is None:
        raise ModelNotFound(
            f"{active or world.assistant.name} has no predecessor on the ledger to go back to",
            tip="`retrainer models` lists what `retrainer promote MODEL --reason ...` can take",
        )
    return _change(world, before, PromotionReason.ROLLBACK, actor, note)


def _change(world: World, model: str, reason: PromotionReason, actor: str, note: str) -> Promotion:
    name = world.assistant.name
    stored = [m.name for m in world.platform.models()]
    if model not in stored:
        raise ModelNotFound(
            f"{name} has no model {model}; {len(stored)} are stored",
            tip=f"`retrainer models --assistant {name}` lists them",
        )
    note_outside_change(world)
    active = world.platform.active()
    if active == model:
        raise PlatformError(f"{model} is the champion of {name} already")
    world.platform.activate(model, expected=active)
    promotion = Promotion(
        assistant=name,
        previous=active,
        model=model,
        reason=reason,
        actor=actor,
        at=world.clock.now(),
        note=note,
    )
    world.store.record_promotion(promotion)
    world.platform.confirm(model)
    return promotion
