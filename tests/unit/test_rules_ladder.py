"""The ladder rule."""

import math

import pytest
from support.evaluations import compared_by_counts, policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedCounts
from retrainer.domain.rules import Floor, Ladder
from retrainer.domain.verdict import Outcome, decide


@pytest.mark.parametrize(
    ("wins", "losses", "items", "rule", "outcome"),
    [
        (20, 14, 1000, Ladder(), Outcome.PROMOTE),
        (20, 15, 1000, Ladder(), Outcome.REJECT),
        (0, 0, 1000, Ladder(), Outcome.REJECT),
        (14, 20, 1000, Ladder(), Outcome.REJECT),
        (1, 0, 5, Ladder(), Outcome.PROMOTE),
        (15, 14, 1000, Ladder(errors=0.0), Outcome.PROMOTE),
        (24, 14, 1000, Ladder(errors=2.0), Outcome.REJECT),
        (27, 14, 1000, Ladder(errors=2.0), Outcome.PROMOTE),
        (20, 0, 99, Ladder(minimum_items=100), Outcome.HOLD),
        (0, 20, 99, Ladder(minimum_items=100), Outcome.HOLD),
        (20, 0, 100, Ladder(minimum_items=100), Outcome.PROMOTE),
        (0, 0, 0, Ladder(), Outcome.HOLD),
    ],
)
def test_the_ladder_alone_decides(wins, losses, items, rule, outcome):
    """More than so many standard errors promotes, less is rejected, too few utterances wait."""
    other = Floor("accuracy", 0.5)
    evaluation = compared_by_counts(wins, losses, items)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, rule)).outcome is outcome


def test_the_sentences():
    """The counts, the gain, and what it has to exceed."""
    assert Ladder().judge(PairedCounts(1000, 20, 14)).sentence == (
        "the challenger alone is right on 20 of 1000 utterances, the champion alone on 14 "
        "(+0.60 points), more than 1 standard error (+0.58 points)"
    )
    check = Ladder(errors=2, minimum_items=2000).judge(PairedCounts(1000, 20, 14))
    assert check.sentence.endswith(
        "not more than 2 standard errors (+1.17 points); fewer than the 2000 utterances asked for"
    )
    assert check.observed == pytest.approx(0.006)
    assert check.limit == pytest.approx(0.01165, abs=1e-5)
    assert Ladder().assess(Evaluation(report())).sentence == (
        "no champion to compare with, a gain of more than 1 standard error applies from the second "
        "model on"
    )


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"errors": -0.1}, "errors must lie between 0 and 10, not -0.1"),
        ({"errors": math.nan}, "errors must lie between 0 and 10, not nan"),
        ({"errors": math.inf}, "errors must lie between 0 and 10, not inf"),
        ({"minimum_items": -1}, "minimum_items must not be negative"),
        ({"answers": "given"}, "unknown answers 'given'"),
    ],
)
def test_senseless_limits_are_refused(limits, message):
    """A rung that nothing or everything reaches is none."""
    with pytest.raises(ValueError, match=message):
        Ladder(**limits)
