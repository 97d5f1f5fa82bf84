"""The gain rule."""

import math

import pytest
from support.evaluations import policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedCounts
from retrainer.domain.rules import Floor, Simple
from retrainer.domain.verdict import Outcome, decide


def compared(before, after):
    """Champion and challenger with these weighted F1, None for no measurement."""

    def one(model, value):
        metrics = {"accuracy": 1.0} | ({} if value is None else {"f1_weighted": value})
        return report(model, metrics=metrics)

    return Evaluation(one("challenger", after), one("champion", before))


@pytest.mark.parametrize(
    ("before", "after", "more_than", "outcome"),
    [
        (0.7, 0.71, 0.0, Outcome.PROMOTE),
        (0.7, 0.7, 0.0, Outcome.REJECT),
        (0.7, 0.7 + 1e-12, 0.0, Outcome.REJECT),  # rounding is no gain
        (0.7, 0.69, 0.0, Outcome.REJECT),
        (0.7, 0.75, 0.05, Outcome.REJECT),
        (0.7, 0.751, 0.05, Outcome.PROMOTE),
        (0.7, None, 0.0, Outcome.HOLD),
        (None, 0.7, 0.0, Outcome.HOLD),
        (math.nan, 0.7, 0.0, Outcome.HOLD),
        (0.7, math.nan, 0.0, Outcome.HOLD),
        (-math.inf, 0.7, 0.0, Outcome.HOLD),
    ],
)
def test_the_gain_alone_decides(before, after, more_than, outcome):
    """Strictly more than the asked gain promotes, an equal model never, unmeasured waits."""
    evaluation = compared(before, after)
    other = Floor("accuracy", 0.5)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    rules = policy(other, Simple("f1_weighted", more_than))
    assert decide(evaluation, rules).outcome is outcome


@pytest.mark.parametrize(
    ("wins", "losses", "more_than", "outcome"),
    [
        (4, 3, 0.0, Outcome.PROMOTE),
        (3, 3, 0.0, Outcome.REJECT),
        (3, 4, 0.0, Outcome.REJECT),
        (4, 3, 0.01, Outcome.REJECT),  # exactly one point
        (5, 3, 0.01, Outcome.PROMOTE),
    ],
)
def test_by_counts_it_asks_for_the_gain_in_accuracy(wins, losses, more_than, outcome):
    """The simulation knows right and wrong alone, and asks the rule by these."""
    check = Simple("f1_weighted", more_than).judge(PairedCounts(100, wins, losses))
    assert check.outcome is outcome
    assert (check.observed, check.limit) == ((wins - losses) / 100, more_than)
    assert check.sentence.endswith(f"more than the {more_than * 100:+.2f} points asked for")


def test_the_first_model_has_nothing_to_gain_on():
    """Without a champion the rule does not apply, and says from when on it does."""
    check = Simple("f1_weighted", 0.02).assess(Evaluation(report(metrics={"f1_weighted": 0.9})))
    assert check.outcome is None
    assert check.sentence == (
        "no champion to compare f1_weighted with, "
        "a gain of more than +2.00 points applies from the second model on"
    )


def test_the_sentences():
    """Each outcome is explained with both values, the difference and the limit."""
    gain = Simple("f1_weighted", 0.01)
    assert gain.assess(compared(0.7, 0.75)).sentence == (
        "f1_weighted went from 0.7000 to 0.7500 (+5.00 points), more than the +1.00 points asked for"
    )
    assert gain.assess(compared(0.75, 0.7)).sentence == (
        "f1_weighted went from 0.7500 to 0.7000 (-5.00 points), "
        "not more than the +1.00 points asked for"
    )
    assert gain.assess(compared(None, None)).sentence == (
        "f1_weighted was not measured on 100 examples for the champion and the challenger, "
        "a gain of more than +1.00 points is needed"
    )
    assert "for the champion, a gain" in gain.assess(compared(None, 0.7)).sentence
    assert "for the challenger, a gain" in gain.assess(compared(0.7, None)).sentence


@pytest.mark.parametrize(
    ("metric", "more_than", "message"),
    [
        ("f2", 0.0, "unknown metric 'f2'"),
        ("fallback_rate", 0.0, "better when it is lower"),
        ("accuracy", -0.1, "more_than must lie between 0 and 1, not -0.1"),
    ],
)
def test_senseless_limits_are_refused(metric, more_than, message):
    """A negative gain would promote worse models: it is refused, as are unknown metrics."""
    with pytest.raises(ValueError, match=message):
        Simple(metric, more_than)
