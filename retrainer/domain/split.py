"""Which examples are kept out of every training.

Membership is a stable hash of the normalised text, never a draw: a nightly random re-split
lets the champion see tomorrow's test items and was measured to flatter it by 8 to 17 points.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from retrainer.domain.examples import Example, example_key

_HEX_DIGITS = 12
_RANGE = 1 << 4 * _HEX_DIGITS


@dataclass(frozen=True, slots=True)
class Split:
    """Which examples train and which are held out.

    `whole` maps each intent (and each response) that is too small to split to its number of
    distinct examples.
    """

    training: tuple[Example, ...]
    held_out: tuple[Example, ...]
    whole: Mapping[str, int] = field(default_factory=dict)


def position(key: str) -> float:
    """Where the example of this key stands for ever, from 0 to below 1, as if drawn evenly."""
    return int(key[:_HEX_DIGITS], 16) / _RANGE


def in_holdout(key: str, fraction: float) -> bool:
    """Whether the example of this key belongs to the holdout; growing `fraction` only ever adds."""
    return position(key) < fraction


def split(examples: Sequence[Example], *, fraction: float, minimum: int) -> Split:
    """Split by stable hash.

    `fraction` is a share, 0 to 1, of the distinct texts.
    An intent with fewer than `minimum` distinct texts stays whole in training, and so does one
    that the holdout would leave without anything to train on.
    """
    return separate(examples, lambda key: in_holdout(key, fraction), minimum=minimum)


def separate(
    examples: Sequence[Example], is_chosen: Callable[[str], bool], *, minimum: int
) -> Split:
    """As `split`, with any choice of what is to be held out, by `example_key`."""
    chosen = {key for key in map(_key, examples) if is_chosen(key)}
    intents, responses = _keys_by(examples, "intent"), _keys_by(examples, "response")
    whole = {i: keys for i, keys in intents.items() if len(keys) < minimum or keys <= chosen}
    # A response that would be left with nothing to train on could never be answered with.
    whole |= {response: keys for response, keys in responses.items() if keys <= chosen}
    # A text under two labels leaves training under both, or the holdout would not be unseen.
    out = chosen - {key for keys in whole.values() for key in keys}
    return Split(
        training=tuple(e for e in examples if _key(e) not in out),
        held_out=tuple(e for e in examples if _key(e) in out),
        whole={label: len(keys) for label, keys in sorted(whole.items())},
    )


def _key(example: Example) -> str:
    return example_key(example.text)


def _keys_by(
    examples: Iterable[Example], label: Literal["intent", "response"]
) -> dict[str, set[str]]:
    keys: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        if name := getattr(example, label):
            keys[name].add(_key(example))
    return keys


def distinct(examples: Iterable[Example]) -> tuple[Example, ...]:
    """The first example of each (text, label): a repeated example must not count twice in a test."""
    first: dict[tuple[str, str], Example] = {}
    for example in examples:
        first.setdefault((example_key(example.text), example.label), example)
    return tuple(first.values())
