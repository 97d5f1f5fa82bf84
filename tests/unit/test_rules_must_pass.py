"""The must-pass rule."""

import pytest
from support.evaluations import must_pass_result, policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules import Floor, MustPassUtterances
from retrainer.domain.verdict import Outcome, decide


def tried(failed, passed):
    """A first model of which this many must-pass utterances failed and passed."""
    results = [must_pass_result(passed=False, text=f"utterance {n}") for n in range(failed)]
    results += [must_pass_result(passed=True) for _ in range(passed)]
    return Evaluation(report(metrics={"accuracy": 1.0}, must_pass=tuple(results)))


@pytest.mark.parametrize(
    ("failed", "passed", "maximum", "outcome"),
    [
        (0, 5, 0.0, Outcome.PROMOTE),
        (1, 5, 0.0, Outcome.REJECT),
        (1, 999, 0.0, Outcome.REJECT),
        (1, 9, 0.1, Outcome.PROMOTE),
        (2, 8, 0.1, Outcome.REJECT),
        (29, 71, 0.29, Outcome.PROMOTE),  # 0.29 * 100 is a little less than 29 in floats
        (30, 70, 0.29, Outcome.REJECT),
        (5, 0, 1.0, Outcome.PROMOTE),
    ],
)
def test_failed_utterances_alone_decide(failed, passed, maximum, outcome):
    """One failed utterance rejects an otherwise perfect model, unless some are allowed."""
    other = Floor("accuracy", 0.5)
    evaluation = tried(failed, passed)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, MustPassUtterances(maximum))).outcome is outcome


def test_the_number_allowed_agrees_with_the_outcome():
    """The sentence never says that more than the allowed number was within it."""
    check = MustPassUtterances(0.29).assess(tried(29, 71))
    assert check.sentence == "29 of 100 must-pass utterances failed, within the 29 allowed"
    assert (check.observed, check.limit) == (29, 29)


def test_every_failed_utterance_is_listed():
    """The details quote each failed utterance with what was expected and what went wrong."""
    check = MustPassUtterances().assess(tried(2, 1))
    assert check.sentence == "2 of 3 must-pass utterances failed, more than the 0 allowed"
    assert check.details == (
        "'utterance 0' (track_order): understood as greet instead of track_order",
        "'utterance 1' (track_order): understood as greet instead of track_order",
    )


def test_without_utterances_the_rule_does_not_apply():
    """An empty list proves nothing, so it cannot promote."""
    assert MustPassUtterances().assess(tried(0, 0)).outcome is None
    assert decide(tried(0, 0), policy(MustPassUtterances())).outcome is Outcome.HOLD


def test_senseless_limits_are_refused():
    """The share of failures lies between 0 and 1."""
    with pytest.raises(ValueError, match="maximum_failed must lie between 0 and 1, not 2"):
        MustPassUtterances(2)
