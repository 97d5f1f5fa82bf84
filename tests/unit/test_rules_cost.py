"""The rule on what a model costs."""

import math
from dataclasses import replace

import pytest
from support.evaluations import policy, report

from retrainer.domain.cost import Cost
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules import BoundedCost, Floor
from retrainer.domain.verdict import Outcome, decide

BEFORE = Cost(10_000_000, 0.010, 0.020, 50)


def evaluation(after, before=BEFORE):
    """A model beyond all doubt at this cost; no champion if `before` is ...."""
    good = replace(report(metrics={"accuracy": 1.0}), cost=after)
    champion = None if before is ... else replace(report("champion"), cost=before)
    return Evaluation(good, champion)


@pytest.mark.parametrize(
    ("after", "rule", "outcome"),
    [
        (BEFORE, BoundedCost(), Outcome.PROMOTE),
        (replace(BEFORE, size=15_000_000), BoundedCost(), Outcome.PROMOTE),
        (replace(BEFORE, size=15_010_000), BoundedCost(), Outcome.REJECT),
        (replace(BEFORE, median=0.015), BoundedCost(), Outcome.PROMOTE),
        (replace(BEFORE, median=0.0151), BoundedCost(), Outcome.REJECT),
        (replace(BEFORE, median=0.0151), BoundedCost(maximum_slowdown=1.0), Outcome.PROMOTE),
        (replace(BEFORE, size=1, median=0.0001), BoundedCost(), Outcome.PROMOTE),
        (BEFORE, BoundedCost(maximum_mb=10), Outcome.PROMOTE),
        (BEFORE, BoundedCost(maximum_mb=9.9), Outcome.REJECT),
        (BEFORE, BoundedCost(maximum_median_ms=10), Outcome.PROMOTE),
        (BEFORE, BoundedCost(maximum_median_ms=9.99), Outcome.REJECT),
        (BEFORE, BoundedCost(maximum_p95_ms=20), Outcome.PROMOTE),
        (BEFORE, BoundedCost(maximum_p95_ms=19), Outcome.REJECT),
        (None, BoundedCost(), Outcome.HOLD),
        (replace(BEFORE, size=0), BoundedCost(), Outcome.HOLD),
        (Cost(10_000_000), BoundedCost(), Outcome.HOLD),
        (replace(BEFORE, median=math.nan), BoundedCost(), Outcome.HOLD),
        (replace(BEFORE, p95=None), BoundedCost(maximum_p95_ms=50), Outcome.HOLD),
        (None, BoundedCost(maximum_mb=10), Outcome.HOLD),
        (replace(BEFORE, p95=math.inf), BoundedCost(maximum_p95_ms=50), Outcome.HOLD),
    ],
)
def test_the_cost_alone_decides(after, rule, outcome):
    """A perfect model that is too large or too slow is not promoted; what was not measured waits."""
    assert decide(evaluation(after), policy(Floor("accuracy", 0.5), rule)).outcome is outcome


@pytest.mark.parametrize(
    "before", [None, Cost(0), replace(BEFORE, size=0), Cost(10_000_000, 0.0, 0.0, 1)]
)
def test_a_champion_of_unknown_cost_is_held(before):
    """A growth over nothing cannot be judged."""
    check = BoundedCost().assess(evaluation(BEFORE, before))
    assert check.outcome is Outcome.HOLD
    assert "not comparable" in check.sentence


def test_a_cheap_model_is_not_promoted_for_that():
    """The cost says nothing of how good the model is: alone it never promotes."""
    assert decide(evaluation(Cost(1, 1e-4, 1e-4, 9)), policy(BoundedCost())).outcome is Outcome.HOLD


def test_a_first_model_has_absolute_limits_alone():
    """Without a champion growth does not apply; a limit in megabytes does."""
    first = evaluation(BEFORE, ...)
    check = BoundedCost().assess(first)
    assert (check.outcome, check.limit) == (None, 0.5)
    assert check.sentence == (
        "no champion to compare size and speed with, "
        "at most 50.00 % more applies from the second model on"
    )
    assert BoundedCost(maximum_mb=5).assess(first).outcome is Outcome.REJECT


def test_the_sentences():
    """Values, limits and units are said; what passed stands in the details."""
    slow = Cost(10_500_000, 0.025, 0.080, 50)
    check = BoundedCost(maximum_p95_ms=50).assess(evaluation(slow))
    assert check.sentence == (
        "time that 19 of 20 parses take: 80 ms, at most 50 ms; "
        "the median time of a parse went from 10 ms to 25 ms (+150.00 %), at most 50.00 % more"
    )
    assert (check.observed, check.limit) == (80, 50)
    passed = BoundedCost().assess(evaluation(replace(BEFORE, size=10_500_000)))
    assert passed.sentence == (
        "the archive went from 10 MB to 10.5 MB (+5.00 %), at most 50.00 % more"
    )
    assert passed.details == (
        "the median time of a parse went from 10 ms to 10 ms (+0.00 %), at most 50.00 % more",
    )
    missing = BoundedCost(maximum_mb=5).assess(evaluation(None, ...))
    assert missing.sentence == "size of the archive: not measured, at most 5 MB"


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({"maximum_mb": -1.0}, "maximum_mb must be a number from 0 on, not -1.0"),
        ({"maximum_slowdown": math.nan}, "maximum_slowdown must be a number from 0 on, not nan"),
        ({"maximum_growth": math.inf}, "maximum_growth must be a number from 0 on, not inf"),
        ({"maximum_growth": None, "maximum_slowdown": None}, "at least one of .* there are 0"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, complaint):
    """A rule that asks for nothing, or that nothing could meet, is a mistake."""
    with pytest.raises(ValueError, match=complaint):
        BoundedCost(**limits)


@pytest.mark.parametrize(
    ("seconds", "median", "p95"),
    [
        ([], None, None),
        ([0.3], 0.3, 0.3),
        ([0.1, 0.3], 0.2, 0.3),
        ([n / 100 for n in range(100, 0, -1)], 0.505, 0.95),
        ([0.01] * 19 + [9.0], 0.01, 0.01),
        ([0.01] * 18 + [9.0] * 2, 0.01, 9.0),
    ],
)
def test_times_in_two_figures(seconds, median, p95):
    """The median, and the time that 19 of 20 stay within; nothing without a measurement."""
    cost = Cost.of(7, seconds)
    assert (cost.size, cost.utterances) == (7, len(seconds))
    assert cost.median == (None if median is None else pytest.approx(median))
    assert cost.p95 == p95
