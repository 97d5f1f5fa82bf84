"""The rule on confidences."""

import math

import pytest
from support.evaluations import policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules import Calibration, Floor
from retrainer.domain.verdict import Outcome, decide

BEFORE = {"fallback_rate": 0.10, "calibration_error": 0.05, "confident_mistakes": 0.02}


def compared(**after):
    """A challenger that differs from the champion in these metrics, None for unmeasured."""
    metrics = {"accuracy": 1.0, **BEFORE, **after}
    return Evaluation(
        report(metrics={name: v for name, v in metrics.items() if v is not None}),
        report("champion", metrics=BEFORE),
    )


@pytest.mark.parametrize(
    ("rule", "evaluation", "outcome"),
    [
        (Calibration(maximum_fallback_rate=0.1), compared(), Outcome.PROMOTE),
        (Calibration(maximum_fallback_rate=0.1), compared(fallback_rate=0.11), Outcome.REJECT),
        (Calibration(maximum_error=0.1), compared(calibration_error=0.11), Outcome.REJECT),
        (Calibration(maximum_error=0.1), compared(fallback_rate=1.0), Outcome.PROMOTE),
        (
            Calibration(maximum_confident_mistakes=0.02),
            compared(confident_mistakes=0.03),
            Outcome.REJECT,
        ),
        (Calibration(worse_by=0.05), compared(), Outcome.PROMOTE),
        (Calibration(worse_by=0.05), compared(calibration_error=0.1), Outcome.PROMOTE),
        (Calibration(worse_by=0.05), compared(calibration_error=0.11), Outcome.REJECT),
        (Calibration(worse_by=0.0), compared(confident_mistakes=0.0), Outcome.PROMOTE),
        (Calibration(maximum_error=0.1), compared(calibration_error=None), Outcome.HOLD),
        (Calibration(maximum_error=0.1), compared(calibration_error=math.nan), Outcome.HOLD),
        (Calibration(worse_by=0.1), compared(calibration_error=None), Outcome.HOLD),
        (
            Calibration(maximum_fallback_rate=0.1, maximum_error=0.1),
            compared(fallback_rate=0.2, calibration_error=None),
            Outcome.REJECT,
        ),
        (
            Calibration(worse_by=0.1),
            Evaluation(compared().challenger, report("champion")),
            Outcome.HOLD,
        ),
    ],
)
def test_the_confidences_alone_decide(rule, evaluation, outcome):
    """Beyond a ceiling, or up by too much, rejects; what was not measured is held."""
    other = Floor("accuracy", 0.5)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, rule)).outcome is outcome


def test_a_first_model_has_ceilings_alone():
    """Without a champion nothing can rise, and too much is too much all the same."""
    first = Evaluation(report(metrics=BEFORE))
    check = Calibration(worse_by=0.05).assess(first)
    assert check.outcome is None
    assert check.sentence == (
        "no champion to compare the confidence with, "
        "a rise of at most 0.0500 applies from the second model on"
    )
    assert Calibration(maximum_error=0.01, worse_by=0.0).assess(first).outcome is Outcome.REJECT


def test_the_sentences():
    """The figure furthest beyond its limit decides; the others are details."""
    check = Calibration(maximum_fallback_rate=0.2, maximum_error=0.1, worse_by=0.05).assess(
        compared(fallback_rate=0.25, calibration_error=0.12)
    )
    assert check.sentence == (
        "4 of 5 limits are exceeded: the rise of fallback_rate is 0.1500, at most 0.0500 is allowed"
    )
    assert "fallback_rate is 0.2500, at most 0.2000 is allowed" in check.details
    assert len(check.details) == 4
    held = Calibration(maximum_error=0.1).assess(compared(calibration_error=None))
    assert held.sentence == (
        "calibration_error was not measured on 100 examples, at most 0.1000 is allowed"
    )


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "at least 1 limit is needed, 0 are given: maximum_fallback_rate, maximum_error"),
        ({"maximum_error": 1.1}, "maximum_error must lie between 0 and 1, not 1.1"),
        ({"worse_by": math.nan}, "worse_by must lie between 0 and 1, not nan"),
    ],
)
def test_senseless_limits_are_refused(limits, message):
    """A rule that asks for nothing, or for what cannot be, is an error of the config."""
    with pytest.raises(ValueError, match=message):
        Calibration(**limits)
