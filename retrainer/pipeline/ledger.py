"""The ledger against what really serves."""

from retrainer.domain.cycle import Promotion, PromotionReason
from retrainer.errors import OutcomeUnknown, PlatformError, RetrainerError, ServerError
from retrainer.pipeline.world import Desk


def newest(desk: Desk) -> Promotion | None:
    """The last recorded change of the champion; None before the first."""
    rows = desk.store.promotions(desk.assistant, limit=1)
    return rows[0] if rows else None


def note_outside_change(desk: Desk) -> None:
    """Put on the ledger that somebody else changed the active model, if so."""
    active, last = desk.platform.active(), newest(desk)
    recorded = last.model if last else None
    if active is not None and active != recorded:
        desk.store.record_promotion(
            Promotion(
                assistant=desk.assistant,
                previous=recorded,
                model=active,
                reason=PromotionReason.OUTSIDE,
                actor="unknown",
                at=desk.clock.now(),
                note="found active; the ledger did not know of it",
            )
        )


def activate(desk: Desk, model: str, *, expected: str | None) -> None:
    """Make the model the active one.

    An error on the way back from a change that was made is none: whether the model serves is for
    `confirm` to find out.

    Raises:
        OutcomeUnknown: it failed, and the platform cannot be asked any more.
        RetrainerError: it is not active; as `Platform.activate`.
    """
    try:
        desk.platform.activate(model, expected=expected)
    except RetrainerError as error:
        try:
            active = desk.platform.active()
        except ServerError:
            raise OutcomeUnknown(
                f"{error}; whether {model} serves now could not be asked",
                tip="`retrainer models` says what serves, as soon as the platform answers again; "
                "a cycle goes on from here at the next run",
            ) from error
        if active != model:
            raise


def take_back(
    desk: Desk,
    model: str,
    *,
    before: str | None,
    actor: str,
    error: RetrainerError,
    cycle: int | None = None,
) -> PlatformError:
    """Make the model `before` the champion again, since `model` was not confirmed to serve.

    The model `before` is confirmed in its turn. Returns what to raise: why `model` does not serve,
    and what serves now. Again: the platform does nothing, and the ledger does not repeat its
    newest row.

    Raises:
        OutcomeUnknown: the platform went away meanwhile.
    """
    failed = f"{model} was promoted but does not serve"
    if before is None:
        return PlatformError(
            f"{failed}, and there was no model before it: {error}",
            tip="promote a working model with `retrainer promote MODEL --reason ...`",
        )
    try:
        activate(desk, before, expected=model)
    except OutcomeUnknown:
        raise
    except RetrainerError as second:
        return PlatformError(
            f"{failed}: {error}; and {before} could not be brought back: {second}",
            tip="`retrainer models` says what serves; `retrainer promote MODEL --reason ...` "
            "changes it",
        )
    desk.store.record_promotion(
        Promotion(
            assistant=desk.assistant,
            previous=model,
            model=before,
            reason=PromotionReason.ROLLBACK,
            actor=actor,
            at=desk.clock.now(),
            note=f"{model} was not confirmed: {error}",
            cycle=cycle,
        )
    )
    try:
        desk.platform.confirm(before)
    except RetrainerError as second:
        return PlatformError(
            f"{failed}; {before} is back, but is not confirmed to serve either: {second}; "
            f"what was wrong with {model}: {error}",
            tip=second.tip or error.tip,
        )
    return PlatformError(f"{failed}; {before} is back: {error}", tip=error.tip)
