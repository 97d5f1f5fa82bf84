"""What `/model/parse` of a Rasa server answers, judged as the Rasa worker judges its own models.

`retrainer/rasa_worker/prediction.py` does the same where Rasa can be imported.
"""

from collections.abc import Mapping
from typing import Any

from retrainer.domain.examples import Entity
from retrainer.domain.predictions import NLU_FALLBACK, Prediction

#: `rasa test nlu` leaves out what these find: nobody annotates it.
_PRETRAINED = frozenset({"DucklingEntityExtractor", "SpacyEntityExtractor"})

Json = Mapping[str, Any]


def prediction(text: str, parsed: Json) -> Prediction:
    """The answer to `text`.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it is not Rasa's.
    """
    served, ranking = parsed["intent"] or {}, list(parsed.get("intent_ranking") or [])
    intent = served
    if served.get("name") == NLU_FALLBACK and len(ranking) > 1:
        ranking = ranking[1:]
        intent = ranking[0]
    return Prediction(
        text=text,
        intent=intent.get("name"),
        confidence=_confidence(intent),
        served_intent=served.get("name"),
        served_confidence=_confidence(served),
        entities=tuple(
            _entity(entity)
            for entity in parsed.get("entities") or ()
            if entity.get("extractor") not in _PRETRAINED
        ),
        response=_response(parsed.get("response_selector") or {}, intent.get("name")),
        ranking=tuple((str(entry.get("name")), _confidence(entry)) for entry in ranking),
    )


def _entity(found: Json) -> Entity:
    return Entity(
        type=found["entity"],
        value=str(found.get("value")),
        start=int(found.get("start", 0)),
        end=int(found.get("end", 0)),
        role=found.get("role"),
        group=found.get("group"),
    )


def _response(selectors: Json, intent: str | None) -> str | None:
    """The retrieval intent chosen by the selector that is responsible for the intent."""
    responsible = intent in selectors.get("all_retrieval_intents", ()) and intent in selectors
    chosen = selectors.get(intent if responsible and intent else "default") or {}
    key: str | None = (chosen.get("response") or {}).get("intent_response_key")
    return key


def _confidence(of: Json) -> float:
    return float(of.get("confidence") or 0.0)
