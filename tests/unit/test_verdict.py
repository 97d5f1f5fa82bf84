"""The laws of the verdict, on any evaluation and any policy."""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.evaluations import (
    HIGHER,
    INTENTS,
    LOWER,
    evaluations,
    figures,
    policies,
    policy,
    report,
    rules,
    shares,
)

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.policies import POLICIES
from retrainer.domain.rules import (
    RULES,
    BoundedCost,
    Calibration,
    Entities,
    Floor,
    MustPassUtterances,
    PassedStories,
    PerIntent,
    ResponseSelection,
    Simple,
    SoundData,
)
from retrainer.domain.rules.limits import points
from retrainer.domain.verdict import NamedRule, Outcome, Policy, decide
from retrainer.errors import IncomparableReports

METRIC_NAMES = st.sampled_from(HIGHER)


def with_metric(report, name, value):
    """The report with this metric replaced, or removed for None."""
    metrics = {n: v for n, v in report.metrics.items() if n != name}
    return replace(report, metrics=metrics if value is None else {**metrics, name: value})


def with_f1(report, intent, value):
    """The report with this intent's F1 replaced, or the intent removed for None."""
    intents = {i: known for i, known in report.intents.items() if i != intent}
    return replace(
        report, intents=intents if value is None else {**intents, intent: figures(value)}
    )


@given(evaluations())
def test_an_empty_policy_never_promotes(evaluation):
    """A policy that asks for nothing leaves the decision to a person."""
    verdict = decide(evaluation, Policy("empty"))
    assert verdict.outcome is Outcome.HOLD
    assert [(c.observed, c.limit) for c in verdict.checks] == [(0, 1)]


@given(evaluations(), policies())
def test_the_decision_is_total(evaluation, chosen):
    """Every evaluation gets a verdict with a sentence for each rule, and a reason."""
    verdict = decide(evaluation, chosen)
    assert verdict.policy == chosen.name
    named = [c.rule for c in verdict.checks]
    assert named[: len(chosen.rules)] == [rule.name for rule in chosen.rules]
    assert all(check.sentence for check in verdict.checks)
    assert verdict.reason


@given(
    evaluations(),
    policies(),
    METRIC_NAMES,
    shares,
    st.sampled_from([None, math.nan, math.inf, -math.inf]),
)
def test_a_metric_that_was_not_measured_never_promotes(evaluation, chosen, name, limit, value):
    """Whatever else a policy asks, a blocking rule on a missing metric withholds the promotion."""
    challenger = with_metric(evaluation.challenger, name, value)
    unmeasured = Evaluation(challenger, evaluation.champion)
    asked = [Floor(name, limit)] + ([Simple(name, limit)] if evaluation.champion else [])
    for rule in asked:
        policy_with = replace(chosen, rules=(*chosen.rules, NamedRule("asked", rule)))
        assert decide(unmeasured, policy_with).outcome is not Outcome.PROMOTE


@given(
    evaluations(champion=True),
    policies(),
    METRIC_NAMES,
    st.sampled_from([None, math.nan, math.inf, -math.inf]),
)
def test_a_champion_that_was_not_measured_is_never_replaced_by_a_gain(
    evaluation, chosen, name, value
):
    """A gain over nothing is no gain."""
    unmeasured = replace(evaluation, champion=with_metric(evaluation.champion, name, value))
    policy_with = replace(chosen, rules=(*chosen.rules, NamedRule("asked", Simple(name))))
    assert decide(unmeasured, policy_with).outcome is not Outcome.PROMOTE


@given(
    evaluations(champion=True),
    policies(),
    st.sampled_from(INTENTS),
    shares,
    st.sampled_from([None, math.nan, math.inf, -math.inf]),
)
def test_an_intent_that_was_not_measured_never_promotes(evaluation, chosen, intent, before, value):
    """An intent that the champion knew and the challenger has no F1 for withholds the promotion."""
    evaluation = replace(
        evaluation,
        challenger=with_f1(evaluation.challenger, intent, value),
        champion=with_f1(evaluation.champion, intent, before),
    )
    rule = NamedRule("asked", PerIntent(1.0, minimum_support=1))
    policy_with = replace(chosen, rules=(*chosen.rules, rule))
    assert decide(evaluation, policy_with).outcome is not Outcome.PROMOTE


