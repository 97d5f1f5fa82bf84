"""What Rasa X itself measures of a model: on the data that it stores, mostly what was trained on."""

import math
import re
import time
from collections.abc import Mapping
from typing import Any

from retrainer.adapters.polling import polls
from retrainer.adapters.rasa_x.connection import NOT_ALLOWED, NOT_FOUND, RasaX
from retrainer.adapters.rasa_x.model_transfer import GATEWAY
from retrainer.domain.evaluation import PlatformFigures
from retrainer.errors import PlatformError, ServerError

_ROUTE = "/projects/{project}/evaluations/{model}"
_NONE = frozenset({NOT_FOUND, NOT_ALLOWED})
#: "weighted avg  0.91  0.90  0.90  120", or "avg / total" before scikit-learn 0.20
_AVERAGE = re.compile(r"(?:weighted avg|avg / total)" + r"\s+(\d+(?:\.\d+)?)" * 3 + r"\s+(\d+)")


def evaluate(rasa_x: RasaX, model: str) -> PlatformFigures | None:
    """Let it evaluate a model that it lists; None where it does not know how to.

    The evaluation goes on when a proxy gives up waiting, so its result is then waited for.

    Raises:
        PlatformError: it failed, or took longer than the option `transfer_timeout`.
    """
    end = time.monotonic() + rasa_x.options.transfer_timeout
    names = {"model": model}
    rasa_x.call("DELETE", _ROUTE, names=names, accept=_NONE)  # so that an old one is not taken
    old = _stored(rasa_x, model)
    try:
        answer = rasa_x.call(
            "PUT",
            _ROUTE,
            names=names,
            limit=rasa_x.options.transfer_timeout,
            repeat=False,
            accept=_NONE,
        )
    except ServerError as error:
        if error.status is not None and error.status not in GATEWAY:
            raise
        return figures(_awaited(rasa_x, model, old, error, end - time.monotonic()), model)
    if answer.status in _NONE:
        return None
    measured = answer.json() if answer.body.strip() else None
    if not isinstance(measured, Mapping) or not _unwrapped(measured):
        wait = end - time.monotonic()
        measured = _awaited(rasa_x, model, old, ServerError(f"{answer.where} gave nothing"), wait)
    return figures(measured, model)


def figures(measured: Mapping[str, Any], model: str) -> PlatformFigures:
    """Read an evaluation, bare or wrapped; what is null is taken from the report's average.

    Raises:
        PlatformError: it holds no number at all.
    """
    body = _unwrapped(measured)
    report, predictions = body.get("report"), body.get("predictions")
    average, accuracy = _average(report)
    found = PlatformFigures(
        f1=_share(body.get("f1_score"), average.get("f1-score")),
        precision=_share(body.get("precision"), average.get("precision")),
        accuracy=_share(body.get("accuracy"), accuracy),
        examples=len(predictions) if isinstance(predictions, list) else _count(average),
    )
    if found.f1 is None and found.precision is None and found.accuracy is None:
        raise PlatformError(f"Rasa X evaluated {model}, but its result holds no number")
    return found


def _awaited(
    rasa_x: RasaX, model: str, old: object, lost: ServerError, wait: float
) -> Mapping[str, Any]:
    for _ in polls(max(wait, 0.0)):
        measured = _stored(rasa_x, model)
        if measured is not None and measured != old:
            return measured
    raise PlatformError(
        f"Rasa X did not finish the evaluation of {model} within "
        f"{rasa_x.options.transfer_timeout:g} s: {lost}",
        tip="set `transfer_timeout` higher, or `evaluate = false`",
    )


def _stored(rasa_x: RasaX, model: str) -> Mapping[str, Any] | None:
    """The evaluation that the server has; None if it has none."""
    answer = rasa_x.call("GET", _ROUTE, names={"model": model}, accept=_NONE)
    measured = answer.json() if answer.status not in _NONE and answer.body.strip() else None
    return measured if isinstance(measured, Mapping) and _unwrapped(measured) else None


def _unwrapped(measured: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = measured.get("intent_evaluation", measured)
    return inner if isinstance(inner, Mapping) else {}


def _average(report: object) -> tuple[Mapping[str, Any], object]:
    """The weighted average, and the accuracy, of a report as an object or as a table."""
    if isinstance(report, Mapping):
        average = report.get("weighted avg")
        return average if isinstance(average, Mapping) else {}, report.get("accuracy")
    row = _AVERAGE.search(report) if isinstance(report, str) else None
    if row is None:
        return {}, None
    names = ("precision", "recall", "f1-score", "support")
    return dict(zip(names, map(float, row.groups()), strict=True)), None


def _share(*said: object) -> float | None:
    """The first that is a number from 0 to 1."""
    for value in said:
        if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1:
            return float(value)
    return None


def _count(average: Mapping[str, Any]) -> int | None:
    support = average.get("support")
    return int(support) if isinstance(support, int | float) and math.isfinite(support) else None
