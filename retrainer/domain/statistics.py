"""Paired statistics of two models on the same utterances. Exact where that is cheap."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from statistics import NormalDist

#: Share of true gains that a test should find, where it is said how much data that takes.
POWER = 0.8

#: Pairs up to which all outcomes are counted one by one, and what is left out of a sum of more.
_EXACT, _NEGLIGIBLE = 1000, 1e-15
#: Of an interval of length 2, which leave less than rounding.
_HALVINGS = 40


def mcnemar_mid_p(wins: int, losses: int) -> float:
    """One-sided McNemar mid-p: how likely so many wins are, or more, if neither model is better.

    `wins` are the utterances that only the challenger gets right, `losses` those that only the
    champion does. Exact binomial with the mid-p correction (Fagerland, Lydersen and Laake 2013).
    1.0 without a single difference.

    Raises:
        ValueError: a number is negative.
    """
    if wins + losses > _EXACT:
        return _share_above(wins, losses) + _share_of(wins, losses) / 2
    here, above = _tail(wins, losses)
    return (2 * above + here) / (2 << (wins + losses)) if wins + losses else 1.0


def sign_test(wins: int, losses: int) -> float:
    """One-sided exact sign test: as `mcnemar_mid_p`, without the correction.

    The exact binomial form of McNemar's test (McNemar 1947; Fagerland, Lydersen and Laake 2013).
    It never errs more often than alpha, and so finds less than the mid-p. 1.0 without a difference.

    Raises:
        ValueError: a number is negative.
    """
    if wins + losses > _EXACT:
        return _share_above(wins, losses) + _share_of(wins, losses)
    here, above = _tail(wins, losses)
    return (above + here) / (1 << (wins + losses))


def _tail(wins: int, losses: int) -> tuple[int, int]:
    """Of all 2^(wins + losses) outcomes, how many have exactly so many wins, and how many more."""
    if wins < 0 or losses < 0:
        raise ValueError(f"wins {wins} and losses {losses} must not be negative")
    pairs = wins + losses
    # Integers, so that no rounding adds up; C(n, k+1) follows from C(n, k).
    here = math.comb(pairs, wins)
    above = 0
    term = here
    for k in range(wins, pairs):
        term = term * (pairs - k) // (k + 1)
        above += term
    return here, above


def _share_of(wins: int, losses: int) -> float:
    """Which share of all outcomes has exactly so many wins; to ten digits, also of many pairs."""
    if wins < 0 or losses < 0:
        raise ValueError(f"wins {wins} and losses {losses} must not be negative")
    pairs = wins + losses
    ways = math.lgamma(pairs + 1) - math.lgamma(wins + 1) - math.lgamma(losses + 1)
    return math.exp(ways - pairs * math.log(2))


def _share_above(wins: int, losses: int) -> float:
    """Which share of all outcomes has more wins."""
    if wins < losses:
        return 1 - _share_of(wins, losses) - _share_above(losses, wins)
    total, term = 0.0, _share_of(wins, losses)
    for more in range(losses):  # each further term is smaller by a larger factor
        term *= (losses - more) / (wins + more + 1)
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return total


def standard_error(wins: int, losses: int, items: int) -> float:
    """Standard error of the difference of two accuracies on the same items, a share.

    That of the mean of one +1 a win, one -1 a loss and 0 elsewhere, with the variance as observed
    (Agresti, Categorical Data Analysis, 3rd ed., section 11.1.1).

    Raises:
        ValueError: there are no items, or fewer than wins and losses together.
    """
    if items < 1 or min(wins, losses) < 0 or wins + losses > items:
        raise ValueError(f"{wins} wins and {losses} losses are not possible on {items} items")
    return math.sqrt(wins + losses - (wins - losses) ** 2 / items) / items


def score(wins: int, losses: int, items: int, gain: float) -> float:
    """How many standard errors the gain seen lies above a true one of `gain`, a share above -1.

    Tango's score statistic for paired shares (Statistics in Medicine 17 (1998)): the standard error
    is that of the likeliest discordance which such a gain leaves. So it is not 0 where the models
    never differ, and more wins or fewer losses never lower it. 0.0 for a gain of 0 without any.

    Raises:
        ValueError: there are no items, fewer than wins and losses together, or no such gain.
    """
    if items < 1 or min(wins, losses) < 0 or wins + losses > items or not -1 < gain < 1:
        raise ValueError(f"{wins} wins and {losses} losses on {items} items, a gain of {gain}")
    linear = (2 * items - wins + losses) * gain - (wins + losses)
    constant = -losses * gain * (1 - gain)
    # The likeliest share of losses solves 2 n x^2 + linear x + constant = 0.
    likeliest = (math.sqrt(max(linear**2 - 8 * items * constant, 0.0)) - linear) / (4 * items)
    variance = items * (2 * likeliest + gain * (1 - gain))
    excess = wins - losses - items * gain
    if variance <= 0:
        return math.copysign(math.inf, excess) if excess else 0.0
    return excess / math.sqrt(variance)


def gain_lower_bound(wins: int, losses: int, items: int, alpha: float) -> float:
    """The true gain (a share) is above this, at one-sided `alpha`: see `score`.

    Raises:
        ValueError: as `score`.
    """
    enough = NormalDist().inv_cdf(1 - alpha)
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if score(wins, losses, items, middle) > enough:
            low = middle
        else:
            high = middle
    return low


def items_needed(discordance: float, gain: float, alpha: float, power: float = POWER) -> int:
    """How many utterances a one-sided McNemar test needs to find a true gain so often.

    `discordance` is the share of utterances on which one model is right and the other wrong,
    `gain` the true difference of their accuracies; both 0 to 1. Normal approximation of Connor,
    Biometrics 43 (1987).

    Raises:
        ValueError: there is no gain, or it exceeds the discordance.
    """
    if not 0 < gain <= discordance <= 1:
        raise ValueError(f"a gain of {gain} is not possible at a discordance of {discordance}")
    normal = NormalDist()
    enough = normal.inv_cdf(1 - alpha) * math.sqrt(discordance)
    found = normal.inv_cdf(power) * math.sqrt(discordance - gain**2)
    return math.ceil(((enough + found) / gain) ** 2)


def minimum_detectable_effect(
    items: int, discordance: float, alpha: float, power: float = POWER
) -> float | None:
    """The smallest true gain (a share) that a one-sided McNemar test finds so often.

    `items_needed`, solved for the gain. None where even challengers that win on every utterance
    of the discordance are not found so often.

    Raises:
        ValueError: there are no items, or the discordance is not a share above 0.
    """
    if items < 1 or not 0 < discordance <= 1:
        raise ValueError(f"nothing can be found on {items} items at discordance {discordance}")
    normal = NormalDist()
    enough, found = normal.inv_cdf(1 - alpha), normal.inv_cdf(power)
    # (sqrt(n) g - a sqrt(D))^2 = b^2 (D - g^2), a quadratic equation in g.
    square = items + found**2
    root = math.sqrt(discordance * (square - enough**2)) if square > enough**2 else 0.0
    gain = (math.sqrt(items * discordance) * enough + found * root) / square
    return gain if gain <= discordance else None


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided score interval of a share (Wilson, JASA 22 (1927)); good from few trials on.

    Raises:
        ValueError: there are no trials, or fewer than successes.
    """
    centre, half, _ = _score_interval(successes, trials, confidence)
    return max(0.0, centre - half), min(1.0, centre + half)