@given(evaluations(), policies(minimum=1), METRIC_NAMES, shares, shares)
def test_raising_a_metric_never_worsens_the_outcome(evaluation, chosen, name, one, other):
    """A challenger that is better on any metric is never judged worse."""
    low, high = (
        replace(evaluation, challenger=with_metric(evaluation.challenger, name, value))
        for value in sorted((one, other))
    )
    assert decide(high, chosen).outcome.severity <= decide(low, chosen).outcome.severity


@given(evaluations(), policies(minimum=1), st.sampled_from(LOWER), shares, shares)
def test_lowering_what_is_better_low_never_worsens_the_outcome(
    evaluation, chosen, name, one, other
):
    """Fewer fallbacks and mistakes, or a better calibration, are never judged worse."""
    low, high = (
        replace(evaluation, challenger=with_metric(evaluation.challenger, name, value))
        for value in sorted((one, other))
    )
    assert decide(low, chosen).outcome.severity <= decide(high, chosen).outcome.severity


@given(evaluations(), policies(minimum=1), st.sampled_from(INTENTS), shares, shares)
def test_raising_an_intent_never_worsens_the_outcome(evaluation, chosen, intent, one, other):
    """A challenger that is better on any intent is never judged worse."""
    low, high = (
        replace(evaluation, challenger=with_f1(evaluation.challenger, intent, value))
        for value in sorted((one, other))
    )
    assert decide(high, chosen).outcome.severity <= decide(low, chosen).outcome.severity


@given(evaluations(), policies(), rules(), st.integers(0, 4), METRIC_NAMES, shares)
def test_adding_a_blocking_rule_never_softens_the_outcome(
    evaluation, chosen, rule, place, name, minimum
):
    """A further demand can only make it harder, once anything is demanded at all."""
    demanding = (*chosen.rules, NamedRule("demand", Floor(name, minimum)))
    added = (*demanding[:place], NamedRule("added", rule), *demanding[place:])
    before = decide(evaluation, replace(chosen, rules=demanding)).outcome
    after = decide(evaluation, replace(chosen, rules=added)).outcome
    assert after.severity >= before.severity


@given(evaluations(), policies(), rules(), st.integers(0, 4))
def test_advisory_rules_never_change_the_outcome(evaluation, chosen, rule, place):
    """A dry run of a rule is shown and decides nothing, wherever it stands."""
    advisory = NamedRule("advisory", rule, blocking=False)
    added = (*chosen.rules[:place], advisory, *chosen.rules[place:])
    before, after = decide(evaluation, chosen), decide(evaluation, replace(chosen, rules=added))
    assert after.outcome is before.outcome
    assert after.reason == before.reason
    assert "advisory" in [c.rule for c in after.checks]


@given(evaluations(champion=True), policies())
def test_reports_on_different_examples_are_refused(evaluation, chosen):
    """Figures of different test sets say nothing about each other, so there is no verdict."""
    elsewhere = replace(evaluation.champion, test_set="b" * 32)
    with pytest.raises(IncomparableReports, match=r"\(bbbb.*\(aaaa.*not comparable"):
        decide(replace(evaluation, champion=elsewhere), chosen)


def needs_no_champion(rule):
    """Whether a rule asks for something of the challenger alone."""
    match rule:
        case Floor() | MustPassUtterances() | SoundData():
            return True
        case BoundedCost():
            return {rule.maximum_mb, rule.maximum_median_ms, rule.maximum_p95_ms} != {None}
        case Entities() | ResponseSelection():
            return rule.minimum is not None
        case PassedStories():
            return rule.maximum_failed is not None
        case Calibration():
            return replace(rule, worse_by=0.0) != Calibration(worse_by=0.0)
    return False


