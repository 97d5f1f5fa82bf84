"""What a person does to the champion, on the same ledger as what cycles do."""

from retrainer.domain.cycle import Promotion, PromotionReason
from retrainer.domain.retention import predecessor
from retrainer.domain.verdict import Outcome
from retrainer.errors import ModelNotFound, PlatformError, RetrainerError, VerdictAgainst
from retrainer.pipeline.ledger import activate, note_outside_change, take_back
from retrainer.pipeline.world import Desk


def promote(
    desk: Desk, model: str, *, actor: str, note: str, cycle: int | None = None
) -> Promotion:
    """Make a stored model the champion, whatever the policy says of it.

    `cycle` is the one that asked for this decision, if one did.

    Raises:
        ModelNotFound: the platform has no model of this name.
        PlatformError: it is the champion already, is damaged, or does not serve; then the model
            that served before serves again.
    """
    note_outside_change(desk)
    return _change(desk, model, PromotionReason.PERSON, actor, note, cycle)


def forced(model: str, cycle: int, verdict: Outcome, note: str, *, force: bool) -> str:
    """What the ledger says where a person promotes a model on which the verdict was another one.

    Raises:
        VerdictAgainst: it is not to be forced.
    """
    if force:
        return f"forced against {verdict.value.upper()} of cycle {cycle}: {note}"
    answer = f"`retrainer approve {cycle} --reason ...`, or " if verdict is Outcome.HOLD else ""
    raise VerdictAgainst(
        f"cycle {cycle} says {verdict.value.upper()} to {model}; `retrainer show {cycle}` says why",
        tip=f"{answer}promote it all the same with --force: the ledger will say who did, and why",
    )


def rollback(desk: Desk, *, actor: str, note: str) -> Promotion:
    """Make the champion's predecessor the champion again.

    Raises:
        ModelNotFound: there is no predecessor, or it is not stored any more.
        PlatformError: as `promote`.
    """
    note_outside_change(desk)
    active = desk.platform.active()
    before = predecessor(active, desk.store.promotions(desk.assistant))
    if before is None:
        raise ModelNotFound(
            f"{active or desk.assistant} has no predecessor on the ledger to go back to",
            tip="`retrainer models` lists what `retrainer promote MODEL --reason ...` can take",
        )
    return _change(desk, before, PromotionReason.ROLLBACK, actor, note)


def _change(
    desk: Desk,
    model: str,
    reason: PromotionReason,
    actor: str,
    note: str,
    cycle: int | None = None,
) -> Promotion:
    active = desk.platform.active()
    if active == model:
        raise PlatformError(f"{model} is the champion of {desk.assistant} already")
    activate(desk, model, expected=active)
    promotion = Promotion(
        assistant=desk.assistant,
        previous=active,
        model=model,
        reason=reason,
        actor=actor,
        at=desk.clock.now(),
        note=note,
        cycle=cycle,
    )
    desk.store.record_promotion(promotion)
    try:
        desk.platform.confirm(model)
    except RetrainerError as error:
        raise take_back(
            desk, model, before=active, actor=actor, error=error, cycle=cycle
        ) from error
    return promotion
