"""Paired statistics of two models on the same utterances. Exact where that is cheap."""

import math
from statistics import NormalDist

#: Share of true gains that a test should find, where it is said how much data that takes.
POWER = 0.8


def mcnemar_mid_p(wins: int, losses: int) -> float:
    """One-sided McNemar mid-p: how likely so many wins are, or more, if neither model is better.

    `wins` are the utterances that only the challenger gets right, `losses` those that only the
    champion does. Exact binomial with the mid-p correction (Fagerland, Lydersen and Laake 2013).
    1.0 without a single difference.

    Raises:
        ValueError: a number is negative.
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"wins {wins} and losses {losses} must not be negative")
    pairs = wins + losses
    if not pairs:
        return 1.0
    # Integers, so that no rounding adds up; C(n, k+1) follows from C(n, k).
    here = math.comb(pairs, wins)
    above = 0
    term = here
    for k in range(wins, pairs):
        term = term * (pairs - k) // (k + 1)
        above += term
    return (2 * above + here) / (1 << (pairs + 1))


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