@given(evaluations(champion=False), policies())
def test_without_a_champion_only_floors_and_must_pass_apply(evaluation, chosen):
    """The first model is judged by what needs no comparison, and never passes without any."""
    absolute = tuple(n for n in chosen.rules if needs_no_champion(n.rule))
    verdict = decide(evaluation, chosen)
    assert verdict.outcome is decide(evaluation, replace(chosen, rules=absolute)).outcome
    for named, check in zip(chosen.rules, verdict.checks, strict=False):
        if not needs_no_champion(named.rule):
            assert check.outcome is None


def says(sentence, value):
    """Whether the value stands in the sentence, as it is or in points, rounded to 3 or more digits."""
    for number, decimals in re.findall(r"([+-]?\d+(?:\.(\d+))?)", sentence):
        for scale, digits in ((1, len(decimals)), (100, len(decimals) + 2)):
            rounding = 0.51 * 10**-digits if digits > 2 else 1e-9
            if abs(float(number) / scale - value) <= rounding:
                return True
    return False


@given(evaluations(), policies())
def test_every_check_has_its_numbers_in_its_sentence(evaluation, chosen):
    """Each check carries a limit, and the observed value where there is one; both are said."""
    for check in decide(evaluation, chosen).checks:
        assert check.limit is not None
        assert says(check.sentence, check.limit)
        if check.observed is not None:
            assert says(check.sentence, check.observed)
        if check.outcome in {Outcome.PROMOTE, Outcome.REJECT}:
            assert check.observed is not None


@given(evaluations(), policies(minimum=1))
def test_the_worst_blocking_outcome_decides(evaluation, chosen):
    """The verdict is the worst applicable outcome, and its reason a sentence that says so."""
    verdict = decide(evaluation, chosen)
    deciding = [c for c in verdict.checks if c.blocking and c.outcome is not None]
    assert verdict.outcome is max((c.outcome for c in deciding), key=lambda o: o.severity)
    if verdict.outcome is Outcome.PROMOTE:
        assert verdict.reason == "every blocking check passed"
    else:
        first = next(c for c in deciding if c.outcome is verdict.outcome)
        assert verdict.reason == first.sentence


def test_outcomes_are_ordered_by_severity():
    """A rejection outweighs a hold, which outweighs a promotion."""
    assert sorted(Outcome, key=lambda o: o.severity) == [
        Outcome.PROMOTE,
        Outcome.HOLD,
        Outcome.REJECT,
    ]


def test_a_policy_of_advice_alone_holds_and_says_why():
    """Where nothing blocks, a person decides; the sentence says what is missing."""
    evaluation = Evaluation(report(metrics={"accuracy": 1.0}), report("old"))
    verdict = decide(evaluation, policy(Floor("accuracy", 0.5), blocking=False))
    assert verdict.outcome is Outcome.HOLD
    assert verdict.reason == (
        "0 blocking checks in policy tested, at least 1 is needed: "
        "a policy that asks for nothing never promotes"
    )


def test_a_first_model_without_floors_holds_and_says_what_to_do():
    """The default policy compares; a first model without must-pass utterances needs a person."""
    verdict = decide(Evaluation(report(metrics={"f1_weighted": 1.0})), POLICIES["default"])
    assert verdict.outcome is Outcome.HOLD
    assert "add a floor or must-pass utterances" in verdict.reason


@given(st.sampled_from(sorted(POLICIES)))
def test_a_policy_that_is_shipped_is_called_by_its_name(name):
    """What the config names is what the verdict names, and something in it decides."""
    assert POLICIES[name].name == name
    assert any(named.blocking for named in POLICIES[name].rules)
    assert {type(named.rule) for named in POLICIES[name].rules} <= set(RULES.values())


def test_points_show_their_sign():
    """A difference of shares reads as percentage points, up or down."""
    assert [points(0.05), points(-0.1), points(0)] == [
        "+5.00 points",
        "-10.00 points",
        "+0.00 points",
    ]
