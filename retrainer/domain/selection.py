"""Choosing among several challengers of a cycle, and what is then left to test the chosen one on.

The best of several looks better than it is on the examples that chose it. So where several are
compared, the examples are two stable halves: one chooses, and the other alone tests the winner.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retrainer.domain.examples import Example, example_key

#: The digits of a key that say which half it belongs to; the holdout follows from those before.
_DIGITS = slice(12, 24)
_MIDDLE = 1 << 4 * 12 - 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several challengers that a cycle trains, of which one is chosen.

    `config` is its config file in the project; `seed` the one that its components were given, None
    for those of the config; `finetuned_from` the champion that it was finetuned from, empty where
    there was none, None for a training from scratch.
    `score` is its served accuracy on the half that chooses, None where it was not needed or had;
    `seconds` is how long its training took. `skipped` says why it was not in the running.
    """

    config: str
    seed: int | None = None
    finetuned_from: str | None = None
    seconds: float = 0.0
    score: float | None = None
    chosen: bool = False
    skipped: str | None = None

    @property
    def label(self) -> str:
        """What makes it another than the others, for people."""
        parts = [self.config]
        if self.seed is not None:
            parts.append(f"seed {self.seed}")
        if self.finetuned_from is not None:
            parts.append(f"finetuned from {self.finetuned_from or 'the champion'}")
        return ", ".join(parts)


def chooses(key: str) -> bool:
    """Whether the example of this key belongs to the half that chooses; for ever."""
    return int(key[_DIGITS], 16) < _MIDDLE


def choosing_half(examples: Iterable[Example]) -> tuple[Example, ...]:
    """The examples by which the best challenger may be chosen."""
    return tuple(example for example in examples if chooses(example_key(example.text)))


def spent(examples: Iterable[Example], tried: Sequence[Candidate]) -> frozenset[str]:
    """The `example_key` of each example that cannot test the winner, since it chose it.

    Empty unless two or more were compared.
    """
    if sum(candidate.score is not None for candidate in tried) <= 1:
        return frozenset()
    return frozenset(example_key(example.text) for example in choosing_half(examples))


def best(tried: Sequence[Candidate]) -> int | None:
    """The position of the one with the highest score, the first of equals; None if none is left."""
    running = [number for number, each in enumerate(tried) if each.skipped is None]
    return min(running, key=lambda number: -(tried[number].score or 0.0), default=None)
