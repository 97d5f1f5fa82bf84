"""The rule on custom actions."""

import pytest
from support.evaluations import policy, report

from retrainer.domain.custom_actions import CustomActions, custom
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules import Floor, ServedActions
from retrainer.domain.verdict import Outcome, decide


def evaluation(actions, *, champion=True):
    """A model beyond all doubt, with these actions."""
    good = report(metrics={"accuracy": 1.0})
    return Evaluation(good, report("champion") if champion else None, actions=actions)


@pytest.mark.parametrize(
    ("actions", "outcome"),
    [
        (CustomActions(("pay",), ("pay",)), Outcome.PROMOTE),
        (CustomActions((), None), Outcome.PROMOTE),
        (CustomActions(("pay",), ()), Outcome.HOLD),
        (CustomActions(("pay",), None), Outcome.HOLD),
        (CustomActions(("pay",), (), ("pay", "other")), Outcome.PROMOTE),
        (CustomActions(("pay",), None, ("pay",)), Outcome.PROMOTE),
        (CustomActions(("pay", "ship"), ("pay",), ("pay",)), Outcome.HOLD),
        (CustomActions(("pay", "ship"), ("pay",), ("ship",)), Outcome.PROMOTE),
        (CustomActions(None, ("pay",), ("pay",)), Outcome.HOLD),
        (None, Outcome.PROMOTE),
    ],
)
def test_the_actions_alone_decide(actions, outcome):
    """A perfect model that asks for what nobody runs waits for a person.

    Two models that are compared outside of a cycle have no action server to ask.
    """
    rules = policy(Floor("accuracy", 0.5), ServedActions())
    assert decide(evaluation(actions), rules).outcome is outcome


def test_a_first_model_has_nothing_to_be_compared_with():
    """Without a champion every action is new, and the rule does not apply."""
    check = ServedActions().assess(evaluation(None, champion=False))
    assert check.outcome is None
    assert "from the second model on" in check.sentence


def test_known_actions_justify_nothing():
    """That the server runs them says nothing of how good the model is."""
    served = evaluation(CustomActions(("pay",), ("pay",)))
    assert decide(served, policy(ServedActions())).outcome is Outcome.HOLD


@pytest.mark.parametrize(
    ("actions", "sentence", "details"),
    [
        (
            CustomActions(("pay", "ship"), ("pay", "ship")),
            "0 of 2 custom actions are new, 0 may be missing on the action server",
            (),
        ),
        (
            CustomActions(("pay", "ship", "z"), ("pay",), problem="off"),
            "2 of 3 custom actions are new, and 2 of these not known to be run, 0 are allowed: off",
            ("ship", "z"),
        ),
        (
            CustomActions(("pay", "ship"), None, ("pay",)),
            "2 of 2 custom actions may be new, and 1 of these missing on the action server, 0 may be",
            ("ship",),
        ),
    ],
)
def test_the_sentences(actions, sentence, details):
    """How many are new, how many nobody runs, and which; and why that is not known."""
    check = ServedActions().assess(evaluation(actions))
    assert check.sentence == sentence
    assert check.details == details
    assert (check.observed, check.limit) == (len(details), 0)


def test_which_actions_are_custom():
    """Responses are Rasa's own; one of Rasa's actions that a domain lists is replaced by it."""
    names = ["utter_greet", "action_pay", "validate_form", "action_session_start", "action_pay"]
    assert custom(names) == ("action_pay", "action_session_start", "validate_form")
