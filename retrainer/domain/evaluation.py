"""Champion and challenger, measured on the same examples."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from retrainer.domain.examples import Entity, Example, MustPass, example_key
from retrainer.domain.metrics import IntentFigures, measure
from retrainer.domain.predictions import Prediction


@dataclass(frozen=True, slots=True)
class MustPassResult:
    """How one must-pass utterance fared; `problem` is a phrase, None when it passed."""

    text: str
    expected: str
    answered: str | None
    confidence: float
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PlatformFigures:
    """What a platform measured of a model by itself, as Rasa X does.

    Its examples are those that it stores, so mostly those that the model was trained on. None is
    what it did not say.
    """

    f1: float | None
    precision: float | None = None
    accuracy: float | None = None
    examples: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One model measured on one test set.

    `test_set` is the digest of the examples: reports on different ones must not be compared.
    `platform` is what the platform says of the model; no metric of ours.
    """

    model: str
    test_set: str
    examples: int
    metrics: Mapping[str, float]
    intents: Mapping[str, IntentFigures] = field(default_factory=dict)
    must_pass: tuple[MustPassResult, ...] = ()
    platform: PlatformFigures | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """An utterance on which the two models differ in being right.

    `regression` is True where the champion was right and the challenger is wrong.
    """

    text: str
    intent: str
    champion: str | None
    champion_confidence: float
    challenger: str | None
    challenger_confidence: float
    regression: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many candidates for the test set were left out, because a model trained on them."""

    challenger_saw: int = 0
    champion_saw: int = 0


@dataclass(frozen=True, slots=True)
class TestSet:
    """The examples to measure on, and what was left out to keep the comparison honest."""

    examples: tuple[Example, ...]
    left_out: LeftOut = LeftOut()

    __test__ = False  # not a pytest class

    @property
    def digest(self) -> str:
        """Content address of the examples: 32 hexadecimal digits, independent of their order."""
        lines = sorted(f"{e.text}\0{e.label}\0{_annotation(e.entities)}" for e in self.examples)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The whole comparison; `champion` is None when no model serves yet.

    `champion_known` is False when it is not recorded what the champion was trained on, so that
    the champion may have seen any of the examples.
    `unmeasured` lists the intents of the training data without an example in the test set.
    """

    challenger: Report
    champion: Report | None = None
    left_out: LeftOut = LeftOut()
    champion_known: bool = True
    flips: tuple[Flip, ...] = ()
    unmeasured: tuple[str, ...] = ()


def unseen(
    candidates: Sequence[Example],
    *,
    challenger_saw: AbstractSet[str],
    champion_saw: AbstractSet[str],
) -> TestSet:
    """Leave out what either model trained on; both sets hold `example_key`s."""
    kept, by_challenger, by_champion = [], 0, 0
    for example in candidates:
        key = example_key(example.text)
        if key in challenger_saw:
            by_challenger += 1
        elif key in champion_saw:
            by_champion += 1
        else:
            kept.append(example)
    return TestSet(tuple(kept), LeftOut(challenger_saw=by_challenger, champion_saw=by_champion))


def report(
    model: str,
    test_set: TestSet,
    predictions: Mapping[str, Prediction],
    must_pass: Sequence[MustPass] = (),
) -> Report:
    """Measure one model; `predictions` maps each text to the model's answer.

    Raises:
        KeyError: a prediction is missing.
    """
    figures = measure(test_set.examples, [predictions[e.text] for e in test_set.examples])
    return Report(
        model=model,
        test_set=test_set.digest,
        examples=len(test_set.examples),
        metrics=figures.metrics,
        intents=figures.intents,
        must_pass=tuple(assess_must_pass(m, predictions[m.example.text]) for m in must_pass),
    )


def find_flips(
    test_set: TestSet,
    champion: Mapping[str, Prediction],
    challenger: Mapping[str, Prediction],
) -> tuple[Flip, ...]:
    """The utterances that one model gets right and the other wrong.

    Regressions come first, in each group the most confident change first.
    """
    flips = []
    for example in test_set.examples:
        before, after = champion[example.text], challenger[example.text]
        if (before.intent == example.intent) == (after.intent == example.intent):
            continue
        flips.append(
            Flip(
                text=example.text,
                intent=example.intent,
                champion=before.intent,
                champion_confidence=before.confidence,
                challenger=after.intent,
                challenger_confidence=after.confidence,
                regression=before.intent == example.intent,
            )
        )
    return tuple(sorted(flips, key=lambda f: (not f.regression, -f.challenger_confidence, f.text)))


def assess_must_pass(must: MustPass, prediction: Prediction) -> MustPassResult:
    """Intent as users get it, confidence, and every annotated entity."""
    example = must.example
    expected, answered = example.intent, prediction.served_intent
    problem = None
    if answered != expected:
        problem = f"understood as {answered or 'nothing'} instead of {expected}"
    elif example.response and prediction.response != example.response:
        problem = (
            f"answered with {prediction.response or 'no response'} instead of {example.response}"
        )
    elif not prediction.served_confidence >= must.minimum_confidence:  # NaN fails too
        problem = (
            f"confidence {prediction.served_confidence:.3f} is below {must.minimum_confidence:.3f}"
        )
    elif missing := [e for e in example.entities if not _found(e, prediction.entities)]:
        problem = "entity not found: " + ", ".join(_describe(e, example.text) for e in missing)
    return MustPassResult(
        text=example.text,
        expected=example.label,
        answered=answered,
        confidence=prediction.served_confidence,
        problem=problem,
    )


def _found(wanted: Entity, extracted: Iterable[Entity]) -> bool:
    return any(
        (wanted.type, wanted.start, wanted.end, wanted.value, wanted.role, wanted.group)
        == (found.type, found.start, found.end, found.value, found.role, found.group)
        for found in extracted
    )


def _describe(entity: Entity, text: str) -> str:
    extra = "".join(f", {k} {v}" for k, v in (("role", entity.role), ("group", entity.group)) if v)
    return f"{entity.type}={entity.value!r} at {text[entity.start : entity.end]!r}{extra}"


def _annotation(entities: Iterable[Entity]) -> str:
    return ";".join(sorted(f"{e.type},{e.start},{e.end},{e.value}" for e in entities))
