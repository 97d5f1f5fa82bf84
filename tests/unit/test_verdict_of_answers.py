"""The laws of the verdict, for rules that compare what two models answer."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.comparison_rules import (
    answered,
    comparison_rules,
    corrected,
    counting_rules,
    superiority,
    suspicion,
    with_a_win,
)
from support.evaluations import policy, report

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedAnswers, PairedCounts
from retrainer.domain.policies import POLICIES
from retrainer.domain.resampling import shared_bootstrap
from retrainer.domain.rules import (
    Floor,
    KnownIntents,
    Ladder,
    NegativeFlips,
    NonInferiority,
    Superiority,
)
from retrainer.domain.verdict import Outcome, decide
from retrainer.errors import IncomparableReports

NOTHING = PairedAnswers.of({})
KNOWN = st.none() | st.sets(st.sampled_from(["greet", "part", "track"])).map(tuple)


def compared(answers, *, knows=None, items=None):
    """Two models that answered so, in either way of counting."""
    count = len(answers) if items is None else items

    def one(model):
        return replace(report(model), examples=count, knows=knows)

    return Evaluation(one("challenger"), one("champion"), served=answers, classified=answers)


def severity(evaluation, rules):
    return decide(evaluation, policy(*rules)).outcome.severity


@settings(max_examples=120)
@given(answered(), st.lists(counting_rules(), min_size=1, max_size=3), KNOWN)
def test_turning_a_wrong_answer_right_never_worsens_the_outcome(answers, rules, knows):
    """Whichever mistake of the challenger is undone, what it got before it gets again.

    `suspicious_gain` is not among these rules: being too good is what it is about.
    """
    before = severity(compared(answers, knows=knows), rules)
    for better in corrected(answers):
        assert severity(compared(better, knows=knows), rules) <= before


@settings(max_examples=120)
@given(answered(), st.lists(counting_rules(), min_size=1, max_size=3), KNOWN)
def test_a_further_win_never_worsens_the_outcome(answers, rules, knows):
    """One more utterance that only the challenger gets right speaks for it.

    But for the one that makes them enough to judge by: what was open may then be settled.
    """
    assume(all(getattr(rule, "minimum_items", 0) != len(answers) + 1 for rule in rules))
    before = severity(compared(answers, knows=knows), rules)
    assert severity(compared(with_a_win(answers), knows=knows), rules) <= before


@settings(max_examples=15)
@given(answered(3), st.sampled_from(["f1_weighted", "f1_macro", "f1_micro"]))
def test_turning_a_wrong_answer_right_never_lowers_a_resampled_figure(answers, name):
    """What is observed goes up with it; its bounds do but for the chance of the draws."""
    before = shared_bootstrap(answers).averages[name]
    for better in corrected(answers)[:2]:
        after = shared_bootstrap(better).averages[name]
        assert after.observed >= before.observed
        error = max(before.standard_error, after.standard_error)
        for alpha in (0.05, 0.2):
            lower = (d.lower_bound(1 - alpha, "percentile") for d in (after, before))
            assert next(lower) >= next(lower) - 0.2 * error - 1e-9


@pytest.mark.parametrize("items", [1, 40, 100, 400, 600])
@pytest.mark.parametrize(
    "rule",
    [
        Superiority(),
        Superiority(alpha=0.23, minimum_items=300, alpha_if_few=0.05),
        Superiority(alpha=0.2, alpha_if_few=0.01, test="exact", detect=0.05),
        Superiority(alpha=0.5, alpha_if_few=0.05, min_gain=0.02),
        Superiority(alpha=0.01, min_gain=0.1, detect=0.3),
        Ladder(errors=0.4),
        Ladder(errors=3.0),
        NonInferiority(),
        NonInferiority(margin=0.05, alpha=0.2),
        KnownIntents(),
        KnownIntents(margin=0.01, alpha=0.5),
        NegativeFlips(),
    ],
    ids=str,
)
def test_every_pair_of_counts_is_in_order(rule, items):
    """More wins, or fewer losses, are never judged worse: all pairs of up to 45 of either."""
    most = min(items, 45)
    severity_of = {
        (wins, losses): rule.judge(PairedCounts(items, wins, losses)).outcome.severity
        for wins in range(most + 1)
        for losses in range(min(most, items - wins) + 1)
    }
    for (wins, losses), found in severity_of.items():
        assert found <= severity_of.get((wins - 1, losses), found), (wins, losses)
        assert found <= severity_of.get((wins, losses + 1), found), (wins, losses)


@given(answered(), comparison_rules())
def test_a_rule_says_by_counts_what_it_says_of_answers(answers, rule):
    """The simulation asks what a cycle asks, as far as wins and losses tell."""
    if getattr(rule, "metric", "accuracy") != "accuracy":
        rule = replace(rule, metric="accuracy")
    everything = compared(answers, knows=("greet", "part", "track"))
    by_answers, by_counts = rule.assess(everything), rule.judge(answers.totals)
    assert by_answers.outcome is by_counts.outcome
    assert (by_answers.observed, by_answers.limit) == (by_counts.observed, by_counts.limit)


@given(comparison_rules())
def test_without_a_champion_comparisons_do_not_apply(rule):
    """The first model has nothing to be compared with."""
    assert rule.assess(Evaluation(report())).outcome is None


@given(comparison_rules(), st.sampled_from([None, NOTHING]))
def test_nothing_to_compare_on_is_held(rule, answers):
    """All examples seen by one of the models, or answers that were not kept: nobody can know."""
    evaluation = replace(compared(NOTHING, items=0), served=answers, classified=answers)
    check = rule.assess(evaluation)
    assert check.outcome is Outcome.HOLD
    assert check.sentence.startswith("0 utterances to compare on, ")


@given(comparison_rules())
def test_a_comparison_of_before_answers_were_recorded_is_held(rule):
    """The examples were there, and are not called missing."""
    evaluation = replace(compared(NOTHING, items=84), served=None, classified=None)
    check = rule.assess(evaluation)
    assert check.outcome is Outcome.HOLD
    assert "0 utterances to compare on (not all answers are recorded)" in check.sentence


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_no_policy_promotes_when_every_example_was_seen(name):
    """A test set of 0 examples is no test."""
    verdict = decide(compared(NOTHING, items=0), POLICIES[name])
    assert verdict.outcome is Outcome.HOLD
    assert "0 " in verdict.reason


@given(answered(), comparison_rules(), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_metrics_that_are_no_numbers_do_not_reach_a_comparison(answers, rule, value):
    """What is compared is counted: figures of the reports that could not be measured change nothing."""
    sound = compared(answers)
    strange = replace(
        sound, challenger=replace(sound.challenger, metrics={"accuracy": value, "f1_macro": value})
    )
    assert rule.assess(strange) == rule.assess(sound)
    assert decide(strange, policy(rule, Floor("accuracy", 0.0))).outcome is not Outcome.PROMOTE


@given(answered(), comparison_rules())
def test_answers_to_different_examples_are_refused(answers, rule):
    """However well the counts fit together."""
    evaluation = compared(answers)
    elsewhere = replace(evaluation.champion, test_set="b" * 32)
    with pytest.raises(IncomparableReports):
        decide(replace(evaluation, champion=elsewhere), policy(rule))


@given(answered(), comparison_rules())
def test_an_intent_without_utterances_changes_nothing(answers, rule):
    """What a model knows and nobody asks is not compared on, and is no error."""
    one, other = (("greet", "part", "track"), ("greet", "nobody_asks", "part", "track"))
    assert rule.assess(compared(answers, knows=one)) == rule.assess(compared(answers, knows=other))


@given(answered(), suspicion(), superiority())
def test_suspicion_can_only_hold(answers, rule, other):
    """It stops what another rule promotes, rejects nothing, and justifies nothing alone."""
    evaluation = compared(answers)
    assert rule.assess(evaluation).outcome is not Outcome.REJECT
    assert decide(evaluation, policy(rule)).outcome is Outcome.HOLD
    both = decide(evaluation, policy(other, rule)).outcome
    assert both.severity >= decide(evaluation, policy(other)).outcome.severity
