"""The intent drop rule."""

import math

import pytest
from support.evaluations import figures, policy, report

from retrainer.domain.evaluation import Evaluation, Report
from retrainer.domain.rules import Floor, IntentDrop
from retrainer.domain.verdict import Outcome, decide


def compared(before, after):
    """Champion and challenger with these F1 per intent, on 20 examples each."""
    metrics = {"accuracy": 1.0}
    return Evaluation(
        report(metrics=metrics, intents=after),
        report("champion", metrics=metrics, intents=before),
    )


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ({"a": 0.9, "b": 0.9}, {"a": 0.95, "b": 0.81}, Outcome.PROMOTE),
        ({"a": 0.9, "b": 0.9}, {"a": 1.0, "b": 0.8}, Outcome.PROMOTE),  # the limit is allowed
        ({"a": 0.4}, {"a": 0.3}, Outcome.PROMOTE),  # 0.4 - 0.3 is a little more than 0.1 in floats
        ({"a": 0.9, "b": 0.9}, {"a": 1.0, "b": 0.79}, Outcome.REJECT),
        ({"a": 0.9, "b": 0.9}, {"a": 0.9}, Outcome.HOLD),
        ({"a": 0.9, "b": 0.9}, {"a": 0.9, "b": math.nan}, Outcome.HOLD),
        ({"a": 0.9, "b": math.nan}, {"a": 0.9, "b": 0.9}, Outcome.HOLD),
        ({"a": 0.9}, {"a": 0.9, "new": 0.0}, Outcome.PROMOTE),
    ],
)
def test_the_drop_alone_decides(before, after, outcome):
    """A drop beyond the limit rejects however good the rest is; an unmeasured intent waits."""
    evaluation = compared(before, after)
    other = Floor("accuracy", 0.5)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, IntentDrop(0.1, 10))).outcome is outcome


def with_support(support):
    """A drop of 40 points on an intent with this many examples."""

    def one(model, f1):
        return Report(model, "a" * 32, 100, {}, {"a": figures(f1, support)})

    return Evaluation(one("challenger", 0.5), one("champion", 0.9))


def test_small_intents_are_not_judged():
    """Below the minimum support a drop says too little; from it on it counts."""
    rule = IntentDrop(0.1, 10)
    assert rule.assess(with_support(10)).outcome is Outcome.REJECT
    check = rule.assess(with_support(9))
    assert check.outcome is None
    assert check.sentence == (
        "0 of 1 intents have the 10 test examples needed to judge a drop of more than 10.00 points"
    )


def test_the_first_model_has_nothing_to_drop_from():
    """Without a champion the rule does not apply, and says from when on it does."""
    check = IntentDrop().assess(Evaluation(report(intents={"a": 0.1})))
    assert check.outcome is None
    assert check.sentence == (
        "no champion to compare intents with, "
        "a drop of at most 10.00 points applies from the second model on"
    )


def test_every_dropped_intent_is_listed_worst_first():
    """The details name each intent that dropped too far, with both figures and the support."""
    before = {"a": 0.9, "b": 0.9, "c": 0.9, "d": 0.9}
    check = IntentDrop(0.1, 10).assess(compared(before, {"a": 0.7, "b": 0.5, "c": 0.85, "d": 1.0}))
    assert check.sentence == (
        "2 of 4 intents with at least 10 examples lost more than 10.00 points of F1; "
        "b lost the most with 40.00 points"
    )
    assert check.details == (
        "b: F1 0.9000 -> 0.5000 (-40.00 points) on 20 examples",
        "a: F1 0.9000 -> 0.7000 (-20.00 points) on 20 examples",
    )
    assert check.observed == pytest.approx(0.4)


def test_unmeasured_intents_are_listed():
    """What could not be measured is named rather than taken for fine."""
    check = IntentDrop(0.1, 10).assess(compared({"b": 0.9, "a": 0.9, "c": 0.9}, {"c": 0.9}))
    assert check.details == ("a", "b")
    assert check.sentence.startswith("F1 was not measured for 2 of 3 intents")


@pytest.mark.parametrize(
    ("maximum", "support", "message"),
    [
        (1.1, 10, "maximum must lie between 0 and 1, not 1.1"),
        (-0.1, 10, "maximum must lie between 0 and 1, not -0.1"),
        (0.1, 0, "minimum_support must be at least 1, not 0"),
    ],
)
def test_senseless_limits_are_refused(maximum, support, message):
    """A limit that cannot mean anything is an error of the config."""
    with pytest.raises(ValueError, match=message):
        IntentDrop(maximum, support)
