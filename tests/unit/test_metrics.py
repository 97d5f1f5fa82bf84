"""Figures of one model on one set of examples."""

import math
import random
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, classification_report
from support.evaluations import example, prediction

from retrainer.domain.examples import Entity, Example
from retrainer.domain.metrics import (
    CONFIDENT,
    LOWER_IS_BETTER,
    METRICS,
    classification,
    measure,
)
from retrainer.domain.predictions import NLU_FALLBACK, Prediction

INTENTS = ["track_order", "cancel_order", "greet", "goodbye", "refund"]
#: Pairs of label and answer; a model may answer nothing at all, or what no example is labelled as.
PAIRS = st.lists(
    st.tuples(st.sampled_from(INTENTS), st.sampled_from([*INTENTS, "unheard_of", None])),
    min_size=1,
    max_size=80,
)


def measured(pairs):
    """The figures for pairs of label and answer."""
    examples = [example(f"text {n}", label) for n, (label, _) in enumerate(pairs)]
    predictions = [prediction(f"text {n}", answer) for n, (_, answer) in enumerate(pairs)]
    return measure(examples, predictions)


def assert_as_scikit_learn(pairs):
    """Hold every figure against `classification_report`, to 1e-12."""
    targets, answers = [t for t, _ in pairs], [a or "" for _, a in pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # answers that are no label
        theirs = classification_report(
            targets, answers, labels=sorted(set(targets)), output_dict=True, zero_division=0
        )
    ours = measured(pairs)
    close = {"rel": 0, "abs": 1e-12}
    assert ours.metrics["accuracy"] == pytest.approx(accuracy_score(targets, answers), **close)
    for average in ("weighted", "macro"):
        for theirs_name, name in (("precision",) * 2, ("recall",) * 2, ("f1-score", "f1")):
            expected = theirs[f"{average} avg"][theirs_name]
            assert ours.metrics[f"{name}_{average}"] == pytest.approx(expected, **close)
    assert set(ours.intents) == set(targets)
    for intent, figures in ours.intents.items():
        assert figures.precision == pytest.approx(theirs[intent]["precision"], **close)
        assert figures.recall == pytest.approx(theirs[intent]["recall"], **close)
        assert figures.f1 == pytest.approx(theirs[intent]["f1-score"], **close)
        assert figures.support == theirs[intent]["support"]


@given(PAIRS)
def test_intent_figures_are_those_of_scikit_learn(pairs):
    """Precision, recall and F1, per intent and averaged, are what `rasa test nlu` reports."""
    assert_as_scikit_learn(pairs)


def test_intent_figures_of_a_large_set_are_those_of_scikit_learn():
    """Summing thousands of items loses no precision."""
    draw = random.Random(3)
    labels = [f"intent_{n}" for n in range(77)]
    assert_as_scikit_learn(
        [
            (t, t if draw.random() < 0.8 else draw.choice(labels))
            for t in draw.choices(labels, k=5_000)
        ]
    )


@given(PAIRS)
def test_every_metric_is_a_known_share(pairs):
    """Reports hold only documented metrics, and each lies between 0 and 1."""
    for name, value in measured(pairs).metrics.items():
        assert name in METRICS
        assert 0 <= value <= 1


def test_only_known_metrics_are_better_when_lower():
    """The direction of a metric is said of metrics that exist."""
    assert set(METRICS) > LOWER_IS_BETTER


def test_confusions_are_listed_most_frequent_first():
    """A report says what an intent was mistaken for, the commonest mistake first."""
    figures = classification(["a"] * 4, ["b", "c", "c", "a"])
    assert list(figures["a"].confused_with.items()) == [("c", 2), ("b", 1)]


def test_predictions_must_belong_to_the_examples():
    """Answers to other texts, or in another order, are refused rather than compared."""
    examples = [example("one", "a"), example("two", "b")]
    with pytest.raises(ValueError, match="same order"):
        measure(examples, [prediction("two", "b"), prediction("one", "a")])
    with pytest.raises(ValueError, match="same order"):
        measure(examples, [prediction("one", "a")])


def test_nothing_to_measure_gives_no_metric():
    """What could not be measured is absent, never 0 or 1."""
    assert measure([], []).metrics == {}
    assert measure([], []).intents == {}


def test_examples_without_an_intent_are_left_out_of_the_intent_figures():
    """An example that is there for its entities alone does not count as a wrong intent."""
    figures = measure(
        [example("one", "a"), example("two", "")], [prediction("one", "a"), prediction("two", "b")]
    )
    assert figures.metrics["accuracy"] == 1
    assert set(figures.intents) == {"a"}


def test_a_fallback_counts_against_the_served_figures_alone():
    """The classifier's figures undo a fallback as Rasa does; users got no answer all the same."""
    fallback = Prediction("two", "b", 0.3, "nlu_fallback", 0.7)
    figures = measure(
        [example("one", "a"), example("two", "b")], [prediction("one", "a"), fallback]
    ).metrics
    assert figures["accuracy"] == figures["f1_weighted"] == 1
    assert figures["served_accuracy"] == figures["served_f1_weighted"] == 0.5
    assert figures["fallback_rate"] == 0.5


def trusted(*answers, fallback=()):
    """The figures of confidence for pairs of being right and confidence; `fallback` in their place."""
    examples = [example(f"text {n}", "a") for n in range(len(answers))]
    predictions = [
        Prediction(
            f"text {n}", intent, sure, *((NLU_FALLBACK, 0.9) if n in fallback else (intent, sure))
        )
        for n, (right, sure) in enumerate(answers)
        for intent in ["a" if right else "b"]
    ]
    metrics = measure(examples, predictions).metrics
    return metrics.get("calibration_error"), metrics.get("confident_mistakes")


def test_confidence_that_equals_accuracy_is_calibrated():
    """Right 3 times of 4 at 0.75 is no error; always wrong at 0.75 is one of 0.75."""
    assert trusted(*[(True, 0.75)] * 3, (False, 0.75)) == (pytest.approx(0), 0)
    assert trusted((False, 0.75), (False, 0.75)) == (pytest.approx(0.75), 0)


def test_a_mistake_is_confident_from_the_limit_on():
    """Of all answers those count that are wrong, sure, and reach users."""
    answers = [(False, CONFIDENT), (False, CONFIDENT - 0.001), (True, 1.0), (True, 0.2)]
    assert trusted(*answers)[1] == 0.25
    assert trusted(*answers, fallback=[0])[1] == 0


def test_the_calibration_is_the_classifiers_own():
    """A fallback changes nothing: its confidence is not that of an intent."""
    assert trusted((True, 0.3), (False, 0.3), fallback=[0, 1])[0] == pytest.approx(0.2)


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -math.inf, 1.00001, -0.00001])
def test_an_impossible_confidence_gives_no_figure(confidence):
    """What rests on a confidence that is none is absent, never 0; the other figures stay."""
    assert trusted((True, 0.9), (False, confidence)) == (None, None)
    predictions = [prediction("one", "a", confidence)]
    metrics = measure([example("one", "a")], predictions).metrics
    assert metrics["accuracy"] == 1
    assert metrics["fallback_rate"] == 0


