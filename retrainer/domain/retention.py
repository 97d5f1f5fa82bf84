"""Which models are kept, and which one to go back to."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from retrainer.domain.cycle import Model, Promotion, PromotionReason


def expired(
    models: Sequence[Model],
    *,
    serving: Sequence[str | None],
    keep: int,
    age: timedelta,
    now: datetime,
) -> tuple[Model, ...]:
    """The models beyond the newest `keep` or older than `age`, never one of `serving`.

    A model of unknown content, which others brought to the platform, is theirs to delete.
    """
    own = (model for model in models if model.sha256)
    newest_first = sorted(own, key=lambda m: (m.trained_at, m.name), reverse=True)
    return tuple(
        model
        for position, model in enumerate(newest_first)
        if (position >= keep or now - model.trained_at > age) and model.name not in serving
    )


def predecessor(active: str | None, ledger: Sequence[Promotion]) -> str | None:
    """The champion before the active one, from the ledger (newest first); None if there is none.

    A rollback does not make the model that it left the predecessor: going back twice leads two
    models back, to what preceded the active one when it was last promoted.
    """
    for row in ledger:
        if (
            row.model == active
            and row.previous != active
            and row.reason is not PromotionReason.ROLLBACK
        ):
            return row.previous
    return None
