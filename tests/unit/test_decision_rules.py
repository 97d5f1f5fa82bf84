"""Rules for many nights at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrainer.domain.decision_rules import (
    HOLD,
    PROMOTE,
    REJECT,
    exact_sign,
    gain_of,
    held_below,
    ladder,
    mcnemar,
    not_inferior,
    not_worse,
    one_by_one,
    strictly_better,
)
from retrainer.domain.statistics import mcnemar_mid_p, sign_test, standard_error
from retrainer.domain.verdict import Outcome

RULES = {
    "strictly_better": strictly_better,
    "not_worse": not_worse,
    "gain": gain_of(0.01),
    "ladder": ladder(),
    "mcnemar": mcnemar(0.05),
    "sign": exact_sign(0.05),
    "not_inferior": not_inferior(0.01),
}

nights = st.lists(st.tuples(st.integers(0, 150), st.integers(0, 150)), min_size=1, max_size=30)


def columns(pairs):
    return (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))


@given(nights, st.sampled_from([0.01, 0.05, 0.22, 0.5]))
def test_the_tests_promote_where_their_p_is_below_alpha(pairs, alpha):
    """The table of needed wins is the test itself, night by night."""
    for rule, test in ((mcnemar(alpha), mcnemar_mid_p), (exact_sign(alpha), sign_test)):
        expected = [PROMOTE if test(won, lost) < alpha else REJECT for won, lost in pairs]
        assert rule(*columns(pairs), 1000).tolist() == expected


@given(nights, st.sampled_from([0.5, 1.0, 2.0]))
def test_the_ladder_asks_for_standard_errors(pairs, errors):
    """The gain exceeds so many of the standard errors that the reports name."""
    expected = [
        PROMOTE if (won - lost) / 1000 > errors * standard_error(won, lost, 1000) + 1e-9 else REJECT
        for won, lost in pairs
    ]
    assert ladder(errors)(*columns(pairs), 1000).tolist() == expected


@pytest.mark.parametrize(
    ("name", "wins", "losses", "items", "promoted"),
    [
        ("strictly_better", 4, 3, 100, True),
        ("strictly_better", 3, 3, 100, False),
        ("not_worse", 3, 3, 100, True),
        ("not_worse", 2, 3, 100, False),
        ("gain", 4, 3, 100, True),  # exactly one point
        ("gain", 5, 3, 201, False),
        ("ladder", 20, 13, 1000, True),
        ("ladder", 20, 14, 1000, True),
        ("ladder", 20, 15, 1000, False),
        ("ladder", 0, 0, 1000, False),
        ("mcnemar", 5, 0, 100, True),
        ("mcnemar", 4, 0, 100, True),
        ("mcnemar", 3, 0, 100, False),
        ("sign", 4, 0, 100, False),
        ("sign", 5, 0, 100, True),
        ("sign", 0, 0, 100, False),
        ("not_inferior", 30, 30, 3000, True),
        ("not_inferior", 10, 10, 100, False),
    ],
)
def test_by_hand(name, wins, losses, items, promoted):
    """Each rule on either side of its limit."""
    outcomes = RULES[name](np.array([wins]), np.array([losses]), items)
    assert outcomes.tolist() == [PROMOTE if promoted else REJECT]


@given(nights, st.sampled_from([*RULES]))
def test_more_wins_never_turn_a_promotion_down(pairs, name):
    """Nor do fewer losses: what is better is promoted at least as often."""
    wins, losses = columns(pairs)
    before = RULES[name](wins, losses, 400) == PROMOTE
    assert (RULES[name](wins + 1, losses, 400) == PROMOTE)[before].all()
    assert (RULES[name](wins, np.maximum(losses - 1, 0), 400) == PROMOTE)[before].all()


def test_few_utterances_are_held():
    """Below the number nothing is promoted or rejected, unless a stricter rule is sure."""
    wins, losses = np.array([6, 9, 0]), np.array([5, 0, 9])
    rule = held_below(300, strictly_better, mcnemar(0.05))
    assert rule(wins, losses, 300).tolist() == [PROMOTE, PROMOTE, REJECT]
    assert rule(wins, losses, 299).tolist() == [HOLD, PROMOTE, HOLD]
    assert held_below(300, strictly_better)(wins, losses, 299).tolist() == [HOLD] * 3


def test_any_rule_for_one_night_is_one_for_many():
    """It is asked once for each pair of counts, and each night gets its own answer."""
    asked = []

    def judge(wins, losses, items):
        asked.append((wins, losses, items))
        return list(Outcome)[(wins + losses) % 3]

    wins, losses = np.array([3, 1, 3, 2]), np.array([0, 0, 0, 0])
    assert one_by_one(judge)(wins, losses, 9).tolist() == [PROMOTE, HOLD, PROMOTE, REJECT]
    assert sorted(asked) == [(1, 0, 9), (2, 0, 9), (3, 0, 9)]


def test_the_codes_are_the_severity_of_outcomes():
    """A rule's answer is what a verdict would say."""
    assert [int(PROMOTE), int(HOLD), int(REJECT)] == [o.severity for o in Outcome]
