"""The rule on what the platform itself measures."""

import math
from dataclasses import replace

import pytest
from support.evaluations import policy, report

from retrainer.domain.evaluation import Evaluation, PlatformFigures
from retrainer.domain.rules import Floor, PlatformGain
from retrainer.domain.verdict import Outcome, decide


def compared(before, after):
    """Two models that the platform gave these F1; None where it gave none."""

    def one(model, f1):
        figures = None if f1 is None else PlatformFigures(f1)
        return replace(report(model, metrics={"accuracy": 1.0}), platform=figures)

    return Evaluation(one("challenger", after), one("champion", before))


@pytest.mark.parametrize(
    ("before", "after", "more_than", "outcome"),
    [
        (0.7, 0.71, 0.0, Outcome.PROMOTE),
        (0.7, 0.7, 0.0, Outcome.REJECT),
        (0.7, 0.7 + 1e-12, 0.0, Outcome.REJECT),
        (0.7, 0.75, 0.05, Outcome.REJECT),
        (0.7, None, 0.0, Outcome.HOLD),
        (None, 0.7, 0.0, Outcome.HOLD),
        (0.7, math.nan, 0.0, Outcome.HOLD),
        (math.inf, 0.7, 0.0, Outcome.HOLD),
    ],
)
def test_the_platforms_figures_decide(before, after, more_than, outcome):
    """Strictly more promotes, as in 2018; what the platform did not measure waits for a person."""
    rules = policy(Floor("accuracy", 0.5), PlatformGain(more_than))
    assert decide(compared(before, after), rules).outcome is outcome


def test_our_own_figures_do_not_matter_to_it():
    """The rule is about the platform alone: a gain by our measure does not replace it."""
    better = compared(None, None)
    check = PlatformGain().assess(better)
    assert check.outcome is Outcome.HOLD
    assert "no F1 of the champion and the challenger" in check.sentence


def test_the_sentences():
    """Each outcome is explained with both values, the difference and the limit."""
    assert PlatformGain().assess(compared(0.7, 0.75)).sentence == (
        "the platform's own F1 went from 0.7000 to 0.7500 (+5.00 points), "
        "more than the +0.00 points asked for"
    )
    first = PlatformGain(0.02).assess(Evaluation(report()))
    assert first.outcome is None
    assert "from the second model on" in first.sentence


def test_a_negative_gain_is_refused():
    """It would promote worse models."""
    with pytest.raises(ValueError, match=r"between 0 and 1, not -0\.1"):
        PlatformGain(-0.1)
