"""The non-inferiority rule."""

import math

import pytest
from support.evaluations import compared_by_counts, paired_answers, policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedAnswers, PairedCounts
from retrainer.domain.resampling import bootstrap
from retrainer.domain.rules import Floor, NonInferiority
from retrainer.domain.simulation import draw_night
from retrainer.domain.verdict import Outcome, decide


@pytest.mark.parametrize(
    ("wins", "losses", "items", "rule", "outcome"),
    [
        (30, 30, 3000, NonInferiority(), Outcome.PROMOTE),
        (30, 30, 1000, NonInferiority(), Outcome.HOLD),
        (30, 30, 1000, NonInferiority(margin=0.02), Outcome.PROMOTE),
        (20, 40, 1000, NonInferiority(), Outcome.REJECT),
        (20, 40, 1000, NonInferiority(margin=0.05), Outcome.PROMOTE),
        (40, 20, 1000, NonInferiority(), Outcome.PROMOTE),
        (0, 0, 60, NonInferiority(), Outcome.HOLD),  # a loss of one in a hundred goes unseen
        (0, 0, 300, NonInferiority(), Outcome.PROMOTE),
        (0, 0, 0, NonInferiority(), Outcome.HOLD),
        (30, 30, 3000, NonInferiority(metric="f1_micro"), Outcome.PROMOTE),
        (30, 30, 1000, NonInferiority(0.005, metric="f1_micro"), Outcome.HOLD),
        (20, 40, 1000, NonInferiority(metric="f1_micro"), Outcome.REJECT),
        (0, 0, 60, NonInferiority(metric="f1_micro", method="percentile"), Outcome.HOLD),
        (0, 0, 300, NonInferiority(metric="f1_micro", method="percentile"), Outcome.PROMOTE),
    ],
)
def test_the_bound_alone_decides(wins, losses, items, rule, outcome):
    """A loss that is ruled out promotes, one that is shown is rejected, else a person decides."""
    other = Floor("accuracy", 0.5)
    evaluation = compared_by_counts(wins, losses, items)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, rule)).outcome is outcome


def test_the_sentences():
    """The bound, the margin, and how many utterances it would take."""
    check = NonInferiority().judge(PairedCounts(1000, 30, 30))
    assert check.sentence == (
        "the challenger alone is right on 30 of 1000 utterances, the champion alone on 30 "
        "(+0.00 points): at alpha 0.05 the true gain is at least -1.30 points, not above the "
        "-1.00 points allowed; about 7756 utterances would show that of an equal model"
    )
    assert (round(check.observed, 4), check.limit) == (-0.013, -0.01)
    passed = NonInferiority().judge(PairedCounts(1000, 40, 20)).sentence
    assert passed.endswith("is at least +0.74 points, above the -1.00 points allowed")
    first = NonInferiority().assess(Evaluation(report()))
    assert first.outcome is None
    assert "a bound above -1.00 points applies from the second model on" in first.sentence


def test_the_bound_of_an_f1_is_that_of_the_bootstrap():
    """By the method that the policy names."""
    for method in ("bca", "percentile"):
        rule = NonInferiority(metric="f1_micro", method=method, alpha=0.1)
        check = rule.assess(compared_by_counts(40, 20, 1000))
        gain = bootstrap(paired_answers(40, 20, 1000)).averages["f1_micro"]
        assert check.observed == gain.lower_bound(0.9, method)


@pytest.mark.parametrize(("items", "margin"), [(300, 0.01), (1000, 0.01), (1000, 0.02)])
def test_a_model_that_is_worse_by_the_margin_seldom_passes(items, margin):
    """Not more often than alpha, as nearly as counts allow."""
    nights = draw_night(items=items, discordance=0.06, gain=-margin, draws=2000, seed=3)
    found = [
        NonInferiority(margin).judge(PairedCounts(items, int(won), int(lost))).outcome
        for won, lost in zip(*nights, strict=True)
    ]
    assert sum(outcome is Outcome.PROMOTE for outcome in found) / 2000 <= 0.055 + 0.015


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"margin": 0.0}, "margin must lie between 0 and 1, not 0.0; without one ask for super"),
        ({"margin": 1.0}, "margin must lie between 0 and 1, not 1.0"),
        ({"margin": math.nan}, "margin must lie between 0 and 1, not nan"),
        ({"alpha": 0.0}, "alpha must lie above 0"),
        ({"metric": "precision_macro"}, "unknown metric 'precision_macro'"),
        ({"answers": "given"}, "unknown answers 'given'"),
    ],
)
def test_senseless_limits_are_refused(limits, message):
    """A margin of nothing is another rule, one of everything is none."""
    with pytest.raises(ValueError, match=message):
        NonInferiority(**limits)


def test_a_handful_of_utterances_bounds_no_f1():
    """Resampling three utterances shows anything, so it shows nothing."""
    three = PairedAnswers.of({("b", "a", "c"): 1, ("b", "b", "c"): 1, ("a", "b", "a"): 1})
    evaluation = Evaluation(report(), report("old"), served=three)
    rule = NonInferiority(margin=0.02, alpha=0.23, metric="f1_macro")
    assert rule.assess(evaluation).outcome is Outcome.HOLD
