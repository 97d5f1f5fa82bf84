"""The ledger against what really serves."""

from retrainer.domain.cycle import Promotion, PromotionReason
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
