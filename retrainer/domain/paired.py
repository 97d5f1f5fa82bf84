"""What champion and challenger answer to the same utterances, without the utterances.

Compact, so that a verdict can be computed anew a year later: labels are codes into one tuple.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Self

from retrainer.domain.examples import Example
from retrainer.domain.predictions import Prediction

#: The label of having no answer. No utterance is annotated with it.
NO_ANSWER = ""
#: Confidences are computed in single precision, and exceed 1 by as much.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Undone:
    """A fallback undone: what the classifier itself answered to the utterance at `position`."""

    position: int
    code: int
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Answers:
    """One model's answers as users get them, a fallback being an answer of its own.

    `codes` and `confidences` hold one entry an utterance; a confidence is None where the model
    gave no probability. `undone` are the utterances to which the classifier itself answered
    something else, by position; None where that is not known.
    """

    codes: tuple[int, ...]
    confidences: tuple[float | None, ...]
    undone: tuple[Undone, ...] | None = ()

    def classified(self) -> Self:
        """The classifier's own answers, as `rasa test nlu` counts them.

        Raises:
            ValueError: they are not known.
        """
        if self.undone is None:
            raise ValueError("what the classifier answered before the fallback is not known")
        codes, confidences = [*self.codes], [*self.confidences]
        for own in self.undone:
            codes[own.position], confidences[own.position] = own.code, own.confidence
        return replace(self, codes=tuple(codes), confidences=tuple(confidences), undone=())

    def at(self, positions: Sequence[int]) -> Self:
        """The answers to the utterances at these positions alone, which must rise."""
        undone = self.undone
        if undone is not None:
            moved = {position: number for number, position in enumerate(positions)}
            undone = tuple(
                replace(own, position=moved[own.position])
                for own in undone
                if own.position in moved
            )
        return replace(
            self,
            codes=tuple(self.codes[position] for position in positions),
            confidences=tuple(self.confidences[position] for position in positions),
            undone=undone,
        )

    @property
    def without_confidence(self) -> int:
        """How many answers came without a usable confidence (NaN, or not a probability)."""
        return self.confidences.count(None)


@dataclass(frozen=True, slots=True)
class PairedAnswers:
    """The answers of both models to the same utterances, and what was right.

    `gold` holds the code of each utterance's annotated intent. Every code is an index of `labels`.

    Raises:
        ValueError: lengths differ, a code has no label, a confidence is not a probability.
    """

    labels: tuple[str, ...]
    gold: tuple[int, ...]
    champion: Answers
    challenger: Answers

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels, of which some are the same")
        self._require_codes("annotation", self.gold)
        if NO_ANSWER in self.labels and self.labels.index(NO_ANSWER) in self.gold:
            raise ValueError("an utterance without an annotated intent cannot be compared on")
        for model, answers in (("champion", self.champion), ("challenger", self.challenger)):
            self._require_complete(model, answers)

    def __len__(self) -> int:
        return len(self.gold)

    @property
    def wins(self) -> int:
        """Utterances that only the challenger gets right."""
        return self._rights.count((False, True))

    @property
    def losses(self) -> int:
        """Utterances that only the champion gets right: the negative flips."""
        return self._rights.count((True, False))

    @property
    def _rights(self) -> list[tuple[bool, bool]]:
        answers = zip(self.gold, self.champion.codes, self.challenger.codes, strict=True)
        return [(gold == before, gold == after) for gold, before, after in answers]

    def classified(self) -> Self:
        """The same by the classifiers' own answers, every fallback undone.

        Raises:
            ValueError: these are not known of a model.
        """
        return replace(
            self, champion=self.champion.classified(), challenger=self.challenger.classified()
        )

    def among(self, intents: AbstractSet[str]) -> Self:
        """Only the utterances that are annotated with one of these intents."""
        kept = [n for n, code in enumerate(self.gold) if self.labels[code] in intents]
        return replace(
            self,
            gold=tuple(self.gold[position] for position in kept),
            champion=self.champion.at(kept),
            challenger=self.challenger.at(kept),
        )

    def triples(self) -> dict[tuple[str, str, str], int]:
        """How often each (annotated, champion's answer, challenger's answer) occurs, in order.

        All that accuracy and F1 of both models depend on.
        """
        counts = Counter(zip(self.gold, self.champion.codes, self.challenger.codes, strict=True))
        named = {
            (self.labels[gold], self.labels[before], self.labels[after]): count
            for (gold, before, after), count in counts.items()
        }
        return dict(sorted(named.items()))

    @property
    def digest(self) -> str:
        """Content address of the triples: 32 hexadecimal digits, the same in any order."""
        content = json.dumps([[*triple, count] for triple, count in self.triples().items()])
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def _require_codes(self, whose: str, codes: Sequence[int]) -> None:
        if wrong := [code for code in codes if not 0 <= code < len(self.labels)]:
            raise ValueError(f"{whose}: code {wrong[0]} has no label, there are {len(self.labels)}")

    def _require_complete(self, model: str, answers: Answers) -> None:
        if not len(self.gold) == len(answers.codes) == len(answers.confidences):
            raise ValueError(
                f"{model}: {len(answers.codes)} answers with {len(answers.confidences)} "
                f"confidences to {len(self.gold)} utterances"
            )
        undone = answers.undone or ()
        self._require_codes(model, answers.codes)
        self._require_codes(model, [own.code for own in undone])
        confidences = [*answers.confidences, *(own.confidence for own in undone)]
        if wrong := [c for c in confidences if c is not None and not 0 <= c <= 1]:
            raise ValueError(f"{model}: a confidence lies between 0 and 1, not {wrong[0]}")
        positions = [own.position for own in undone]
        if positions != sorted({*positions} & {*range(len(self.gold))}):
            raise ValueError(f"{model}: fallbacks undone at positions {positions}")


def pair(
    examples: Sequence[Example],
    champion: Mapping[str, Prediction],
    challenger: Mapping[str, Prediction],
) -> PairedAnswers:
    """Put the answers of both models to the same utterances beside each other.

    Examples without an intent are left out, as in all figures of intents. A confidence that is no
    probability (NaN, infinite, above 1) becomes None.

    Raises:
        ValueError: a model did not answer every utterance.
    """
    labelled = [example for example in examples if example.intent]
    answered = {
        "champion": _answered("champion", labelled, champion),
        "challenger": _answered("challenger", labelled, challenger),
    }
    labels = {example.intent for example in labelled}
    for predictions in answered.values():
        for prediction in predictions:
            labels |= {prediction.served_intent or NO_ANSWER, prediction.intent or NO_ANSWER}
    codes = {label: code for code, label in enumerate(sorted(labels))}
    return PairedAnswers(
        labels=tuple(codes),
        gold=tuple(codes[example.intent] for example in labelled),
        **{model: _answers(predictions, codes) for model, predictions in answered.items()},
    )


def _answered(
    model: str, examples: Sequence[Example], predictions: Mapping[str, Prediction]
) -> list[Prediction]:
    if missing := [example.text for example in examples if example.text not in predictions]:
        raise ValueError(
            f"the {model} has no answer to {len(missing)} of {len(examples)} utterances, "
            f"the first is {missing[0]!r}"
        )
    return [predictions[example.text] for example in examples]


def _answers(predictions: Sequence[Prediction], codes: Mapping[str, int]) -> Answers:
    served = [
        (codes[p.served_intent or NO_ANSWER], _share(p.served_confidence)) for p in predictions
    ]
    own = [(codes[p.intent or NO_ANSWER], _share(p.confidence)) for p in predictions]
    return Answers(
        codes=tuple(code for code, _ in served),
        confidences=tuple(confidence for _, confidence in served),
        undone=tuple(
            Undone(position, *classified)
            for position, classified in enumerate(own)
            if classified != served[position]
        ),
    )


def _share(confidence: float) -> float | None:
    return min(confidence, 1.0) if 0 <= confidence <= 1 + _ROUNDING else None
