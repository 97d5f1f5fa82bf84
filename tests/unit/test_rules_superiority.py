"""The superiority rule."""

import math

import pytest
from support.evaluations import compared_answers, compared_by_counts, paired_answers, policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedAnswers, PairedCounts
from retrainer.domain.resampling import bootstrap
from retrainer.domain.rules import Floor, Superiority
from retrainer.domain.simulation import draw_night
from retrainer.domain.verdict import Outcome, decide


@pytest.mark.parametrize(
    ("wins", "losses", "examples", "rule", "outcome"),
    [
        (40, 20, 1000, Superiority(), Outcome.PROMOTE),
        (20, 40, 1000, Superiority(), Outcome.REJECT),
        (30, 30, 1000, Superiority(), Outcome.REJECT),  # a gain is ruled out
        (35, 29, 1000, Superiority(), Outcome.REJECT),
        (36, 29, 1000, Superiority(), Outcome.HOLD),  # neither is
        (43, 29, 1000, Superiority(), Outcome.HOLD),
        (44, 29, 1000, Superiority(), Outcome.PROMOTE),
        (33, 30, 1000, Superiority(detect=0.005), Outcome.HOLD),
        (4, 2, 60, Superiority(), Outcome.HOLD),
        (0, 0, 60, Superiority(), Outcome.HOLD),
        (0, 0, 0, Superiority(), Outcome.HOLD),
        (5, 0, 60, Superiority(), Outcome.PROMOTE),
        (0, 5, 60, Superiority(), Outcome.REJECT),
        (4, 0, 60, Superiority(), Outcome.PROMOTE),
        (4, 0, 60, Superiority(test="exact"), Outcome.HOLD),
        (40, 20, 1000, Superiority(min_gain=0.02), Outcome.REJECT),
        (40, 19, 1000, Superiority(min_gain=0.02), Outcome.PROMOTE),
        (9, 1, 100, Superiority(min_gain=0.1), Outcome.HOLD),  # more is not ruled out
        (40, 20, 1000, Superiority(alpha=0.001), Outcome.HOLD),
        (9, 5, 299, Superiority(0.23, minimum_items=300), Outcome.PROMOTE),
        (9, 5, 299, Superiority(0.23, minimum_items=300, alpha_if_few=0.05), Outcome.HOLD),
        (12, 4, 299, Superiority(0.23, minimum_items=300, alpha_if_few=0.05), Outcome.PROMOTE),
        (5, 5, 299, Superiority(0.23, minimum_items=300), Outcome.HOLD),
        (5, 5, 300, Superiority(0.23, minimum_items=300), Outcome.REJECT),
        (6, 3, 299, Superiority(0.23, minimum_items=300, alpha_if_few=0.05), Outcome.HOLD),
        (6, 3, 300, Superiority(0.23, minimum_items=300, alpha_if_few=0.05), Outcome.PROMOTE),
        # So many differences need more utterances, and then the stricter alpha goes on.
        (28, 20, 400, Superiority(0.23, minimum_items=300, alpha_if_few=0.05), Outcome.HOLD),
        (28, 20, 1000, Superiority(0.23, minimum_items=300, alpha_if_few=0.05), Outcome.PROMOTE),
        # A loss is proved by the stricter one as well: p = 0.15
        (5, 9, 200, Superiority(0.23, minimum_items=300, alpha_if_few=0.05), Outcome.HOLD),
        (5, 9, 200, Superiority(0.23, minimum_items=300), Outcome.REJECT),
    ],
)
def test_the_test_alone_decides(wins, losses, examples, rule, outcome):
    """Better than chance promotes; what is ruled out is rejected; what lies between waits."""
    other = Floor("accuracy", 0.5)
    evaluation = compared_by_counts(wins, losses, examples)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, rule)).outcome is outcome


def rare_intents(better, worse, same=600):
    """A common intent that neither confuses, and two rare ones that trade places."""
    counts = {
        ("track", "track", "track"): same,
        ("part", "track", "part"): better,
        ("part", "part", "part"): 4,
        ("greet", "greet", "track"): worse,
        ("greet", "greet", "greet"): 8,
    }
    return PairedAnswers.of({triple: number for triple, number in counts.items() if number})


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize(
    ("answers", "metric", "limits", "outcome"),
    [
        (rare_intents(9, 2), "f1_macro", {}, Outcome.PROMOTE),
        (rare_intents(9, 2), "f1_weighted", {"min_gain": 0.05}, Outcome.REJECT),
        (rare_intents(0, 12), "f1_macro", {}, Outcome.REJECT),
        (rare_intents(2, 2), "f1_macro", {}, Outcome.HOLD),
        (rare_intents(2, 2), "f1_weighted", {}, Outcome.REJECT),
        (rare_intents(2, 2), "f1_micro", {"minimum_items": 700}, Outcome.HOLD),
        (paired_answers(40, 20, 1000), "f1_micro", {}, Outcome.PROMOTE),
        (paired_answers(30, 30, 1000), "f1_micro", {}, Outcome.REJECT),
        (paired_answers(0, 0, 60), "f1_micro", {}, Outcome.HOLD),  # where the bootstrap is a point
        (paired_answers(0, 0, 600), "f1_micro", {}, Outcome.REJECT),
        (paired_answers(1, 0, 1), "f1_micro", {}, Outcome.HOLD),  # as it is here
        (paired_answers(0, 1, 1), "f1_micro", {}, Outcome.HOLD),
    ],
)
def test_of_an_f1_the_bootstrap_alone_decides(answers, metric, limits, outcome, method):
    """The same three answers by the bounds of the bootstrap, which is not trusted on little."""
    other = Floor("accuracy", 0.5)
    rule = Superiority(metric=metric, method=method, **limits)
    evaluation = compared_answers(answers)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, rule)).outcome is outcome


