"""What champion and challenger answer to the same utterances, as counts.

Accuracy, F1 and the difference of the two models in each depend on nothing but how often each
triple of annotation, champion's and challenger's answer occurs. So these counts are kept of every
evaluation, and any policy can judge it anew a year later.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal, Self

from retrainer.domain.examples import Example
from retrainer.domain.predictions import Prediction

#: The label of having no answer. No utterance is annotated with it.
NO_ANSWER = ""

#: As users get the answers, a fallback being one, or the classifier's own, a fallback undone.
Answers = Literal["served", "classified"]


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """On how many of `items` only the challenger (`wins`) or only the champion (`losses`) is right.

    Raises:
        ValueError: a number is negative, or wins and losses are more than the items.
    """

    items: int
    wins: int
    losses: int

    def __post_init__(self) -> None:
        if min(self.wins, self.losses) < 0 or self.wins + self.losses > self.items:
            raise ValueError(f"{self.wins} wins and {self.losses} losses on {self.items} items")

    @property
    def gain(self) -> float:
        """Difference of the two accuracies, a share; 0 without items."""
        return (self.wins - self.losses) / self.items if self.items else 0.0

    @property
    def discordance(self) -> float:
        """Share of the items on which one model is right and the other wrong; 0 without items."""
        return (self.wins + self.losses) / self.items if self.items else 0.0

    @classmethod
    def of(cls, rights: Iterable[tuple[bool, bool]]) -> Self:
        """Count items; of each whether the champion, and whether the challenger, is right."""
        counts = Counter(rights)
        return cls(counts.total(), wins=counts[False, True], losses=counts[True, False])


@dataclass(frozen=True, slots=True)
class PairedAnswers:
    """How often each triple (annotation, champion's answer, challenger's answer) occurs.

    A row of `counts` holds the three as indexes of `labels`, then the number of utterances; rows
    rise, so equal answers are equal values.

    Raises:
        ValueError: labels repeat, an index has no label, a count is not positive, rows do not rise,
            or an utterance has no annotation.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, int, int, int], ...]

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels, of which some are the same")
        triples = [row[:3] for row in self.counts]
        if triples != sorted(set(triples)):
            raise ValueError("the rows of the counts must rise")
        known = {*range(len(self.labels))}
        if wrong := [row for row in self.counts if row[3] < 1 or not {*row[:3]} <= known]:
            raise ValueError(f"not a count of a triple of {len(self.labels)} labels: {wrong[0]}")
        if any(self.labels[row[0]] == NO_ANSWER for row in self.counts):
            raise ValueError("an utterance without an annotated intent cannot be compared on")

    def __len__(self) -> int:
        """How many utterances."""
        return sum(row[3] for row in self.counts)

    @classmethod
    def of(cls, triples: Mapping[tuple[str, str, str], int]) -> Self:
        """From how often each triple occurs."""
        labels = sorted({label for triple in triples for label in triple})
        codes = {label: code for code, label in enumerate(labels)}
        rows = ((*(codes[label] for label in triple), n) for triple, n in triples.items())
        return cls(tuple(labels), tuple(sorted(rows)))  # type: ignore[arg-type] # four each

    @property
    def totals(self) -> PairedCounts:
        """Wins and losses over all utterances."""
        return _counted(self.counts)

    def by_intent(self) -> Mapping[str, PairedCounts]:
        """Wins and losses on the utterances of each annotated intent, in alphabetical order."""
        rows: dict[str, list[tuple[int, int, int, int]]] = {}
        for row in self.counts:
            rows.setdefault(self.labels[row[0]], []).append(row)
        return {intent: _counted(rows[intent]) for intent in sorted(rows)}

    def among(self, intents: AbstractSet[str]) -> Self:
        """Only the utterances that are annotated with one of these intents."""
        kept = tuple(row for row in self.counts if self.labels[row[0]] in intents)
        return replace(self, counts=kept)

    def triples(self) -> dict[tuple[str, str, str], int]:
        """How often each (annotation, champion's answer, challenger's answer) occurs, in order."""
        named = {
            (self.labels[gold], self.labels[before], self.labels[after]): count
            for gold, before, after, count in self.counts
        }
        return dict(sorted(named.items()))

    @property
    def digest(self) -> str:
        """Content address of the triples: 32 hexadecimal digits."""
        content = json.dumps([[*triple, count] for triple, count in self.triples().items()])
        return hashlib.sha256(content.encode()).hexdigest()[:32]


def pair(
    examples: Sequence[Example],
    champion: Mapping[str, Prediction],
    challenger: Mapping[str, Prediction],
    answers: Answers = "served",
) -> PairedAnswers:
    """Count the answers of both models to the same utterances.

    Examples without an intent are left out, as in all figures of intents.

    Raises:
        ValueError: a model did not answer every utterance.
    """
    labelled = [example for example in examples if example.intent]
    _require_answers("champion", labelled, champion)
    _require_answers("challenger", labelled, challenger)
    return PairedAnswers.of(
        Counter(
            (e.intent, answer(champion[e.text], answers), answer(challenger[e.text], answers))
            for e in labelled
        )
    )


def answer(prediction: Prediction, answers: Answers = "served") -> str:
    """The intent that counts as the model's answer; `NO_ANSWER` without one."""
    given = prediction.served_intent if answers == "served" else prediction.intent
    return given or NO_ANSWER


def _counted(rows: Iterable[tuple[int, int, int, int]]) -> PairedCounts:
    items = wins = losses = 0
    for gold, before, after, count in rows:
        items += count
        wins += count * (before != gold == after)
        losses += count * (before == gold != after)
    return PairedCounts(items, wins, losses)


def _require_answers(
    model: str, examples: Sequence[Example], predictions: Mapping[str, Prediction]
) -> None:
    if missing := [example.text for example in examples if example.text not in predictions]:
        raise ValueError(
            f"the {model} has no answer to {len(missing)} of {len(examples)} utterances, "
            f"the first is {missing[0]!r}"
        )
