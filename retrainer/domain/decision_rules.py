"""Rules that decide by wins and losses alone, for many nights at once.

What the simulation runs. A rule is given the wins and losses of each night and the number of
utterances, and answers with the `Outcome.severity` of each night's verdict.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from retrainer.domain.statistics import mcnemar_mid_p, sign_test
from retrainer.domain.verdict import Outcome

#: Wins, or losses, of each night.
Counts = npt.NDArray[np.int64]
#: `Outcome.severity` of each night's verdict.
Outcomes = npt.NDArray[np.int8]
DecisionRule = Callable[[Counts, Counts, int], Outcomes]
#: The same for one night: wins, losses, utterances.
Judge = Callable[[int, int, int], Outcome]

PROMOTE, HOLD, REJECT = (np.int8(outcome.severity) for outcome in Outcome)
#: Differences below this are rounding, in utterances.
_ROUNDING = 1e-6


def strictly_better(wins: Counts, losses: Counts, items: int) -> Outcomes:
    """The rule of 2018: more is right, however little."""
    del items
    return _promoted(wins > losses)


def not_worse(wins: Counts, losses: Counts, items: int) -> Outcomes:
    """As much is right, or more."""
    del items
    return _promoted(wins >= losses)


def gain_of(minimum: float) -> DecisionRule:
    """At least so much (a share) more is right."""

    def rule(wins: Counts, losses: Counts, items: int) -> Outcomes:
        return _promoted(wins - losses >= minimum * items - _ROUNDING)

    return rule


def ladder(errors: float = 1.0) -> DecisionRule:
    """The gain exceeds so many standard errors of the paired difference (Blum and Hardt 2015)."""

    def rule(wins: Counts, losses: Counts, items: int) -> Outcomes:
        return _promoted(wins - losses > errors * _spread(wins, losses, items) + _ROUNDING)

    return rule


def not_inferior(margin: float, alpha: float = 0.05) -> DecisionRule:
    """The one-sided lower bound of the gain (normal approximation) lies above minus `margin`."""
    errors = NormalDist().inv_cdf(1 - alpha)

    def rule(wins: Counts, losses: Counts, items: int) -> Outcomes:
        bound = wins - losses - errors * _spread(wins, losses, items)
        return _promoted(bound > -margin * items)

    return rule


def mcnemar(alpha: float) -> DecisionRule:
    """The one-sided McNemar mid-p lies below `alpha`."""
    return _by_p(mcnemar_mid_p, alpha)


def exact_sign(alpha: float) -> DecisionRule:
    """The one-sided exact sign test's p lies below `alpha`."""
    return _by_p(sign_test, alpha)


def held_below(items: int, rule: DecisionRule, sure: DecisionRule | None = None) -> DecisionRule:
    """As `rule`, but with fewer utterances than `items` every night is held.

    Unless `sure`, a stricter rule, promotes it even so.
    """

    def held(wins: Counts, losses: Counts, given: int) -> Outcomes:
        if given >= items:
            return rule(wins, losses, given)
        waiting = np.full(wins.shape, HOLD)
        if sure is None:
            return waiting
        return np.where(sure(wins, losses, given) == PROMOTE, PROMOTE, waiting)

    return held


def one_by_one(judge: Judge) -> DecisionRule:
    """A rule for many nights of a rule for one, which is asked once for each pair of counts.

    Only once, however many nights follow: it has to answer the same always.
    """
    known: dict[tuple[int, int, int], int] = {}

    def severity(wins: int, losses: int, items: int) -> int:
        asked = (wins, losses, items)
        if asked not in known:
            known[asked] = judge(*asked).severity
        return known[asked]

    def rule(wins: Counts, losses: Counts, items: int) -> Outcomes:
        # A pair as one number, which sorts much faster than a row of two.
        pairs, which = np.unique(wins * (items + 1) + losses, return_inverse=True)
        judged = (
            severity(pair // (items + 1), pair % (items + 1), items) for pair in pairs.tolist()
        )
        outcomes: Outcomes = np.array([*judged], dtype=np.int8)[which.reshape(-1)]
        return outcomes

    return rule


def _promoted(passed: npt.NDArray[np.bool_]) -> Outcomes:
    return np.where(passed, PROMOTE, REJECT)


def _spread(wins: Counts, losses: Counts, items: int) -> npt.NDArray[np.float64]:
    """Standard error of the difference, in utterances: see `statistics.standard_error`."""
    spread: npt.NDArray[np.float64] = np.sqrt(wins + losses - (wins - losses) ** 2 / items)
    return spread


def _by_p(test: Callable[[int, int], float], alpha: float) -> DecisionRule:
    """Promote where p is below alpha: from a number of wins on that only the pairs decide."""
    needed: dict[int, int] = {0: 1}

    def fewest(pairs: int) -> int:
        low, high = math.ceil(pairs / 2), pairs + 1
        while low < high:
            middle = (low + high) // 2
            if test(middle, pairs - middle) < alpha:
                high = middle
            else:
                low = middle + 1
        return low

    def rule(wins: Counts, losses: Counts, items: int) -> Outcomes:
        del items
        pairs = wins + losses
        known, which = np.unique(pairs, return_inverse=True)
        for number in known.tolist():
            if number not in needed:
                needed[number] = fewest(number)
        limits = np.array([needed[number] for number in known.tolist()], dtype=np.int64)
        return _promoted(wins >= limits[which.reshape(-1)])

    return rule