def agresti_coull(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided "add two successes and two failures" interval of a share.

    Centre of `wilson`, half width of the normal approximation there, so a bit wider (Agresti and
    Coull, The American Statistician 52 (1998)).

    Raises:
        ValueError: there are no trials, or fewer than successes.
    """
    centre, _, half = _score_interval(successes, trials, confidence)
    return max(0.0, centre - half), min(1.0, centre + half)


def _score_interval(successes: int, trials: int, confidence: float) -> tuple[float, float, float]:
    """Centre, and half the width of the intervals of Wilson and of Agresti and Coull."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} of {trials} is not a share")
    square = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    weight = trials + square
    centre = (successes + square / 2) / weight
    spread = successes * (trials - successes) / trials + square / 4
    return (
        centre,
        math.sqrt(square * spread) / weight,
        math.sqrt(square * centre * (1 - centre) / weight),
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted for their number, in the order given (Holm's step-down, 1979).

    Those below alpha are found with at most alpha of a chance that any is found in error, however
    they depend on each other.

    Raises:
        ValueError: a p-value is not between 0 and 1.
    """
    if wrong := [p for p in p_values if not 0 <= p <= 1]:
        raise ValueError(f"p-values lie between 0 and 1, not {wrong[0]}")
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, position in enumerate(order):
        reached = max(reached, min(1.0, (len(order) - rank) * p_values[position]))
        adjusted[position] = reached
    return tuple(adjusted)


def expected_calibration_error(
    confidences: Sequence[float], right: Sequence[bool], bins: int = 10
) -> float:
    """How far confidence and accuracy lie apart, 0 to 1, averaged over the answers.

    `bins` equally wide bins, each with its upper edge (Naeini et al. 2015; Guo et al. 2017).

    Raises:
        ValueError: there are no answers, a confidence is not between 0 and 1 (NaN included), or
            there are not as many of the one as of the other.
    """
    if not confidences or len(confidences) != len(right) or bins < 1:
        raise ValueError(
            f"{len(confidences)} confidences of {len(right)} answers in {bins} bins: at least one "
            "of each is needed, and as many confidences as answers"
        )
    if wrong := [c for c in confidences if not 0 <= c <= 1]:
        raise ValueError(f"confidences lie between 0 and 1, not {wrong[0]}")
    edges = [edge / bins for edge in range(1, bins)]
    excess = [0.0] * bins
    for confidence, is_right in zip(confidences, right, strict=True):
        excess[bisect_left(edges, confidence)] += confidence - is_right
    return math.fsum(map(abs, excess)) / len(confidences)