def test_the_policy_names_which_answers_count():
    """A fallback is an answer to users and none to the classifier: they may differ."""
    evaluation = compared_answers(
        paired_answers(40, 10, 500), classified=paired_answers(10, 40, 500)
    )
    assert Superiority().assess(evaluation).outcome is Outcome.PROMOTE
    assert Superiority(answers="classified").assess(evaluation).outcome is Outcome.REJECT


def test_the_first_model_has_nothing_to_compare_with():
    """Without a champion the rule does not apply."""
    assert Superiority().assess(Evaluation(report())).outcome is None


def test_the_sentences():
    """Each says the counts, the difference, p and alpha; HOLD how much data would settle it."""
    assert Superiority().assess(compared_by_counts(40, 20, 1000)).sentence == (
        "the challenger alone is right on 40 of 1000 utterances, the champion alone on 20 "
        "(+2.00 points): p = 0.0049, below alpha 0.05"
    )
    assert Superiority().assess(compared_by_counts(4, 2, 60)).sentence == (
        "the challenger alone is right on 4 of 60 utterances, the champion alone on 2 "
        "(+3.33 points): p = 0.2266, not below alpha 0.05; about 3,039 utterances would tell a gain "
        "of +2.00 points from none at alpha 0.05"
    )
    worse = Superiority().assess(compared_by_counts(20, 40, 1000)).sentence
    assert worse.endswith("it is worse by more than chance explains")
    none = Superiority().assess(compared_by_counts(30, 30, 1000)).sentence
    assert none.endswith("not below alpha 0.05; a true gain of +2.00 points is ruled out")
    little = Superiority(min_gain=0.02).assess(compared_by_counts(40, 20, 1000)).sentence
    assert little.endswith(
        "below alpha 0.05, but not more than the +2.00 points asked for; a true gain of +4.00 "
        "points is ruled out"
    )


def test_the_sentence_of_an_f1_has_its_interval():
    """Both figures, the gain, the interval at 95 %, and the bound that decides."""
    answers = rare_intents(9, 2)
    gain = bootstrap(answers).averages["f1_macro"]
    interval, bound = gain.interval(), gain.lower_bound(0.95)
    check = Superiority(metric="f1_macro").assess(compared_answers(answers))
    assert check.sentence == (
        f"f1_macro went from {gain.champion:.4f} to {gain.challenger:.4f} on 623 utterances "
        f"({gain.observed * 100:+.2f} points, 95 % interval {interval.low * 100:+.2f} to "
        f"{interval.high * 100:+.2f} points): at alpha 0.05 the true gain is at least "
        f"{bound * 100:+.2f} points, above +0.00 points"
    )
    assert (check.observed, check.limit) == (bound, 0.0)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_it_errs_as_seldom_as_it_says(alpha):
    """Equal models are promoted, and ones better by `detect` rejected, at most at about alpha."""
    rule = Superiority(alpha)
    for items in (60, 300, 1000, 2000):
        for gain, wrong in ((0.0, Outcome.PROMOTE), (0.02, Outcome.REJECT)):
            nights = draw_night(items=items, discordance=0.06, gain=gain, draws=1500, seed=items)
            found = [
                rule.judge(PairedCounts(items, int(won), int(lost))).outcome
                for won, lost in zip(*nights, strict=True)
            ]
            error = 3 * math.sqrt(alpha * (1 - alpha) / len(found))
            assert sum(outcome is wrong for outcome in found) / len(found) <= alpha * 1.1 + error


def test_on_as_many_utterances_as_it_asks_for_it_is_settled():
    """Where HOLD says how many utterances it takes, on so many hardly a night is held."""
    held = Superiority().judge(PairedCounts(200, 6, 6))
    needed = int(held.sentence.partition("about ")[2].partition(" ")[0].replace(",", ""))
    assert held.outcome is Outcome.HOLD
    nights = draw_night(items=needed, discordance=0.06, gain=0.01, draws=400, seed=1)
    outcomes = [
        Superiority().judge(PairedCounts(needed, int(won), int(lost))).outcome
        for won, lost in zip(*nights, strict=True)
    ]
    assert sum(outcome is Outcome.HOLD for outcome in outcomes) < 20


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"alpha": 0.0}, "alpha must lie above 0"),
        ({"alpha": 0.6}, "not above 0.5, not 0.6"),
        ({"min_gain": -0.1}, "min_gain must lie between 0 and 1"),
        ({"detect": 0.0}, "detect must lie above 0"),
        ({"detect": math.nan}, "detect must lie above 0 and not above 1, not nan"),
        ({"detect": 0.5, "min_gain": 0.6}, "min_gain and detect together must be below 1, not 1.1"),
        ({"minimum_items": -1}, "minimum_items must not be negative, it is -1"),
        ({"alpha": 0.05, "alpha_if_few": 0.1}, "must not exceed alpha, 0.05; it is 0.1"),
        ({"metric": "f2"}, "unknown metric 'f2'; known are accuracy, f1_weighted"),
        ({"test": "t"}, "unknown test 't'; known are mid_p, exact"),
        ({"method": "basic"}, "unknown method 'basic'; known are bca, percentile"),
        ({"answers": "given"}, "unknown answers 'given'; known are served, classified"),
    ],
)
def test_senseless_limits_are_refused(limits, message):
    """A test that always or never finds something is none."""
    with pytest.raises(ValueError, match=message):
        Superiority(**limits)
