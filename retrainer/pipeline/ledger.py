"""The ledger against what really serves."""

from retrainer.domain.cycle import Promotion, PromotionReason
from retrainer.errors import RetrainerError
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


def take_back(
    desk: Desk,
    model: str,
    *,
    before: str,
    actor: str,
    error: RetrainerError,
    cycle: int | None = None,
) -> None:
    """Make the model `before` the champion again, since `model` was not confirmed to serve.

    Again: the platform does nothing, and the ledger does not repeat its newest row.
    """
    desk.platform.activate(before, expected=model)
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
