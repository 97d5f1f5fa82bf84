"""Paired statistics, against independent implementations and by what they mean."""

import math
import random
from statistics import NormalDist, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import binom, binomtest
from sklearn.calibration import calibration_curve
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from retrainer.domain.statistics import (
    agresti_coull,
    expected_calibration_error,
    gain_lower_bound,
    holm,
    items_needed,
    mcnemar_mid_p,
    minimum_detectable_effect,
    score,
    sign_test,
    standard_error,
    wilson,
)

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
    with pytest.raises(ValueError, match="must not be negative"):
        sign_test(3, -1)


@given(wins=counts, losses=counts)
def test_the_sign_test_is_the_exact_binomial(wins, losses):
    """It equals scipy's, and never claims more than the mid-p."""
    if wins + losses:
        expected = binomtest(wins, wins + losses, alternative="greater").pvalue
        assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-9)
        assert mcnemar_mid_p(wins, losses) <= sign_test(wins, losses)
    assert sign_test(0, 0) == 1.0


@given(wins=st.integers(0, 60), losses=st.integers(0, 60))
def test_the_sign_test_is_mcnemars_exact_one(wins, losses):
    """Both sides together are what statsmodels calls the exact test."""
    expected = mcnemar([[50, losses], [wins, 50]], exact=True).pvalue
    both = min(1.0, 2 * min(sign_test(wins, losses), sign_test(losses, wins)))
    assert both == pytest.approx(expected, rel=1e-9)


@given(wins=counts, losses=counts, ties=counts)
def test_the_standard_error_is_that_of_the_mean_difference(wins, losses, ties):
    """The spread of +1, -1 and 0 over the utterances, by the root of their number."""
    items = wins + losses + ties
    if items:
        values = [1] * wins + [-1] * losses + [0] * ties
        expected = pstdev(values) / math.sqrt(items)
        assert standard_error(wins, losses, items) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("wins", "losses", "items"), [(3, 3, 5), (0, 0, 0), (-1, 1, 5)])
def test_impossible_counts_have_no_standard_error(wins, losses, items):
    """A mistake of the caller is not turned into a number."""
    with pytest.raises(ValueError, match="are not possible on"):
        standard_error(wins, losses, items)


triples = st.tuples(*[st.integers(0, 60)] * 3).filter(any)
true_gains = st.sampled_from([-0.5, -0.1, -0.02, -0.01, 0.01, 0.02, 0.05, 0.3])


@given(triples, true_gains)
def test_the_score_is_by_the_likeliest_shares(counted, gain):
    """As scipy finds them: wins and losses of highest probability among those with this gain."""
    wins, losses, _ = counted
    items = sum(counted)

    def unlikely(share):
        shares = (share + gain, share, 1 - 2 * share - gain)
        return -sum(xlogy(n, max(p, 1e-300)) for n, p in zip(counted, shares, strict=True))

    bounds = (max(0.0, -gain), (1 - gain) / 2)
    share = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    variance = (2 * share + gain - gain**2) / items
    expected = ((wins - losses) / items - gain) / math.sqrt(variance)
    assert score(wins, losses, items, gain) == pytest.approx(expected, rel=1e-3, abs=1e-3)


@given(triples)
def test_the_score_of_no_gain_is_that_of_mcnemar(counted):
    """Its square is the statistic of statsmodels without the correction."""
    wins, losses, _ = counted
    if wins + losses:
        expected = mcnemar([[0, losses], [wins, 0]], exact=False, correction=False).statistic
        assert score(wins, losses, sum(counted), 0.0) ** 2 == pytest.approx(expected)
    else:
        assert score(wins, losses, sum(counted), 0.0) == 0.0


