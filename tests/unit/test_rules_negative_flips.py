"""The negative flips rule."""

from dataclasses import replace

import pytest
from support.evaluations import compared_by_counts, paired_answers, policy, report

from retrainer.domain.evaluation import Evaluation, Flip
from retrainer.domain.paired import PairedCounts
from retrainer.domain.rules import NegativeFlips, Superiority
from retrainer.domain.verdict import Outcome, decide


@pytest.mark.parametrize(
    ("losses", "items", "rule", "outcome"),
    [
        (25, 500, NegativeFlips(), Outcome.PROMOTE),  # at the limit
        (26, 500, NegativeFlips(), Outcome.REJECT),
        (0, 500, NegativeFlips(maximum=0.0), Outcome.PROMOTE),
        (1, 500, NegativeFlips(maximum=0.0), Outcome.REJECT),
        (3, 30, NegativeFlips(maximum=0.1), Outcome.PROMOTE),  # 0.1 * 30 is a little more than 3
    ],
)
def test_the_flips_alone_decide(losses, items, rule, outcome):
    """However many utterances are understood instead."""
    evaluation = compared_by_counts(items // 2, losses, items)
    assert decide(evaluation, policy(Superiority())).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(Superiority(), rule)).outcome is outcome


def flip(number, *, regression=True):
    """An utterance that only one model understands."""
    answers = ("greet", 0.9, None, 0.0) if regression else (None, 0.0, "greet", 0.9)
    return Flip(f"hello {number}", "greet", *answers, regression=regression)


def test_the_flips_are_listed():
    """Those for the worse, the first ten of them, and how many more."""
    evaluation = compared_by_counts(3, 12, 100)
    flips = (*map(flip, range(12)), flip(99, regression=False))
    details = NegativeFlips().assess(replace(evaluation, flips=flips)).details
    assert len(details) == 11
    assert details[0] == "'hello 0' (greet): now no answer"
    assert details[-1] == "and 2 more"
    assert NegativeFlips().assess(replace(evaluation, flips=flips[:2])).details == (
        "'hello 0' (greet): now no answer",
        "'hello 1' (greet): now no answer",
    )


def test_the_policy_names_which_answers_count():
    """As users get them, or as the classifier gives them."""
    evaluation = replace(compared_by_counts(0, 10, 100), classified=paired_answers(0, 0, 100))
    assert NegativeFlips().assess(evaluation).outcome is Outcome.REJECT
    assert NegativeFlips(answers="classified").assess(evaluation).outcome is Outcome.PROMOTE


def test_the_sentences():
    """The rate, and the limit."""
    assert NegativeFlips().judge(PairedCounts(300, 40, 20)).sentence == (
        "20 of 300 utterances (6.67 %) were right before and are wrong now, more than the 5.00 % "
        "allowed"
    )
    check = NegativeFlips().assess(compared_by_counts(0, 0, 0))
    assert check.outcome is Outcome.HOLD
    assert check.sentence == (
        "0 utterances to compare on, at most 5.00 % of utterances that turn wrong needs some"
    )
    assert NegativeFlips().assess(Evaluation(report())).outcome is None


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"maximum": 1.1}, "maximum must lie between 0 and 1, not 1.1"),
        ({"maximum": -0.1}, "maximum must lie between 0 and 1, not -0.1"),
        ({"answers": "given"}, "unknown answers 'given'"),
    ],
)
def test_senseless_limits_are_refused(limits, message):
    """A limit that cannot mean anything is an error of the config."""
    with pytest.raises(ValueError, match=message):
        NegativeFlips(**limits)
