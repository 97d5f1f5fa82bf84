"""The rule on single intents."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.evaluations import alphas, paired, policy, report, shares

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.metrics import classification
from retrainer.domain.paired import PairedAnswers
from retrainer.domain.rules import Floor, PerIntent
from retrainer.domain.verdict import Outcome, decide


def compared(triples, *, served=None):
    """Two models by how often each triple of annotation, champion's and challenger's answer is."""
    answers = PairedAnswers.of(triples)
    intents = dict.fromkeys({gold for gold, _, _ in triples}, 0.9)
    metrics = {"accuracy": 1.0}
    return Evaluation(
        report(metrics=metrics, intents=intents),
        report("champion", metrics=metrics, intents=intents),
        served=answers if served is None else PairedAnswers.of(served),
        classified=answers,
    )


def lost(number, of=20, intent="a"):
    """So many utterances of an intent that the challenger understands no more."""
    triples = {(intent, intent, "x"): number, (intent, intent, intent): of - number}
    return {triple: count for triple, count in triples.items() if count}


def stolen(number, by="a", of=20):
    """So many utterances, one of each of as many intents, that the challenger takes for another."""
    own = {(by, by, by): of}
    return own | {(f"b{n:02}", f"b{n:02}", by): 1 for n in range(number)}


@pytest.mark.parametrize(
    ("triples", "outcome"),
    [
        (lost(0), Outcome.PROMOTE),
        (lost(3), Outcome.PROMOTE),  # less than the margin
        (lost(10), Outcome.REJECT),
        (lost(5, of=12), Outcome.REJECT),  # p = 0.031
        (lost(4, of=12), Outcome.PROMOTE),  # 20 points, but p = 0.063
        ({("a", "x", "x"): 20}, Outcome.PROMOTE),  # both know nothing
        ({("a", "a", "x"): 10, ("a", "x", "a"): 10}, Outcome.PROMOTE),  # as many come as go
        (stolen(3), Outcome.PROMOTE),
        (stolen(30), Outcome.REJECT),
    ],
)
def test_the_intents_alone_decide(triples, outcome):
    """A loss beyond margin and chance rejects however good the rest is."""
    evaluation = compared(triples)
    other = Floor("accuracy", 0.5)
    assert decide(evaluation, policy(other)).outcome is Outcome.PROMOTE
    assert decide(evaluation, policy(other, PerIntent())).outcome is outcome


def test_utterances_that_others_lose_to_an_intent_count_against_it():
    """An intent that takes a few from many others has its F1 spoilt, though it lost none itself."""
    check = PerIntent().assess(compared(stolen(30)))
    assert check.details[0] == (
        "a: F1 1.0000 -> 0.5714 (-42.86 points) on 20 test utterances, p = 0.0000"
    )


def test_an_intent_whose_utterances_go_to_its_neighbour_is_found():
    """What it is taken for less often makes up for nothing that it loses."""
    neighbours = {
        ("a", "a", "b"): 7,
        ("a", "a", "a"): 5,
        ("b", "a", "b"): 5,
        ("b", "b", "b"): 9,
    }
    check = PerIntent().assess(compared(neighbours))
    assert check.outcome is Outcome.REJECT
    assert check.details[0] == (
        "a: F1 0.8276 -> 0.5882 (-23.94 points) on 12 test utterances, p = 0.0156"
    )


def test_a_new_intent_hides_no_loss():
    """That the champion took a new intent for another one is no mistake that excuses a loss."""
    evaluation = compared(lost(8) | {("new", "a", "new"): 12})
    assert PerIntent().assess(evaluation).outcome is Outcome.PROMOTE
    knowing = replace(evaluation.champion, knows=("a", "x"))
    check = PerIntent().assess(replace(evaluation, champion=knowing))
    assert check.outcome is Outcome.REJECT
    assert "of 1 intents" in check.sentence


def test_chance_is_judged_for_all_intents_together():
    """The same loss that is found among few intents may be chance among many."""
    few = lost(7, of=12)
    many = few | {triple: n for i in range(20) for triple, n in lost(0, 12, f"i{i:02}").items()}
    assert PerIntent().assess(compared(few)).outcome is Outcome.REJECT
    check = PerIntent().assess(compared(many))
    assert check.outcome is Outcome.PROMOTE
    assert check.details[0] == (
        "a: F1 1.0000 -> 0.5882 (-41.18 points) on 12 test utterances, p = 0.1641, "
        "which chance explains"
    )


def test_the_loss_of_so_little_that_chance_explains_it_is_not_held():
    """Three utterances prove nothing even where they are the only intent: p = 0.125."""
    assert PerIntent(minimum_support=3).assess(compared(lost(3, of=3))).outcome is Outcome.PROMOTE
    assert PerIntent(minimum_support=3).assess(compared(lost(5, of=5))).outcome is Outcome.REJECT


def test_an_intent_that_is_wholly_gone_is_never_promoted():
    """Among so many intents that no loss of a small one stands out, a person looks at a total one."""
    others = {triple: n for i in range(149) for triple, n in lost(0, 10, f"i{i:03}").items()}
    check = PerIntent().assess(compared(others | lost(10, of=10)))
    assert check.outcome is Outcome.HOLD
    assert check.sentence == (
        "0 of 150 intents with at least 10 test utterances lost more than 10.00 points of F1 and "
        "more than chance explains (alpha 0.05 for all together), but nothing of a is right any "
        "more, which so few can neither prove nor excuse; a lost 100.00 points"
    )
    assert check.details[1].startswith(
        "among 150 intents chance explains even a total loss with fewer than 12 test utterances: "
        "a (10), i000 (10), "
    )
    assert PerIntent().assess(compared(others | lost(9, of=10))).outcome is Outcome.PROMOTE


def test_small_intents_are_listed_and_not_judged():
    """Below the minimum support a loss says too little; from it on it counts."""
    rule = PerIntent(minimum_support=10)
    assert rule.assess(compared(lost(10, of=10))).outcome is Outcome.REJECT
    check = rule.assess(compared(lost(9, of=9)))
    assert check.outcome is None
    assert check.sentence == (
        "0 of 1 intents have the 10 test utterances needed to judge a loss of more than "
        "10.00 points"
    )
    assert check.details == ("not judged, with fewer than 10 test utterances: a (9)",)
    beside = rule.assess(compared(lost(9, of=9) | lost(0, intent="b")))
    assert (beside.outcome, beside.details) == (Outcome.PROMOTE, check.details)


def test_the_policy_says_whose_answers_count():
    """A right answer that a fallback replaces is lost to users, and not to the classifier."""
    evaluation = compared(lost(0), served=lost(20))
    assert PerIntent(answers="served").assess(evaluation).outcome is Outcome.REJECT
    assert PerIntent(answers="classified").assess(evaluation).outcome is Outcome.PROMOTE


def test_the_sentences():
    """Both numbers stand in them, and the details name each intent that fell, worst first."""
    check = PerIntent().assess(compared(lost(8, intent="b") | lost(12) | lost(0, intent="c")))
    assert check.sentence == (
        "2 of 3 intents with at least 10 test utterances lost more than 10.00 points of F1 and "
        "more than chance explains (alpha 0.05 for all together); a lost 42.86 points"
    )
    assert [line[:33] for line in check.details] == [
        "a: F1 1.0000 -> 0.5714 (-42.86 po",
        "b: F1 1.0000 -> 0.7500 (-25.00 po",
    ]
    assert check.observed == pytest.approx(12 / 28)
    better = PerIntent().assess(compared({("a", "x", "a"): 5, ("a", "a", "a"): 10}))
    assert better.sentence.endswith("; none lost any (0.00 points)")


@pytest.mark.parametrize(
    ("before", "after", "answered"),
    [
        ({"a": 0.9, "b": 0.9}, {"a": 0.9}, ("a", "b")),
        ({"a": 0.9, "b": 0.9}, {"a": 0.9, "b": math.nan}, ("a", "b")),
        ({"a": 0.9, "b": math.inf}, {"a": 0.9, "b": 0.9}, ("a", "b")),
        ({"a": 0.9, "b": 0.9}, {"a": 0.9, "b": 0.9}, ("a",)),  # of b no answers were kept
    ],
)
def test_an_intent_that_was_not_measured_is_held(before, after, answered):
    """What could not be measured is named rather than taken for fine."""
    triples = {triple: n for intent in answered for triple, n in lost(0, intent=intent).items()}
    check = PerIntent().assess(
        Evaluation(
            report(intents=after),
            report("champion", intents=before),
            served=PairedAnswers.of(triples),
        )
    )
    assert (check.outcome, check.details) == (Outcome.HOLD, ("b",))
    assert check.sentence.startswith("F1 was not measured for 1 of 2 intents")


def test_nothing_to_compare_on():
    """Without a champion the rule does not apply; one that was not compared with is held."""
    first = PerIntent().assess(Evaluation(report(intents={"a": 0.1})))
    assert first.outcome is None
    assert first.sentence == (
        "no champion to compare intents with, "
        "a loss of at most 10.00 points applies from the second model on"
    )
    both = Evaluation(report(), report("champion"))
    assert PerIntent().assess(both).outcome is Outcome.HOLD


@given(paired())
def test_f1_is_that_of_the_reports(answers):
    """The F1 of every intent that fell, before and after, is what the figures of a model say."""
    assume(len(answers))
    utterances = [t for t, number in answers.triples().items() for _ in range(number)]
    gold, before, after = zip(*utterances, strict=True)
    was, now = classification(gold, before), classification(gold, after)
    rule = PerIntent(0.0, minimum_support=1)
    check = rule.assess(Evaluation(report(), report("champion"), served=answers))
    expected = [
        f"{intent}: F1 {was[intent].f1:.4f} -> {now[intent].f1:.4f}"
        for intent in sorted(was, key=lambda i: (now[i].f1 - was[i].f1, i))
        if now[intent].f1 < was[intent].f1
    ]
    assert [line.split(" (")[0] for line in check.details if ": F1 " in line] == expected


@given(paired(), st.data(), shares, st.integers(1, 15), alphas)
def test_an_answer_that_becomes_right_never_worsens_the_outcome(
    answers, data, margin, support, alpha
):
    """A challenger that understands one utterance more is never judged worse."""
    triples = Counter(answers.triples())
    wrong = [triple for triple in triples if triple[0] != triple[2]]
    assume(wrong)
    gold, before, after = data.draw(st.sampled_from(wrong))
    better = triples - Counter({(gold, before, after): 1}) + Counter({(gold, before, gold): 1})
    rule = PerIntent(margin, support, alpha)
    one, other = (
        rule.assess(Evaluation(report(), report("old"), served=PairedAnswers.of(t))).outcome
        for t in (triples, better)
    )
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert other.severity <= one.severity


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"margin": 1.1}, "margin must lie between 0 and 1, not 1.1"),
        ({"margin": math.nan}, "margin must lie between 0 and 1, not nan"),
        ({"minimum_support": 0}, "minimum_support must be at least 1, not 0"),
        ({"alpha": 0.0}, "alpha must lie above 0"),
    ],
)
def test_senseless_limits_are_refused(limits, message):
    """A limit that cannot mean anything is an error of the config."""
    with pytest.raises(ValueError, match=message):
        PerIntent(**limits)
