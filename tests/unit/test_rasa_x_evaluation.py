"""What Rasa X measured, read from each of its shapes."""

import pytest

from retrainer.adapters.rasa_x.evaluation import figures
from retrainer.domain.evaluation import PlatformFigures
from retrainer.errors import PlatformError

AVERAGE = {"precision": 0.92, "recall": 0.91, "f1-score": 0.9, "support": 40}
TABLE = """
              precision    recall  f1-score   support

       greet       0.90      0.80      0.85        10

    accuracy                           0.91        40
   macro avg       0.80      0.80      0.80        40
weighted avg       0.92      0.91      0.90        40
"""
WHOLE = {
    "report": {"greet": {}, "accuracy": 0.91, "weighted avg": AVERAGE},
    "accuracy": 0.91,
    "f1_score": 0.9,
    "precision": 0.92,
    "predictions": [{"text": "hey"}] * 40,
}
READ = PlatformFigures(f1=0.9, precision=0.92, accuracy=0.91, examples=40)


def test_bare_and_wrapped_evaluations_are_the_same():
    """The Platform of 2018 wraps what later servers give bare."""
    assert figures(WHOLE, "m") == figures({"intent_evaluation": WHOLE}, "m") == READ


def test_what_is_null_comes_from_the_report():
    """Rasa 3 leaves `f1_score` null in some results; its report has the number."""
    nulls = WHOLE | {"accuracy": None, "f1_score": None, "precision": None, "predictions": None}
    assert figures(nulls, "m") == READ


@pytest.mark.parametrize("row", ["weighted avg", "avg / total"])
def test_the_report_may_be_a_table(row):
    """Old servers give scikit-learn's text table."""
    measured = {"f1_score": None, "report": TABLE.replace("weighted avg", row)}
    assert figures(measured, "m") == PlatformFigures(0.9, 0.92, None, 40)


def test_what_is_no_share_is_not_taken_for_one():
    """Neither a word nor NaN nor 90 % is taken for a figure between 0 and 1."""
    measured = {"f1_score": "0.9", "precision": float("nan"), "accuracy": 0.5, "report": 7}
    assert figures(measured, "m") == PlatformFigures(None, None, 0.5, None)
    assert figures({"f1_score": 90, "accuracy": 0}, "m") == PlatformFigures(None, None, 0.0, None)


@pytest.mark.parametrize(
    "measured", [{}, {"intent_evaluation": None}, {"f1_score": None, "report": "none"}]
)
def test_an_evaluation_without_a_number_is_an_error(measured):
    """Missing figures are said, not passed on as a measurement."""
    with pytest.raises(PlatformError, match="m, but its result holds no number"):
        figures(measured, "m")
