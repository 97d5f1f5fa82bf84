"""The suspicious gain rule."""

from dataclasses import replace

import pytest
from support.evaluations import compared_answers, compared_by_counts, policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedAnswers, PairedCounts
from retrainer.domain.rules import Floor, Superiority, SuspiciousGain
from retrainer.domain.verdict import Outcome, decide


@pytest.mark.parametrize(
    ("wins", "losses", "items", "limits", "outcome"),
    [
        (40, 10, 300, {}, Outcome.PROMOTE),  # exactly ten points
        (42, 10, 300, {}, Outcome.HOLD),
        (120, 5, 1000, {"maximum": 0.2}, Outcome.PROMOTE),
        (2, 0, 10, {}, Outcome.PROMOTE),  # twenty points of chance
        (9, 1, 40, {}, Outcome.HOLD),
        (9, 1, 40, {"alpha": 0.001}, Outcome.PROMOTE),
        (1, 50, 100, {}, Outcome.PROMOTE),  # no gain is no suspicious gain
    ],
)
def test_a_jump_alone_is_held(wins, losses, items, limits, outcome):
    """More than the limit and than chance waits for a person, whatever else is promoted."""
    other = Floor("accuracy", 0.5)
    rule = SuspiciousGain(**limits)
    evaluation = compared_by_counts(wins, losses, items)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, rule)).outcome is outcome


def test_a_jump_of_an_f1_is_one_too():
    """A rare intent that is suddenly right raises macro F1 alone, if there is enough of it."""
    for rare, outcome in ((8, Outcome.HOLD), (2, Outcome.PROMOTE)):
        answers = PairedAnswers.of(
            {
                ("greet", "greet", "greet"): 300,
                ("part", "greet", "part"): rare,
                ("part", "part", "part"): rare,
            }
        )
        evaluation = compared_answers(answers)
        assert SuspiciousGain().assess(evaluation).outcome is Outcome.PROMOTE
        check = SuspiciousGain(metric="f1_macro").assess(evaluation)
        assert check.observed > 0.1
        assert check.outcome is outcome


def test_a_new_intent_is_no_leak():
    """The champion cannot know it; on what both know there is no jump."""
    answers = PairedAnswers.of({("greet", "greet", "greet"): 200, ("new", "greet", "new"): 100})
    evaluation = compared_answers(answers)
    assert Superiority().assess(evaluation).outcome is Outcome.PROMOTE
    assert SuspiciousGain().assess(evaluation).outcome is Outcome.PROMOTE
    both = [
        replace(r, knows=("greet", "new")) for r in (evaluation.challenger, evaluation.champion)
    ]
    leak = replace(evaluation, challenger=both[0], champion=both[1])
    assert SuspiciousGain().assess(leak).outcome is Outcome.HOLD


def test_it_justifies_nothing():
    """Not to be suspicious is no merit: alone it leaves the decision to a person."""
    evaluation = compared_by_counts(40, 20, 1000)
    check = SuspiciousGain().assess(evaluation)
    assert (check.outcome, check.guard) == (Outcome.PROMOTE, True)
    assert decide(evaluation, policy(SuspiciousGain())).outcome is Outcome.HOLD


def test_the_sentences():
    """The gain, the limit, and what it usually is."""
    assert SuspiciousGain().judge(PairedCounts(300, 60, 10)).sentence == (
        "on the intents that both models know, the challenger alone is right on 60 of 300 "
        "utterances, the champion alone on 10 (+16.67 points): more than +10.00 points and than "
        "chance explains: usually a leak"
    )
    noise = SuspiciousGain().judge(PairedCounts(10, 2, 0)).sentence
    assert noise.endswith("more than +10.00 points, which chance explains at alpha 0.05")
    fine = SuspiciousGain().judge(PairedCounts(1000, 60, 10)).sentence
    assert fine.endswith("not more than the +10.00 points from which on it is suspicious")


def test_what_it_does_not_apply_to():
    """No champion, or nothing that both know; no utterances at all are held."""
    assert SuspiciousGain().assess(Evaluation(report())).outcome is None
    strangers = compared_answers(PairedAnswers.of({("new", "greet", "new"): 100}))
    check = SuspiciousGain().assess(strangers)
    assert check.outcome is None
    assert check.sentence.startswith("0 of 100 utterances are of intents that both models know")
    assert SuspiciousGain().assess(compared_by_counts(0, 0, 0)).outcome is Outcome.HOLD


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"maximum": 1.1}, "maximum must lie between 0 and 1, not 1.1"),
        ({"alpha": 0.0}, "alpha must lie above 0"),
        ({"metric": "entity_f1"}, "unknown metric 'entity_f1'; known are accuracy"),
        ({"answers": "given"}, "unknown answers 'given'"),
    ],
)
def test_senseless_limits_are_refused(limits, message):
    """A limit that cannot mean anything is an error of the config."""
    with pytest.raises(ValueError, match=message):
        SuspiciousGain(**limits)
