"""Paired statistics, against independent implementations and by what they mean."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from retrainer.domain.statistics import items_needed, mcnemar_mid_p

counts = st.integers(0, 400)


@given(wins=counts, losses=counts)
def test_mid_p_is_that_of_the_binomial(wins, losses):
    """It equals scipy's exact tail less half of the observed point."""
    pairs = wins + losses
    expected = 1.0 if not pairs else binom.sf(wins, pairs, 0.5) + binom.pmf(wins, pairs, 0.5) / 2
    assert mcnemar_mid_p(wins, losses) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(wins=counts, losses=counts)
def test_mid_p_is_symmetric(wins, losses):
    """Better and worse are the two ends of one scale."""
    if wins + losses:
        assert mcnemar_mid_p(wins, losses) + mcnemar_mid_p(losses, wins) == pytest.approx(1.0)


def test_by_hand():
    """Five wins and no loss: half of one in thirty-two."""
    assert mcnemar_mid_p(5, 0) == 1 / 64
    assert mcnemar_mid_p(0, 0) == 1.0
    assert mcnemar_mid_p(10_000, 10_000) == pytest.approx(0.5)


def test_negative_counts_are_refused():
    """A mistake of the caller is not turned into a probability."""
    with pytest.raises(ValueError, match="must not be negative"):
        mcnemar_mid_p(-1, 3)


@pytest.mark.parametrize(("discordance", "gain"), [(0.06, 0.02), (0.2, 0.05), (0.06, 0.01)])
def test_the_items_needed_give_the_power(discordance, gain):
    """With so many utterances the test finds the gain in about four of five cases."""
    n = items_needed(discordance, gain, 0.05)
    draw = random.Random(7)
    better = (discordance + gain) / 2 / discordance

    def found():
        pairs = sum(draw.random() < discordance for _ in range(n))
        wins = sum(draw.random() < better for _ in range(pairs))
        return mcnemar_mid_p(wins, pairs - wins) < 0.05

    power = sum(found() for _ in range(400)) / 400
    assert power == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / 400))


@pytest.mark.parametrize(("discordance", "gain"), [(0.02, 0.05), (0.1, 0.0), (1.1, 0.1)])
def test_impossible_gains_are_refused(discordance, gain):
    """A gain cannot exceed the share of utterances on which the models differ."""
    with pytest.raises(ValueError, match="is not possible"):
        items_needed(discordance, gain, 0.05)
