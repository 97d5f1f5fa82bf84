"""The rule on single types of entity."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.evaluations import entity_figures, policy, report

from retrainer.domain.evaluation import Evaluation, Report
from retrainer.domain.paired import PairedCounts
from retrainer.domain.rules import Floor, PerEntity
from retrainer.domain.verdict import Outcome, decide

GOOD = {"accuracy": 1.0, "entity_f1": 0.9}


def compared(before, after, counts):
    """Models with these figures, F1 and support, of each type, and these wins and losses."""

    def one(model, kinds):
        found = {kind: entity_figures(*of) for kind, of in kinds.items()}
        return Report(model, "a" * 32, 100, GOOD, entities=found)

    paired = {kind: PairedCounts(40, *of) for kind, of in counts.items()}
    return Evaluation(one("challenger", after), one("champion", before), entities=paired)


def one_type(before, after, wins, losses, support=20):
    """The same for a single type."""
    return compared(
        {"city": (before, support)}, {"city": (after, support)}, {"city": (wins, losses)}
    )


@pytest.mark.parametrize(
    ("evaluation", "outcome"),
    [
        (one_type(0.9, 0.9, 0, 0), Outcome.PROMOTE),
        (one_type(0.9, 0.81, 0, 9), Outcome.PROMOTE),  # less than the margin
        (one_type(0.9, 0.8, 0, 9), Outcome.PROMOTE),  # the margin itself is allowed
        (one_type(0.9, 0.7, 0, 9), Outcome.REJECT),
        (one_type(0.9, 0.7, 0, 4), Outcome.REJECT),  # p = 0.031
        (one_type(0.9, 0.7, 0, 3), Outcome.PROMOTE),  # p = 0.063
        (one_type(0.9, 0.7, 6, 9), Outcome.PROMOTE),
        (one_type(0.9, 0.95, 9, 0), Outcome.PROMOTE),
        (one_type(0.9, math.nan, 0, 0), Outcome.HOLD),
        (one_type(math.nan, 0.9, 0, 0), Outcome.HOLD),
        (compared({"city": (0.9, 20)}, {}, {"city": (0, 0)}), Outcome.HOLD),
        (compared({"city": (0.9, 20)}, {"city": (0.9, 20)}, {}), Outcome.HOLD),
        (compared({}, {}, {}), Outcome.HOLD),  # entities were measured, but not type by type
    ],
)
def test_the_types_alone_decide(evaluation, outcome):
    """A loss beyond margin and chance rejects however good the rest is; the unmeasured is held."""
    other = Floor("accuracy", 0.5)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, PerEntity())).outcome is outcome


def test_chance_is_judged_for_all_types_together():
    """One of three types needs more losses than one alone."""
    kinds = {"city": (0.9, 20), "dish": (0.9, 20), "order": (0.9, 20)}
    worse = kinds | {"city": (0.7, 20)}
    even = {"dish": (0, 0), "order": (0, 0)}
    four = PerEntity().assess(compared(kinds, worse, even | {"city": (0, 4)}))
    assert four.outcome is Outcome.PROMOTE
    (detail,) = four.details
    assert detail == (
        "city: F1 0.9000 -> 0.7000 (-20.00 points) on 20 annotated entities, p = 0.0938, "
        "which chance explains"
    )
    five = PerEntity().assess(compared(kinds, worse, even | {"city": (0, 6)}))
    assert five.outcome is Outcome.REJECT
    assert five.sentence == (
        "1 of 3 types of entity with at least 10 annotated entities lost more than 10.00 points "
        "of F1 and more than chance explains (alpha 0.05 for all together); city lost 20.00 points"
    )


def test_rare_types_are_listed_and_not_judged():
    """Below the minimum support, and where nothing is annotated, nothing is judged."""
    rare = compared(
        {"city": (0.9, 9), "only_found": (0.0, 0)}, {"city": (0.1, 9)}, {"city": (0, 9)}
    )
    check = PerEntity().assess(rare)
    assert check.outcome is None
    assert check.details == (
        "not judged, with fewer than 10 annotated entities: city (9), only_found (0)",
    )


def test_without_entities_or_a_champion_it_does_not_apply():
    """An assistant without entities is not held for want of them."""
    assert PerEntity().assess(Evaluation(report(), report("champion"))).outcome is None
    first = PerEntity().assess(Evaluation(report(metrics=GOOD)))
    assert first.outcome is None
    assert first.sentence.startswith("no champion to compare types of entity with")


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), *[st.integers(0, 15)] * 3)
def test_finding_more_never_worsens_the_outcome(before, one, other, wins, losses, fewer):
    """A better F1 with fewer utterances lost is never judged worse."""
    worse, better = sorted((one, other))
    low = PerEntity().assess(one_type(before, worse, wins, losses))
    high = PerEntity().assess(one_type(before, better, wins, max(losses - fewer, 0)))
    assert high.outcome.severity <= low.outcome.severity


def test_senseless_limits_are_refused():
    """A limit that cannot mean anything is an error of the config."""
    with pytest.raises(ValueError, match="margin must lie between 0 and 1, not 2"):
        PerEntity(margin=2)
    with pytest.raises(ValueError, match="minimum_support must be at least 1, not 0"):
        PerEntity(minimum_support=0)
    with pytest.raises(ValueError, match=r"not above 0.5, not 0.7"):
        PerEntity(alpha=0.7)
