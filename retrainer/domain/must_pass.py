"""How an utterance that every promoted model has to understand fared."""

from collections.abc import Iterable

from retrainer.domain.evaluation import MustPassResult
from retrainer.domain.examples import Entity, MustPass
from retrainer.domain.predictions import Prediction


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
