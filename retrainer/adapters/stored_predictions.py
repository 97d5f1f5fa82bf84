"""Predictions in a file: those of `retrainer compare --save-predictions`, or of `rasa test nlu`.

A file is a JSON list. Ours holds objects with the fields of `Prediction`, of which only `text` and
`intent` are needed. Rasa's `intent_successes.json` and `intent_errors.json` hold objects with `text`
and `intent_prediction: {name, confidence}`; both are needed for all utterances, so name their folder.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from retrainer.adapters.files import storage_errors, write_atomically
from retrainer.domain.predictions import Prediction
from retrainer.errors import ProjectError

_RASA_FILES = ("intent_successes.json", "intent_errors.json")
_ROUNDING = 1e-6
_PREDICTION = TypeAdapter(Prediction)
_PREDICTIONS = TypeAdapter(tuple[Prediction, ...])


def is_stored(path: Path) -> bool:
    """Whether this is a file of predictions, or a folder of Rasa's, and no model archive."""
    return path.suffix == ".json" or any((path / name).is_file() for name in _RASA_FILES)


@dataclass(frozen=True, slots=True)
class StoredPredictions:
    """Answers by text; `entities` and `responses` say whether these were written down too."""

    answers: Mapping[str, Prediction]
    entities: bool
    responses: bool


def read(path: Path) -> StoredPredictions:
    """The predictions of a file or of a folder of Rasa's.

    Raises:
        ProjectError: not such a file, or a text is in it with two answers.
        StorageError: it cannot be read.
    """
    files = [path / name for name in _RASA_FILES if (path / name).is_file()]
    found: dict[str, Prediction] = {}
    keys: set[str] | None = None
    for file in files or [path]:
        for number, entry in enumerate(_entries(file), start=1):
            fields = _fields(entry)
            keys = {*fields} if keys is None else keys & {*fields}
            prediction = _prediction(file, number, fields)
            if found.setdefault(prediction.text, prediction) != prediction:
                raise ProjectError(
                    f"{file}: entry {number}: a second answer to {prediction.text!r}"
                )
    known = keys or set()
    return StoredPredictions(found, entities="entities" in known, responses="response" in known)


def write(path: Path, predictions: Mapping[str, Prediction]) -> None:
    """Write a file that `read` reads, as a whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    content = _PREDICTIONS.dump_json(tuple(predictions.values()), indent=1)
    with storage_errors("writing", path):
        write_atomically(path, content)


def _entries(file: Path) -> list[Any]:
    with storage_errors("reading", file):
        content = file.read_bytes()
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or nested without an end
        raise ProjectError(f"{file} is not JSON: {error}") from error
    if not isinstance(entries, list):
        raise ProjectError(f"{file}: a list of predictions is needed, not {type(entries).__name__}")
    return entries


def _fields(entry: object) -> dict[str, Any]:
    """As our own file has them."""
    fields = dict(entry) if isinstance(entry, Mapping) else {}
    theirs = fields.get("intent_prediction")
    if isinstance(theirs, Mapping):
        return {
            "text": fields.get("text"),
            "intent": theirs.get("name"),
            "confidence": theirs.get("confidence"),
        }
    return fields


def _prediction(file: Path, number: int, fields: Mapping[str, Any]) -> Prediction:
    known = {key: value for key, value in fields.items() if value is not None}
    intent = known.setdefault("intent", None)
    # A confidence that was not written down is not known, and must not pass for one that was.
    confidence = known.setdefault("confidence", math.nan)
    known.setdefault("served_intent", intent)
    known.setdefault("served_confidence", confidence)
    for key in ("confidence", "served_confidence"):
        value = known[key]
        if isinstance(value, int | float) and not (math.isnan(value) or _is_share(value)):
            raise ProjectError(
                f"{file}: entry {number}: {key} lies between 0 and 1, not at {value}"
            )
    try:
        return _PREDICTION.validate_python(known)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ProjectError(f"{file}: entry {number}: {place}: {problem['msg']}") from error


def _is_share(value: float) -> bool:
    """Rounding, as of a softmax, aside."""
    return -_ROUNDING <= value <= 1 + _ROUNDING