def test_a_confidence_may_be_rounded():
    """Sums in single precision are a little more than 1 at times."""
    assert trusted((True, 1 + 1e-7)) == (0, 0)


def entity(kind: str, start: int, end: int) -> Entity:
    """An entity of which only type and span matter."""
    return Entity(kind, "value", start, end)


def test_an_entity_is_right_when_span_and_type_are():
    """One right, one of the wrong type, one of the wrong span: precision 1/3, recall 1/2."""
    asked = Example("x" * 20, "a", entities=(entity("order", 0, 4), entity("city", 6, 9)))
    found = (entity("order", 0, 4), entity("order", 6, 9), entity("city", 6, 8))
    answer = Prediction("x" * 20, "a", 0.9, "a", 0.9, entities=found)
    metrics = measure([asked], [answer]).metrics
    assert metrics["entity_precision"] == pytest.approx(1 / 3)
    assert metrics["entity_recall"] == 0.5
    assert metrics["entity_f1"] == pytest.approx(0.4)


def test_no_entity_found_is_zero_and_none_annotated_is_no_metric():
    """A model that finds nothing scores 0; data without entities says nothing about entities."""
    asked = Example("to Bonn", "a", entities=(entity("city", 3, 7),))
    assert measure([asked], [prediction("to Bonn", "a")]).metrics["entity_f1"] == 0
    assert "entity_f1" not in measure([example("hi", "a")], [prediction("hi", "a")]).metrics


def test_responses_are_measured_where_there_are_any():
    """Only utterances of retrieval intents count in the share of right responses."""
    asked = [
        Example("open?", "faq", response="faq/open"),
        Example("pay?", "faq", response="faq/pay"),
        example("hi", "greet"),
    ]
    answers = [
        Prediction("open?", "faq", 0.9, "faq", 0.9, response="faq/open"),
        Prediction("pay?", "faq", 0.9, "faq", 0.9, response="faq/open"),
        prediction("hi", "greet"),
    ]
    assert measure(asked, answers).metrics["response_accuracy"] == 0.5
    assert "response_accuracy" not in measure(asked[2:], answers[2:]).metrics