@given(st.tuples(*[st.integers(0, 30)] * 3).filter(any), st.floats(-0.99, 0.99))
def test_the_score_rises_with_wins_and_falls_with_losses(counted, gain):
    """Whatever is held against a challenger, a better answer never is."""
    wins, losses, ties = counted
    items = sum(counted)
    now = score(wins, losses, items, gain) - 1e-9
    assert score(wins + 1, losses, items + 1, gain) >= now
    if ties:
        assert score(wins + 1, losses, items, gain) >= now
    if losses:
        assert score(wins, losses - 1, items, gain) >= now
        assert score(wins + 1, losses - 1, items, gain) >= now


@given(triples, st.sampled_from([0.01, 0.05, 0.2]))
def test_the_lower_bound_is_where_the_score_turns(counted, alpha):
    """A true gain below it is ruled out, one above it is not."""
    wins, losses, _ = counted
    bound = gain_lower_bound(wins, losses, sum(counted), alpha)
    assert -1 <= bound <= (wins - losses) / sum(counted)
    enough = NormalDist().inv_cdf(1 - alpha)
    for gain, ruled_out in ((bound - 1e-6, True), (bound + 1e-6, False)):
        if abs(gain) < 1:
            assert (score(wins, losses, sum(counted), gain) > enough) is ruled_out


def test_the_bound_where_no_utterance_differs():
    """By hand: 0 of n, as Wilson's bound of a share, z^2 / (n + z^2)."""
    for items in (1, 60, 300):
        bound = gain_lower_bound(0, 0, items, 0.05)
        assert -bound == pytest.approx(wilson(0, items, 0.9)[1], abs=1e-9)


@pytest.mark.parametrize(
    ("wins", "losses", "items", "gain"),
    [(3, 3, 5, 0.1), (0, 0, 0, 0.1), (-1, 0, 5, 0.1), (1, 1, 5, -1.0), (1, 1, 5, 1.0)],
)
def test_what_cannot_be_has_no_score(wins, losses, items, gain):
    """A mistake of the caller is not turned into a number."""
    with pytest.raises(ValueError, match="a gain of"):
        score(wins, losses, items, gain)


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


@given(
    items=st.integers(1, 100_000),
    discordance=st.floats(0.001, 1),
    alpha=st.floats(0.001, 0.4),
    power=st.floats(0.5, 0.99),
)
def test_the_detectable_effect_is_what_so_many_items_find(items, discordance, alpha, power):
    """It is the inverse of the number of items needed."""
    effect = minimum_detectable_effect(items, discordance, alpha, power)
    if effect is None:
        assert items_needed(discordance, discordance, alpha, power) > items
    else:
        assert items_needed(discordance, effect * (1 + 1e-9), alpha, power) <= items
        assert items_needed(discordance, effect * (1 - 1e-3), alpha, power) >= items


