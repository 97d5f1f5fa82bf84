"""The folds of a cross-validation: each example is held out in one of them, for ever the same.

As with the holdout, a stable hash of the normalised text decides, never a draw. The first of five
folds holds what a holdout of a fifth would.
"""

from collections.abc import Mapping, Sequence

from retrainer.domain.examples import Example
from retrainer.domain.split import Split, position, separate


def fold_of(key: str, folds: int) -> int:
    """In which of so many folds, from 1, the example of this key is held out."""
    return 1 + int(position(key) * folds)


def hold_out(examples: Sequence[Example], fold: int, *, folds: int, minimum: int) -> Split:
    """Keep the examples of one fold, from 1, out of the training.

    As `split`: an intent with fewer than `minimum` distinct texts stays whole in every training,
    and one that lies in this fold as a whole stays in this one.
    """
    return separate(examples, lambda key: fold_of(key, folds) == fold, minimum=minimum)


def undivided(examples: Sequence[Example], *, folds: int, minimum: int) -> Mapping[str, int]:
    """The intents and responses that are held out in no fold, with their number of texts."""
    found: dict[str, int] = {}
    for fold in range(1, folds + 1):
        found |= hold_out(examples, fold, folds=folds, minimum=minimum).whole
    return dict(sorted(found.items()))
