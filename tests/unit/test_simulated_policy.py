"""Whole policies in the simulation: it decides as `decide` does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.evaluations import paired_answers, policy, report

from retrainer.domain.decision_rules import HOLD, PROMOTE, REJECT, ladder
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedAnswers
from retrainer.domain.policies import DEFAULT, FAST, LEGACY_2018, STRICT
from retrainer.domain.rules import (
    Floor,
    KnownIntents,
    Ladder,
    NegativeFlips,
    NonInferiority,
    Superiority,
    SuspiciousGain,
)
from retrainer.domain.simulated_policy import FOUND, GAINS, Setting, prospects, simulated
from retrainer.domain.verdict import NamedRule, Policy, decide

COUNTING = [
    Superiority(alpha=0.23, minimum_items=300, alpha_if_few=0.05),
    Superiority(min_gain=0.01),
    Ladder(minimum_items=200),
    NonInferiority(),
    KnownIntents(),
    NegativeFlips(),
    SuspiciousGain(maximum=0.05),
]


def compared(wins: int, losses: int, items: int) -> Evaluation:
    """Two models on utterances of one intent, which both know."""
    challenger, champion = (
        replace(report(name), knows=("greet",)) for name in ("challenger", "champion")
    )
    return Evaluation(challenger, champion, served=paired_answers(wins, losses, items))


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(COUNTING), min_size=1, max_size=4),
    st.integers(1, 600),
    st.data(),
)
def test_it_decides_as_the_verdict_does(rules, items, data):
    """Wins and losses lead to the outcome that an evaluation with these counts leads to."""
    wins = data.draw(st.integers(0, min(items, 60)))
    losses = data.draw(st.integers(0, min(items - wins, 60)))
    chosen = policy(*rules)
    outcome = simulated(chosen).rule(np.array([wins]), np.array([losses]), items)
    assert outcome == decide(compared(wins, losses, items), chosen).outcome.severity


def test_what_is_not_simulated_is_named():
    """Rules that need more than counts are passed by all, and advisory ones decide nothing."""
    chosen = Policy(
        "p",
        (
            NamedRule("floor", Floor("accuracy", 0.9)),
            NamedRule("better", Ladder()),
            NamedRule("shown", NegativeFlips(maximum=0.0), blocking=False),
        ),
    )
    found = simulated(chosen)
    assert (found.judged, found.left_out) == (("better",), ("floor",))
    outcomes = found.rule(np.array([9, 0]), np.array([1, 9]), 100)
    assert outcomes.tolist() == [PROMOTE, REJECT]


@settings(max_examples=100)
@given(st.sampled_from(COUNTING), st.integers(1, 600), st.data())
def test_what_is_left_out_justifies_as_it_would(rule, items, data):
    """Beside rules that are passed, a guard that finds nothing leaves the verdict at PROMOTE."""
    wins = data.draw(st.integers(0, items))
    losses = data.draw(st.integers(0, items - wins))
    chosen = policy(Floor("accuracy", 0.5), rule)
    evaluation = compared(wins, losses, items)
    evaluation = replace(
        evaluation, challenger=replace(evaluation.challenger, metrics={"accuracy": 0.9})
    )
    found = simulated(chosen).rule(np.array([wins]), np.array([losses]), items)
    assert found[0] == decide(evaluation, chosen).outcome.severity


@pytest.mark.parametrize(
    "rules", [(), (SuspiciousGain(),), (Floor("accuracy", 0.5),)], ids=["none", "guard", "floor"]
)
def test_a_policy_that_asks_for_nothing_holds_everything(rules):
    """In the simulation too, what only stops and never justifies promotes nothing."""
    assert simulated(policy(*rules)).rule(np.array([50]), np.array([0]), 1000).tolist() == [HOLD]


@pytest.mark.parametrize("shipped", [DEFAULT, STRICT, FAST, LEGACY_2018], ids=lambda p: p.name)
def test_shipped_policies_can_be_simulated(shipped):
    """What decides whether a challenger is better is simulated, in each of them."""
    assert "better" in simulated(shipped).judged


def test_the_setting_is_that_of_the_last_comparisons():
    """Items of the newest, shares of all together, with one utterance more on either side."""
    newest = paired_answers(wins=10, losses=5, items=300)
    before = PairedAnswers.of({("greet", "greet", "greet"): 150, ("greet", "bye", "greet"): 50})
    setting = Setting.seen_in([newest, before])
    assert setting.items == 300
    assert setting.discordance == pytest.approx((10 + 5 + 50 + 1) / 502)
    assert setting.accuracy == pytest.approx((290 + 150 + 1) / 502)
    assert Setting.seen_in([]) is None
    assert Setting.seen_in([PairedAnswers.of({})]) is None


@given(st.integers(1, 12), st.data())
def test_any_comparison_makes_a_setting(items, data):
    """However few utterances there were, and whatever they showed."""
    wins = data.draw(st.integers(0, items))
    losses = data.draw(st.integers(0, items - wins))
    assert Setting.seen_in([paired_answers(wins, losses, items)]).items == items


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"items": 0}, "at least 1 utterance"),
        ({"items": 10, "nights": 0}, "at least 1 night"),
        ({"items": 10, "accuracy": 1.0}, "an accuracy lies above 0 and below 1"),
        ({"items": 10, "discordance": 0.3}, r"less than 21\.1% of the utterances, not on 30\.0%"),
        ({"items": 10, "discordance": 0.0}, "differ on more than 0"),
    ],
)
def test_impossible_settings_are_refused(values, complaint):
    """With the value and what is possible."""
    with pytest.raises(ValueError, match=complaint):
        Setting(**values)


def test_prospects_say_what_a_rule_would_do():
    """Better challengers fare better, a person helps, and it is the same every time."""
    told: list[tuple[str, int, int]] = []
    setting = Setting(200, nights=20)
    rule = simulated(policy(Superiority(alpha=0.1))).rule
    found = prospects(rule, setting, lambda *what: told.append(what))
    assert [number for _, number, _ in told] == list(range(11))
    assert {count for *_, count in told} == {11}
    promoted = [found.nights[gain].promote for gain in sorted(GAINS)]
    assert promoted == sorted(promoted)
    assert found.nights[0.0].promote == pytest.approx(0.1, abs=0.03)
    needed = [found.smallest[gain] for gain in FOUND]
    assert needed == sorted(needed, reverse=True)
    assert found.attended.accuracy.mean > found.year.accuracy.mean
    assert found.equal.worse.mean == 0
    assert found == prospects(rule, setting, lambda *_: None)


def test_a_gain_beyond_the_discordance_is_possible_all_the_same():
    """Models of which one is 5 points better differ on at least 5 % of the utterances."""
    found = prospects(ladder(), Setting(50, discordance=0.01, nights=2), lambda *_: None)
    assert found.nights[0.05].promote > found.nights[-0.02].promote


def test_a_year_of_good_models_does_not_pass_perfection():
    """What gets better every night is a share of what is still wrong."""
    year = Setting(100, discordance=0.01, accuracy=0.99).year
    assert year.start + 365 * year.trend < 1
    assert Setting(100).year.trend == pytest.approx(0.0001)