def test_the_detectable_effect_by_the_exact_power():
    """At the effect that it names, four of five nights find it, by exact sums of probabilities."""
    items, discordance, alpha = 1000, 0.06, 0.05
    effect = minimum_detectable_effect(items, discordance, alpha)
    better = (discordance + effect) / 2 / discordance
    power = sum(
        binom.pmf(pairs, items, discordance) * binom.pmf(wins, pairs, better)
        for pairs in range(1, 120)
        for wins in range(pairs // 2, pairs + 1)
        if mcnemar_mid_p(wins, pairs - wins) < alpha
    )
    assert effect == pytest.approx(0.01924, abs=1e-5)
    assert power == pytest.approx(0.8, abs=0.01)
    assert minimum_detectable_effect(20, 0.06, alpha) is None


@pytest.mark.parametrize(("items", "discordance"), [(0, 0.1), (10, 0.0), (10, 1.1)])
def test_nothing_can_be_found_on_nothing(items, discordance):
    """Neither without utterances nor without differences."""
    with pytest.raises(ValueError, match="nothing can be found"):
        minimum_detectable_effect(items, discordance, 0.05)


@given(trials=st.integers(1, 2000), share=st.floats(0, 1), confidence=st.sampled_from([0.8, 0.95]))
def test_intervals_of_shares_are_those_of_statsmodels(trials, share, confidence):
    """Wilson's and that of Agresti and Coull, also for none and for all."""
    successes = round(share * trials)
    for ours, theirs in ((wilson, "wilson"), (agresti_coull, "agresti_coull")):
        expected = proportion_confint(successes, trials, 1 - confidence, method=theirs)
        assert ours(successes, trials, confidence) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_has_no_interval(successes, trials):
    """A mistake of the caller is not turned into an interval."""
    for interval in (wilson, agresti_coull):
        with pytest.raises(ValueError, match="is not a share"):
            interval(successes, trials)


@given(st.lists(st.integers(0, 100).map(lambda percent: percent / 100), max_size=30))
def test_holm_is_the_step_down(p_values):
    """From the smallest on, each is found while it is below alpha by the number of those left."""
    found = set()
    for rank, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[position] * (len(p_values) - rank) > 0.0501:
            break
        found.add(position)
    assert {n for n, adjusted in enumerate(holm(p_values)) if adjusted < 0.0501} == found


def test_holm_is_that_of_statsmodels():
    """Adjusted p-values in the order given, ties and certainties among them."""
    draw = random.Random(5)
    p_values = [draw.random() ** 3 for _ in range(40)] + [0.0, 1.0, 0.01, 0.01]
    assert holm(p_values) == pytest.approx(tuple(multipletests(p_values, method="holm")[1]))
    assert holm([]) == ()


def test_holm_by_hand():
    """The smallest times all, the next times one fewer, never falling."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx((0.06, 0.03, 0.06))
    with pytest.raises(ValueError, match="between 0 and 1, not nan"):
        holm([0.1, math.nan])


answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50)


@given(answers, st.integers(1, 20))
def test_the_calibration_error_is_that_of_the_reliability_curve(answered, bins):
    """As scikit-learn's curve, each point weighted by its answers."""
    confidences, right = (list(column) for column in zip(*answered, strict=True))
    truth, said = calibration_curve(right, confidences, n_bins=bins, pos_label=True)
    counts = [0] * bins
    for confidence in confidences:
        counts[sum(confidence > edge / bins for edge in range(1, bins))] += 1
    weights = [count for count in counts if count]
    expected = sum(w * abs(t - s) for w, t, s in zip(weights, truth, said, strict=True))
    observed = expected_calibration_error(confidences, right, bins)
    assert observed == pytest.approx(expected / len(answered), abs=1e-9)


def test_the_calibration_error_by_hand():
    """Sure and right is none; sure and wrong is all; right half of the time at 0.5 is none."""
    assert expected_calibration_error([1.0, 1.0], [True, True]) == 0.0
    assert expected_calibration_error([1.0], [False]) == 1.0
    assert expected_calibration_error([0.5, 0.5], [True, False]) == 0.0


@pytest.mark.parametrize(
    ("confidences", "right", "message"),
    [
        ([], [], "0 confidences"),
        ([0.5], [True, False], "1 confidences of 2 answers"),
        ([math.nan], [True], "not nan"),
        ([1.5], [True], "not 1.5"),
    ],
)
def test_no_calibration_of_what_is_no_confidence(confidences, right, message):
    """NaN is named, never averaged."""
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(confidences, right)


@pytest.mark.parametrize(
    ("wins", "losses"), [(500, 500), (501, 500), (700, 600), (600, 700), (4000, 4000), (0, 1100)]
)
def test_many_pairs_are_counted_by_shares(wins, losses):
    """Up to a thousand pairs one by one, beyond as shares: both as scipy has it, to nine digits."""
    pairs = wins + losses
    above, here = binom.sf(wins, pairs, 0.5), binom.pmf(wins, pairs, 0.5)
    assert mcnemar_mid_p(wins, losses) == pytest.approx(above + here / 2, rel=1e-9)
    assert sign_test(wins, losses) == pytest.approx(above + here, rel=1e-9)
    with pytest.raises(ValueError, match="must not be negative"):
        mcnemar_mid_p(wins + 2000, -1)
