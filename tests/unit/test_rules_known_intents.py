"""The known intents rule."""

from collections import Counter
from dataclasses import replace

import pytest
from support.evaluations import compared_answers, compared_by_counts, policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedAnswers, PairedCounts
from retrainer.domain.rules import Floor, KnownIntents, Superiority
from retrainer.domain.verdict import Outcome, decide

OLD = ("greet", "part")


def with_new_intent(losses, wins=0, new=60):
    """So many lost and won on the old intents, and a new one that only the challenger knows."""
    return PairedAnswers.of(
        +Counter(
            {
                ("greet", "greet", "greet"): 300,
                ("part", "part", "part"): 300,
                ("greet", "greet", "track"): losses,
                ("part", "nlu_fallback", "part"): wins,
                ("track", "greet", "track"): new,
            }
        )
    )


def evaluation_of(answers, before, after=("greet", "part", "track")):
    """Two models that know these intents, None where it is not recorded."""
    found = compared_answers(answers)
    return replace(
        found,
        champion=replace(found.champion, knows=before),
        challenger=replace(found.challenger, knows=after),
    )


@pytest.mark.parametrize("before", [OLD, None])
@pytest.mark.parametrize(
    ("losses", "wins", "rule", "outcome"),
    [
        (0, 0, KnownIntents(), Outcome.PROMOTE),
        (3, 0, KnownIntents(), Outcome.PROMOTE),  # chance explains it
        (4, 0, KnownIntents(), Outcome.REJECT),
        (12, 3, KnownIntents(), Outcome.REJECT),
        (12, 8, KnownIntents(), Outcome.PROMOTE),
        (12, 0, KnownIntents(margin=0.02), Outcome.PROMOTE),  # 12 of 612
        (13, 0, KnownIntents(margin=0.02), Outcome.REJECT),
        (12, 0, KnownIntents(margin=12 / 612), Outcome.PROMOTE),  # the margin itself is allowed
        (4, 0, KnownIntents(alpha=0.01), Outcome.PROMOTE),
    ],
)
def test_a_new_intent_hides_no_loss(losses, wins, rule, outcome, before):
    """What is better only by what is new is rejected by this rule alone, recorded or not."""
    evaluation = evaluation_of(with_new_intent(losses, wins), before)
    assert decide(evaluation, policy(Superiority())).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(Superiority(), rule)).outcome is outcome


def test_an_intent_that_only_the_champion_knows_does_not_count():
    """It was taken out of the data: its loss is wanted."""
    answers = with_new_intent(40, new=0)
    assert KnownIntents().assess(evaluation_of(answers, OLD)).outcome is Outcome.REJECT
    without = evaluation_of(answers, OLD, after=("part", "track"))
    assert KnownIntents().assess(without).outcome is Outcome.PROMOTE


def test_where_it_is_not_recorded_no_loss_is_left_out():
    """An intent that the champion never answers has no loss; one that it answers counts."""
    answers = with_new_intent(4)
    recorded = KnownIntents().assess(evaluation_of(answers, OLD))
    inferred = KnownIntents().assess(evaluation_of(answers, None))
    assert (recorded.outcome, recorded.observed) == (inferred.outcome, inferred.observed)
    assert recorded.sentence.startswith("on the 2 of 3 intents that both models know the chall")
    assert inferred.sentence.startswith(
        "on the 2 of 3 intents that the champion answers (its own are not recorded) the challenger"
    )


def test_what_the_classifier_answers_is_known_too():
    """A champion whose fallback hides an intent from users knows it all the same."""
    served = PairedAnswers.of({("greet", "nlu_fallback", "greet"): 5, ("part", "part", "part"): 5})
    classified = PairedAnswers.of({("greet", "greet", "part"): 5, ("part", "part", "part"): 5})
    evaluation = replace(evaluation_of(served, None), classified=classified)
    check = KnownIntents().assess(evaluation)
    assert check.sentence.startswith("on the 2 of 2 intents")
    assert KnownIntents(answers="classified").assess(evaluation).outcome is Outcome.REJECT


def test_nothing_in_common_is_held():
    """Where the champion knows none of what is asked, there is no saying what was lost."""
    evaluation = evaluation_of(with_new_intent(4), ("other",))
    assert decide(evaluation, policy(Superiority(), KnownIntents())).outcome is Outcome.HOLD
    check = KnownIntents().assess(evaluation)
    assert check.sentence == (
        "0 of 664 utterances are of intents that both models know, a loss of at most 0.00 points "
        "on known intents needs some"
    )


def test_the_sentences():
    """The counts, the margin and chance, each in words."""
    assert KnownIntents().judge(PairedCounts(600, 3, 12)).sentence == (
        "on the intents that both models know the challenger alone is right on 3 of 600 "
        "utterances, the champion alone on 12 (-1.50 points): more than the 0.00 points of loss "
        "allowed, and more than chance explains (p = 0.0106, alpha 0.05)"
    )
    chance = KnownIntents().judge(PairedCounts(600, 8, 12)).sentence
    assert "allowed, but not more than chance explains" in chance
    assert KnownIntents().assess(Evaluation(report())).outcome is None
    empty = compared_by_counts(0, 0, 0)
    floor = Floor("accuracy", 0.5)
    assert decide(empty, policy(floor, KnownIntents())).outcome is Outcome.HOLD


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"margin": -0.1}, "margin must lie between 0 and 1"),
        ({"alpha": 0.7}, "alpha must lie above 0 and not above 0.5"),
        ({"answers": "given"}, "unknown answers 'given'"),
    ],
)
def test_senseless_limits_are_refused(limits, message):
    """A limit that cannot mean anything is an error of the config."""
    with pytest.raises(ValueError, match=message):
        KnownIntents(**limits)
