"""What is to be said of training data before anything is trained on it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from retrainer.domain.examples import Example, example_key

#: How many conflicts are kept by name.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Conflict:
    """A text that the data gives several labels, in alphabetical order."""

    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EarlierData:
    """The data of the champion's snapshot.

    `examples` counts what was read, `intents` the different texts of each intent; 0 and empty where
    that was not recorded.
    """

    model: str
    examples: int
    intents: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DataQuality:
    """The snapshot of a cycle in numbers.

    Texts that differ in case and white space alone are the same; an example that repeats another
    letter by letter is dropped by Rasa, and is not counted. `duplicates` are further examples of the
    same text and label. `conflicts` are texts with several labels, of which `conflicting` shows
    some. `unused` intents are declared and have no example. `errors` and `warnings` are the findings
    of the validation. `champion` is None where there is none, or its data is not known.
    """

    examples: int
    texts: int
    intents: Mapping[str, int]
    duplicates: int = 0
    conflicts: int = 0
    conflicting: tuple[Conflict, ...] = ()
    unused: tuple[str, ...] = ()
    errors: int = 0
    warnings: int = 0
    champion: EarlierData | None = None

    @property
    def lost(self) -> float | None:
        """Share of the examples that have gone since the champion's snapshot; None if unknown."""
        if self.champion is None or not self.champion.examples:
            return None
        return max(0.0, 1 - self.examples / self.champion.examples)

    @property
    def lost_by_intent(self) -> Mapping[str, float]:
        """The same of each intent that the champion's snapshot had."""
        before = self.champion.intents if self.champion else {}
        return {i: max(0.0, 1 - self.intents.get(i, 0) / n) for i, n in before.items() if n}

    @property
    def shift(self) -> float | None:
        """Total variation distance of the intents' shares, 0 (equal) to 1; None if unknown."""
        before = self.champion.intents if self.champion else {}
        then, now = sum(before.values()), sum(self.intents.values())
        if not then or not now:
            return None
        intents = before.keys() | self.intents.keys()
        return sum(abs(self.intents.get(i, 0) / now - before.get(i, 0) / then) for i in intents) / 2


def examine(
    examples: Sequence[Example],
    *,
    declared: Collection[str] = (),
    errors: int = 0,
    warnings: int = 0,
    champion: EarlierData | None = None,
) -> DataQuality:
    """Count; `declared` are the intents of the domain."""
    labelled = [example for example in examples if example.intent]
    labels: dict[str, set[str]] = {}
    wording: dict[str, str] = {}
    for example in labelled:
        key = example_key(example.text)
        labels.setdefault(key, set()).add(example.label)
        wording.setdefault(key, example.text)
    conflicts = [key for key, given in labels.items() if len(given) > 1]
    intents = count_texts(labelled)
    return DataQuality(
        examples=len(labelled),
        texts=len(labels),
        intents=intents,
        duplicates=len(labelled) - sum(map(len, labels.values())),
        conflicts=len(conflicts),
        conflicting=tuple(
            Conflict(wording[key], tuple(sorted(labels[key]))) for key in conflicts[:_SHOWN]
        ),
        unused=tuple(sorted(set(declared) - intents.keys())),
        errors=errors,
        warnings=warnings,
        champion=champion,
    )


def count_texts(examples: Iterable[Example]) -> dict[str, int]:
    """How many different texts each intent has, in alphabetical order."""
    keys: dict[str, set[str]] = {}
    for example in examples:
        if example.intent:
            keys.setdefault(example.intent, set()).add(example_key(example.text))
    return {intent: len(keys[intent]) for intent in sorted(keys)}
