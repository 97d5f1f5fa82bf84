"""What a model answers to an utterance."""

from dataclasses import dataclass

from retrainer.domain.examples import Entity

#: Rasa's intent of what it does not understand well enough.
NLU_FALLBACK = "nlu_fallback"


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer to one text.

    `intent` and `confidence` are the classifier's own, with a fallback undone, as `rasa test nlu`
    counts; `served_intent` and `served_confidence` are what users get, a fallback being an answer.
    `ranking` holds (intent, confidence) pairs, best first.
    `response` is the retrieval intent that the response selector chose, None without a selector.
    Confidences are probabilities, 0 to 1.
    """

    text: str
    intent: str | None
    confidence: float
    served_intent: str | None
    served_confidence: float
    entities: tuple[Entity, ...] = ()
    response: str | None = None
    ranking: tuple[tuple[str, float], ...] = ()
