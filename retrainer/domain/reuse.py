"""How often the same utterances were asked to choose a champion, and what that does to its score.

Whoever is chosen by a test set looks better on it than he is: the winner was lucky there too
(Blum and Hardt 2015). So each use of an utterance is counted, and a champion's score is told apart
on those that it was chosen by and on those that came later.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

#: Fewer utterances than this say nothing about optimism.
_ENOUGH = 30


@dataclass(frozen=True, slots=True)
class Uses:
    """Of every utterance, by its `example_key`: when a cycle first asked it, and how many did.

    `last` is the challenger of the newest cycle that was counted.
    """

    last: str = ""
    items: Mapping[str, tuple[datetime, int]] = field(default_factory=dict)

    def before(self, challenger: str, keys: Sequence[str]) -> list[int]:
        """How many cycles before that of the challenger asked each of them."""
        counted = self.last == challenger
        return [self.items[key][1] - counted if key in self.items else 0 for key in keys]

    def after(self, challenger: str, keys: Sequence[str], at: datetime) -> "Uses":
        """With a cycle's use of them; again: the same, so that a resumed cycle counts once."""
        if self.last == challenger:
            return self
        used = {}
        for key in keys:
            first, number = self.items.get(key, (at, 0))
            used[key] = (first, number + 1)
        return Uses(challenger, {**self.items, **used})


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many of `items` utterances were right."""

    right: int
    items: int

    @property
    def share(self) -> float:
        """The share that was right; NaN without utterances."""
        return self.right / self.items if self.items else math.nan


@dataclass(frozen=True, slots=True)
class Reuse:
    """What is known of earlier uses of the utterances of an evaluation.

    `uses` maps how often an utterance was asked before to how many utterances were asked so often.
    `chosen_by` and `later` are the champion's accuracy, as served, on the utterances that were
    asked when it became champion or before, and on those that came later.
    """

    uses: Mapping[int, int] = field(default_factory=dict)
    chosen_by: Accuracy = Accuracy(0, 0)
    later: Accuracy = Accuracy(0, 0)

    @property
    def items(self) -> int:
        """How many utterances."""
        return sum(self.uses.values())

    def worn(self, budget: int) -> int:
        """How many utterances were asked so often before, or more often."""
        return sum(number for uses, number in self.uses.items() if uses >= budget)

    @property
    def most(self) -> int:
        """How often the most used one was asked before."""
        return max(self.uses, default=0)

    @property
    def optimism(self) -> tuple[float, float] | None:
        """By how much the champion looks too good where it was chosen, and the standard error.

        The difference of two accuracies on different utterances; both are shares. None where too
        few utterances came later, or were there before.
        """
        if min(self.chosen_by.items, self.later.items) < _ENOUGH:
            return None
        variance = sum(one.share * (1 - one.share) / one.items for one in self._parts)
        return self.chosen_by.share - self.later.share, math.sqrt(variance)

    @property
    def _parts(self) -> tuple[Accuracy, Accuracy]:
        return self.chosen_by, self.later


def reuse(
    uses: Uses,
    challenger: str,
    right: Mapping[str, bool],
    chosen_at: datetime | None,
) -> Reuse:
    """Earlier uses of the utterances, and the champion's answers to them.

    `right` says of each utterance, by its `example_key`, whether the champion understands it;
    `chosen_at` is when a cycle's verdict made it the champion, None where none did.
    """
    counts = Counter(uses.before(challenger, tuple(right)))
    parts: tuple[list[bool], list[bool]] = ([], [])
    for key, understood in right.items():
        if chosen_at is not None:
            known = uses.items.get(key)
            came_later = known is None or known[0] > chosen_at
            parts[came_later].append(understood)
    chosen_by, later = (Accuracy(sum(part), len(part)) for part in parts)
    return Reuse(dict(sorted(counts.items())), chosen_by, later)
