"""Figures of one model on one set of examples.

The intent figures are those of `rasa test nlu` (scikit-learn's `classification_report` over the
intents that occur in the test set); a test holds them against Rasa's own to 1e-9.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from retrainer.domain.examples import Entity, Example
from retrainer.domain.predictions import NLU_FALLBACK, Prediction
from retrainer.domain.statistics import expected_calibration_error

#: A mistake of at least this confidence is a confident one.
CONFIDENT = 0.8

#: Every metric that a report may hold, with what it says. All are shares, 0 to 1.
METRICS: Mapping[str, str] = {
    "accuracy": "share of utterances whose intent was right",
    "precision_weighted": "precision of the intents, weighted by their number of examples",
    "recall_weighted": "recall of the intents, weighted by their number of examples",
    "f1_weighted": "F1 of the intents, weighted by their number of examples (Rasa's f1_score)",
    "precision_macro": "precision, every intent counting the same",
    "recall_macro": "recall, every intent counting the same",
    "f1_macro": "F1, every intent counting the same",
    "served_accuracy": "as accuracy, a fallback counting as the answer it is to users",
    "served_f1_weighted": "as f1_weighted, a fallback counting as the answer it is to users",
    "served_f1_macro": "as f1_macro, a fallback counting as the answer it is to users",
    "fallback_rate": "share of utterances answered with the fallback",
    "calibration_error": "how far confidence and accuracy lie apart (expected calibration error)",
    "confident_mistakes": f"share of utterances answered wrongly at a confidence from {CONFIDENT} on",
    "entity_precision": "share of extracted entities that are annotated with the same span and type",
    "entity_recall": "share of annotated entities extracted with the same span and type",
    "entity_f1": "F1 of the entities, span and type both right",
    "response_accuracy": "share of retrieval utterances answered with the right response",
}

#: What is better when it is lower.
LOWER_IS_BETTER = frozenset({"fallback_rate", "calibration_error", "confident_mistakes"})

#: Confidences are sums of single precision: so far above 1 is rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class IntentFigures:
    """Precision, recall and F1 (0 to 1) of one intent, on `support` examples of it.

    `confused_with` maps what was answered instead to how often, most frequent first.
    """

    precision: float
    recall: float
    f1: float
    support: int
    confused_with: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntityFigures:
    """Precision, recall and F1 (0 to 1) of one type of entity, on `support` annotated ones.

    An entity is right where span and type both are; those of a type that is nowhere annotated
    have support 0.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one model on one set of examples."""

    metrics: Mapping[str, float]
    intents: Mapping[str, IntentFigures]
    entities: Mapping[str, EntityFigures]


def measure(examples: Sequence[Example], predictions: Sequence[Prediction]) -> Figures:
    """Compare predictions with labels, item by item.

    Examples without an intent are left out of the intent figures, as Rasa does.
    A metric that has nothing to be measured on (entities, responses) is absent, never 0 or 1.

    Raises:
        ValueError: predictions and examples are not of the same texts in the same order.
    """
    if [e.text for e in examples] != [p.text for p in predictions]:
        raise ValueError("every example needs the prediction of its own text, in the same order")
    labelled = [(e, p) for e, p in zip(examples, predictions, strict=True) if e.intent]
    targets = [e.intent for e, _ in labelled]
    intents = classification([*targets], [p.intent or "" for _, p in labelled])
    metrics: dict[str, float] = {}
    if labelled:
        served = classification(targets, [p.served_intent or "" for _, p in labelled])
        metrics |= _averages(targets, [p.intent or "" for _, p in labelled], intents)
        as_served = _averages(targets, [p.served_intent or "" for _, p in labelled], served)
        metrics |= {
            f"served_{name}": as_served[name] for name in ("accuracy", "f1_weighted", "f1_macro")
        }
        fallbacks = sum(p.served_intent != p.intent for _, p in labelled)
        metrics["fallback_rate"] = fallbacks / len(labelled)
        metrics |= _trust(labelled)
    entities, overall = _entities(examples, predictions)
    if overall.support:
        metrics |= {f"entity_{n}": getattr(overall, n) for n in ("precision", "recall", "f1")}
    metrics |= _responses(examples, predictions)
    return Figures(metrics=metrics, intents=intents, entities=entities)


def classification(targets: Sequence[str], answers: Sequence[str]) -> dict[str, IntentFigures]:
    """Per-intent figures over the intents that occur among `targets`, in alphabetical order.

    As scikit-learn's `precision_recall_fscore_support` with `zero_division=0`.
    """
    support, answered, right = Counter(targets), Counter(answers), Counter[str]()
    confused: dict[str, Counter[str]] = defaultdict(Counter)
    for target, answer in zip(targets, answers, strict=True):
        if target == answer:
            right[target] += 1
        else:
            confused[target][answer] += 1
    figures = {}
    for intent in sorted(support):
        precision = _ratio(right[intent], answered[intent])
        recall = _ratio(right[intent], support[intent])
        figures[intent] = IntentFigures(
            precision=precision,
            recall=recall,
            f1=_f1(precision, recall),
            support=support[intent],
            confused_with=dict(confused[intent].most_common()),
        )
    return figures


def _averages(
    targets: Sequence[str], answers: Sequence[str], intents: Mapping[str, IntentFigures]
) -> dict[str, float]:
    total = len(targets)
    averages = {"accuracy": sum(t == a for t, a in zip(targets, answers, strict=True)) / total}
    for name in ("precision", "recall", "f1"):
        of = {intent: getattr(figures, name) for intent, figures in intents.items()}
        averages[f"{name}_weighted"] = (
            math.fsum(of[intent] * figures.support for intent, figures in intents.items()) / total
        )
        averages[f"{name}_macro"] = math.fsum(of.values()) / len(of)
    return averages


def _trust(labelled: Sequence[tuple[Example, Prediction]]) -> dict[str, float]:
    """How far confidences can be trusted; a figure that rests on an impossible one is absent.

    The calibration error is the classifier's: a fallback's confidence is not that of an intent.
    Confident mistakes are those that users get, to whom a fallback is none: it asks them again.
    """
    metrics: dict[str, float] = {}
    classified = _probabilities(p.confidence for _, p in labelled)
    if classified is not None:
        right = [p.intent == e.intent for e, p in labelled]
        metrics["calibration_error"] = expected_calibration_error(classified, right)
    served = _probabilities(p.served_confidence for _, p in labelled)
    if served is not None:
        wrong = [p.served_intent not in {e.intent, NLU_FALLBACK} for e, p in labelled]
        sure = [confidence >= CONFIDENT for confidence in served]
        metrics["confident_mistakes"] = sum(map(all, zip(wrong, sure, strict=True))) / len(labelled)
    return metrics


def _probabilities(confidences: Iterable[float]) -> list[float] | None:
    """The confidences, 0 to 1 but for rounding; None if one of them cannot be (NaN included)."""
    given = list(confidences)
    if not all(-_ROUNDING <= confidence <= 1 + _ROUNDING for confidence in given):
        return None
    return [min(max(confidence, 0.0), 1.0) for confidence in given]


def entity_spans(entities: Iterable[Entity]) -> dict[str, set[tuple[int, int]]]:
    """The spans of each type."""
    spans: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for entity in entities:
        spans[entity.type].add((entity.start, entity.end))
    return dict(spans)


def _entities(
    examples: Sequence[Example], predictions: Sequence[Prediction]
) -> tuple[dict[str, EntityFigures], EntityFigures]:
    """The figures of each type, in alphabetical order, and those of all together."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for example, prediction in zip(examples, predictions, strict=True):
        wanted, found = entity_spans(example.entities), entity_spans(prediction.entities)
        for kind in wanted.keys() | found.keys():
            spans, extracted = wanted.get(kind, set()), found.get(kind, set())
            counts[kind] += Counter(
                annotated=len(spans), extracted=len(extracted), right=len(spans & extracted)
            )
    overall = sum(counts.values(), Counter[str]())
    return {kind: _entity_figures(counts[kind]) for kind in sorted(counts)}, _entity_figures(
        overall
    )


def _entity_figures(counts: Mapping[str, int]) -> EntityFigures:
    annotated = counts.get("annotated", 0)
    precision = _ratio(counts.get("right", 0), counts.get("extracted", 0))
    recall = _ratio(counts.get("right", 0), annotated)
    return EntityFigures(precision, recall, _f1(precision, recall), annotated)


def _responses(examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
    answers = [
        example.response == prediction.response
        for example, prediction in zip(examples, predictions, strict=True)
        if example.response
    ]
    return {"response_accuracy": sum(answers) / len(answers)} if answers else {}


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
