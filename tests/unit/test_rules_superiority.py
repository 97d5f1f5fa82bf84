"""The superiority rule."""

from dataclasses import replace

import pytest
from support.evaluations import paired_answers, policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules import Floor, Superiority
from retrainer.domain.verdict import Outcome, decide


def compared(wins, losses, examples):
    """Two models that differ on so many of the examples."""

    def one(model):
        return replace(report(model, metrics={"accuracy": 0.9}), examples=examples)

    paired = paired_answers(wins, losses, examples)
    return Evaluation(one("challenger"), one("champion"), served=paired, classified=paired)


@pytest.mark.parametrize(
    ("wins", "losses", "examples", "rule", "outcome"),
    [
        (40, 20, 1000, Superiority(), Outcome.PROMOTE),
        (20, 40, 1000, Superiority(), Outcome.REJECT),
        (30, 30, 1000, Superiority(), Outcome.REJECT),  # a gain would have shown
        (33, 30, 1000, Superiority(detect=0.005), Outcome.HOLD),
        (4, 2, 60, Superiority(), Outcome.HOLD),
        (0, 0, 60, Superiority(), Outcome.HOLD),
        (0, 0, 0, Superiority(), Outcome.HOLD),
        (5, 0, 60, Superiority(), Outcome.PROMOTE),
        (0, 5, 60, Superiority(), Outcome.REJECT),
        (40, 20, 1000, Superiority(min_gain=0.02), Outcome.REJECT),
        (40, 19, 1000, Superiority(min_gain=0.02), Outcome.PROMOTE),
        (40, 20, 1000, Superiority(alpha=0.001), Outcome.HOLD),
        (9, 5, 299, Superiority(0.23, minimum_items=300), Outcome.PROMOTE),
        (9, 5, 299, Superiority(0.23, minimum_items=300, alpha_if_few=0.05), Outcome.HOLD),
        (12, 4, 299, Superiority(0.23, minimum_items=300, alpha_if_few=0.05), Outcome.PROMOTE),
        (5, 5, 299, Superiority(0.23, minimum_items=300), Outcome.HOLD),
        (5, 5, 300, Superiority(0.23, minimum_items=300), Outcome.REJECT),
    ],
)
def test_the_test_alone_decides(wins, losses, examples, rule, outcome):
    """Better than chance promotes; few utterances wait; enough of them without a gain reject."""
    other = Floor("accuracy", 0.5)
    evaluation = compared(wins, losses, examples)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, rule)).outcome is outcome


def test_the_first_model_has_nothing_to_compare_with():
    """Without a champion the rule does not apply."""
    assert Superiority().assess(Evaluation(report())).outcome is None


def test_the_sentences():
    """Each says the counts, the difference, p and alpha; HOLD how much data would settle it."""
    assert Superiority().assess(compared(40, 20, 1000)).sentence == (
        "the challenger alone is right on 40 of 1000 utterances, the champion alone on 20 "
        "(+2.00 points): p = 0.005, below alpha 0.05"
    )
    held = Superiority().assess(compared(4, 2, 60)).sentence
    assert "p = 0.227, not below alpha 0.05; about 1930 utterances would show a gain of" in held
    worse = Superiority().assess(compared(20, 40, 1000)).sentence
    assert worse.endswith("it is worse by more than chance explains")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"alpha": 0.0}, "alpha must lie above 0"),
        ({"alpha": 0.6}, "not above 0.5, not 0.6"),
        ({"min_gain": -0.1}, "min_gain must lie between 0 and 1"),
        ({"detect": 0.0}, "detect must lie above 0"),
    ],
)
def test_senseless_limits_are_refused(limits, message):
    """A test that always or never finds something is none."""
    with pytest.raises(ValueError, match=message):
        Superiority(**limits)
