"""How an utterance that every promoted model has to understand fared."""

from collections.abc import Iterable

from retrainer.domain.evaluation import MustPassResult
from retrainer.domain.examples import Entity, Example, MustPass
from retrainer.domain.predictions import NLU_FALLBACK, Prediction


def assess_must_pass(must: MustPass, prediction: Prediction) -> MustPassResult:
    """Intent as users get it, confidence, and every annotated entity.

    An utterance of the intent `nlu_fallback` is one that must not be understood: the fallback is
    right, and so is no intent at all, whatever the confidence.
    """
    example = must.example
    return MustPassResult(
        text=example.text,
        expected=example.label,
        answered=prediction.served_intent,
        confidence=prediction.served_confidence,
        problem=_misunderstood(must, prediction) or _not_found(example, prediction),
    )


def _misunderstood(must: MustPass, prediction: Prediction) -> str | None:
    expected, answered = must.example.intent, prediction.served_intent
    response, confidence = must.example.response, prediction.served_confidence
    if expected == NLU_FALLBACK:
        if answered in {NLU_FALLBACK, None}:
            return None
        return f"understood as {answered} ({confidence:.3f}), it must not be understood"
    if answered != expected:
        return f"understood as {answered or 'nothing'} instead of {expected}"
    if response and prediction.response != response:
        return f"answered with {prediction.response or 'no response'} instead of {response}"
    if not confidence >= must.minimum_confidence:  # NaN fails too
        return f"confidence {confidence:.3f} is below {must.minimum_confidence:.3f}"
    return None


def _not_found(example: Example, prediction: Prediction) -> str | None:
    missing = [e for e in example.entities if not _found(e, prediction.entities)]
    if not missing:
        return None
    return "entity not found: " + ", ".join(_describe(e, example.text) for e in missing)


def _found(wanted: Entity, extracted: Iterable[Entity]) -> bool:
    return any(
        (wanted.type, wanted.start, wanted.end, wanted.value, wanted.role, wanted.group)
        == (found.type, found.start, found.end, found.value, found.role, found.group)
        for found in extracted
    )


def _describe(entity: Entity, text: str) -> str:
    extra = "".join(f", {k} {v}" for k, v in (("role", entity.role), ("group", entity.group)) if v)
    return f"{entity.type}={entity.value!r} at {text[entity.start : entity.end]!r}{extra}"
