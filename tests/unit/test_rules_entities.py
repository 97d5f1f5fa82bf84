"""The rules on all entities together, and on the responses that are chosen: one law for both."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.evaluations import policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedCounts
from retrainer.domain.rules import Entities, Floor, ResponseSelection
from retrainer.domain.verdict import Outcome, decide

METRIC = {Entities: "entity_f1", ResponseSelection: "response_accuracy"}
both = pytest.mark.parametrize("rule", METRIC)


def compared(rule, before, after, wins=0, losses=0):
    """Models with these figures, None for unmeasured, that differ on so many of 100 utterances."""

    def one(model, value):
        known = {} if value is None else {METRIC[rule]: value}
        return report(model, metrics={"accuracy": 1.0} | known)

    counts = PairedCounts(100, wins, losses)
    return Evaluation(
        one("challenger", after),
        one("champion", before),
        extractions=counts if rule is Entities else None,
        responses=counts if rule is ResponseSelection else None,
    )


@both
@pytest.mark.parametrize(
    ("figures", "limits", "outcome"),
    [
        ((0.9, 0.9), {}, Outcome.PROMOTE),
        ((0.9, 0.88, 0, 9), {}, Outcome.PROMOTE),  # the margin itself is allowed
        ((0.9, 0.87, 0, 9), {}, Outcome.REJECT),
        ((0.9, 0.87, 6, 9), {}, Outcome.PROMOTE),  # chance
        ((0.9, 0.87, 0, 9), {"margin": 0.05}, Outcome.PROMOTE),
        ((0.9, 0.87, 0, 9), {"alpha": 0.0001}, Outcome.PROMOTE),
        ((0.9, 0.95, 9, 0), {}, Outcome.PROMOTE),
        ((0.9, 0.95, 9, 0), {"minimum": 0.96}, Outcome.REJECT),
        ((0.9, 0.95, 9, 0), {"minimum": 0.95}, Outcome.PROMOTE),
        ((0.9, 0.87, 0, 9), {"minimum": 0.5}, Outcome.REJECT),
        ((0.9, None), {}, Outcome.HOLD),
        ((None, 0.9), {}, Outcome.HOLD),
        ((0.9, math.nan), {}, Outcome.HOLD),
        ((math.nan, 0.9), {}, Outcome.HOLD),
        ((None, None), {"minimum": 0.5}, Outcome.HOLD),  # what is asked for cannot be known
        ((None, None), {}, Outcome.PROMOTE),  # nothing of the kind in the data
    ],
)
def test_the_rule_alone_decides(rule, figures, limits, outcome):
    """Worse by more than margin and chance, or below the floor, rejects; the unmeasured is held."""
    evaluation = compared(rule, *figures)
    other = Floor("accuracy", 0.5)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, rule(**limits))).outcome is outcome


@both
def test_utterances_that_were_not_compared_are_held(rule):
    """Figures without the utterances behind them leave chance unknown."""
    metrics = {METRIC[rule]: 0.9}
    evaluation = Evaluation(report(metrics=metrics), report("champion", metrics=metrics))
    assert rule().assess(evaluation).outcome is Outcome.HOLD


@both
def test_a_first_model_has_its_floor_alone(rule):
    """Without a champion nothing can be lost, and too little is too little all the same."""
    first = Evaluation(report(metrics={METRIC[rule]: 0.7}))
    assert rule().assess(first).outcome is None
    assert rule(minimum=0.7).assess(first).outcome is Outcome.PROMOTE
    assert rule(minimum=0.8).assess(first).outcome is Outcome.REJECT
    assert rule().assess(Evaluation(report())).outcome is None


def test_the_sentences():
    """What was measured, on what, and both limits; beside a floor the other one is a detail."""
    check = Entities().assess(compared(Entities, 0.9, 0.87, 0, 9))
    assert check.sentence == (
        "entity_f1 went from 0.9000 to 0.8700 (-3.00 points); the champion alone is right on 9 of "
        "100 utterances, the challenger alone on 0: more than the 2.00 points of loss allowed, and "
        "more than chance explains (p = 0.001, alpha 0.05)"
    )
    chance = Entities().assess(compared(Entities, 0.9, 0.87, 8, 9)).sentence
    assert chance.endswith(
        "more than the 2.00 points of loss allowed, but not more than chance explains "
        "(p = 0.407, alpha 0.05)"
    )
    floor = Entities(minimum=0.88).assess(compared(Entities, 0.87, 0.87))
    assert floor.sentence == ("entity_f1 of the challenger is 0.8700, below the floor of 0.8800")
    assert floor.details[0].startswith("entity_f1 went from 0.8700 to 0.8700")
    nothing = ResponseSelection().assess(Evaluation(report(), report("champion")))
    assert nothing.sentence.startswith("nothing to measure response_accuracy on")


@both
@given(
    st.none() | st.floats(0, 1),
    *[st.floats(0, 1)] * 3,
    *[st.integers(0, 15)] * 3,
)
def test_being_right_more_often_never_worsens_the_outcome(
    rule, minimum, before, one, other, wins, losses, fewer
):
    """A better figure with fewer utterances lost is never judged worse."""
    worse, better = sorted((one, other))
    limits = rule(minimum=minimum)
    low = limits.assess(compared(rule, before, worse, wins, losses))
    high = limits.assess(compared(rule, before, better, wins, max(losses - fewer, 0)))
    assert high.outcome.severity <= low.outcome.severity


@both
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"minimum": 1.1}, "minimum must lie between 0 and 1, not 1.1"),
        ({"margin": -0.1}, "margin must lie between 0 and 1, not -0.1"),
        ({"alpha": 0.0}, "alpha must lie above 0"),
    ],
)
def test_senseless_limits_are_refused(rule, limits, message):
    """A limit that cannot mean anything is an error of the config."""
    with pytest.raises(ValueError, match=message):
        rule(**limits)
