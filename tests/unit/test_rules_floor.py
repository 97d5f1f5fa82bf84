"""The floor rule."""

import math

import pytest
from support.evaluations import policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules import Floor
from retrainer.domain.verdict import Outcome, decide


def measured(value):
    """A first model with this weighted F1, None for no measurement."""
    return Evaluation(report(metrics={} if value is None else {"f1_weighted": value}))


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (0.61, Outcome.PROMOTE),
        (0.6, Outcome.PROMOTE),
        (0.1 + 0.2 + 0.3 - 1e-12, Outcome.PROMOTE),  # rounding is no evidence
        (0.5999, Outcome.REJECT),
        (0.0, Outcome.REJECT),
        (math.nan, Outcome.HOLD),
        (math.inf, Outcome.HOLD),
        (None, Outcome.HOLD),
    ],
)
def test_the_floor_alone_decides(value, outcome):
    """At the floor is enough, below it is rejected, unmeasured waits for a person."""
    other = Floor("accuracy", 0.0)
    evaluation = measured(value)
    evaluation = Evaluation(report(metrics={**evaluation.challenger.metrics, "accuracy": 1.0}))
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, Floor("f1_weighted", 0.6))).outcome is outcome


def test_the_champion_does_not_matter():
    """A floor is absolute: a worse champion excuses nothing."""
    bad = report("champion", metrics={"f1_weighted": 0.1})
    evaluation = Evaluation(report(metrics={"f1_weighted": 0.5}), bad)
    assert Floor("f1_weighted", 0.6).assess(evaluation).outcome is Outcome.REJECT


def test_the_sentences():
    """Each outcome is explained with the value and the limit."""
    floor = Floor("f1_weighted", 0.6)
    assert floor.assess(measured(0.65)).sentence == (
        "f1_weighted of the challenger is 0.6500, at least 0.6000"
    )
    assert floor.assess(measured(0.55)).sentence == (
        "f1_weighted of the challenger is 0.5500, below the floor of 0.6000"
    )
    assert floor.assess(measured(None)).sentence == (
        "f1_weighted of the challenger was not measured on 100 examples, at least 0.6000 is needed"
    )


@pytest.mark.parametrize(
    ("metric", "minimum", "message"),
    [
        ("f2", 0.6, "unknown metric 'f2'; known are accuracy"),
        ("fallback_rate", 0.6, "better when it is lower"),
        ("accuracy", 1.01, "minimum must lie between 0 and 1, not 1.01"),
        ("accuracy", -0.01, "minimum must lie between 0 and 1"),
        ("accuracy", math.nan, "minimum must lie between 0 and 1, not nan"),
    ],
)
def test_senseless_limits_are_refused(metric, minimum, message):
    """A floor that cannot mean anything is an error of the config, named by the observed value."""
    with pytest.raises(ValueError, match=message):
        Floor(metric, minimum)
