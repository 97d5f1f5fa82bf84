"""What a rule does when it decides, by seeded simulation: one night, and the best of several.

A night draws wins and losses of a challenger whose true gain is known. For a whole year of them see
`simulated_year`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrainer.domain.decision_rules import HOLD, PROMOTE, REJECT, Counts, DecisionRule
from retrainer.domain.simulated_answers import individuality, pattern_shares
from retrainer.domain.statistics import POWER

DRAWS = 200_000
#: The accuracy of simulated champions, and how often models of it differ in being right.
ACCURACY, DISCORDANCE = 0.88, 0.05

#: Counts held at once, which bounds the memory.
_AT_ONCE = 2_000_000
#: Holdouts that a search for the smallest one considers: utterances, and how exactly it is found.
_FEWEST, MOST, _EXACTLY = 20, 20_000, 1.02


@dataclass(frozen=True, slots=True)
class Odds:
    """How often a rule decides how, all shares; Monte Carlo errors are sqrt(p (1 - p) / draws)."""

    promote: float
    hold: float
    reject: float
    draws: int


def draw_night(
    *, items: int, discordance: float, gain: float = 0.0, draws: int = DRAWS, seed: int = 0
) -> tuple[Counts, Counts]:
    """Wins and losses on so many nights of a challenger that is truly better by `gain` (a share).

    `discordance` is the share of utterances that only one of the models gets right.

    Raises:
        ValueError: the gain exceeds the discordance, or that is not a share.
    """
    if not abs(gain) <= discordance <= 1:
        raise ValueError(f"a gain of {gain} is not possible at a discordance of {discordance}")
    generator = np.random.default_rng(seed)
    shares = [(discordance + gain) / 2, (discordance - gain) / 2, 1 - discordance]
    drawn = generator.multinomial(items, shares, size=draws)
    return drawn[:, 0], drawn[:, 1]


def odds(rule: DecisionRule, wins: Counts, losses: Counts, items: int) -> Odds:
    """How often the rule decides how on these nights."""
    outcomes = rule(wins, losses, items)
    promote, hold, reject = (float((outcomes == o).mean()) for o in (PROMOTE, HOLD, REJECT))
    return Odds(promote, hold, reject, len(wins))


def smallest_holdout(
    rule: DecisionRule,
    *,
    discordance: float,
    gain: float,
    power: float = POWER,
    draws: int = DRAWS,
    seed: int = 0,
) -> int | None:
    """About how many utterances the rule needs to promote such a challenger so often.

    Found by asking the rule, to within 2 %; more utterances are taken to help. None: even `MOST`
    are not enough.

    Raises:
        ValueError: the gain exceeds the discordance, or that is not a share.
    """

    def enough(items: int) -> bool:
        night = draw_night(items=items, discordance=discordance, gain=gain, draws=draws, seed=seed)
        return odds(rule, *night, items).promote >= power

    low, high = 0, _FEWEST
    while not enough(high):
        if high == MOST:
            return None
        low, high = high, min(high * 3 // 2, MOST)
    while high > low * _EXACTLY + 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def best_of(  # noqa: PLR0913 - what is selected, how, and from what
    challengers: int,
    rule: DecisionRule,
    *,
    items: int,
    halves: bool = False,
    gain: float = 0.0,
    accuracy: float = ACCURACY,
    discordance: float = DISCORDANCE,
    draws: int = DRAWS,
    seed: int = 0,
) -> Odds:
    """How often the best of so many challengers is promoted, all truly better by `gain`.

    The best is the one that is right most often. With `halves` it is selected on one half of the
    utterances, and the rule sees the other half alone; else selection and rule see the same, and a
    rule that keeps its word has to be one that is corrected for the number of challengers.

    Raises:
        ValueError: there are too few challengers or utterances, or models cannot differ so often.
    """
    if challengers < 1 or items < 1 + halves:
        raise ValueError(
            f"{challengers} challengers on {items} utterances: at least 1 of each is needed, and "
            "2 utterances for two halves"
        )
    accuracies = np.array([accuracy, *[accuracy + gain] * challengers])
    patterns, shares = pattern_shares(accuracies, individuality(accuracy, discordance))
    generator = np.random.default_rng(seed)
    wins, losses = np.empty((2, draws), dtype=np.int64)
    selecting, judging = (items // 2, items - items // 2) if halves else (items, items)
    at_once = max(1, _AT_ONCE // len(patterns))
    for start in range(0, draws, at_once):
        here = slice(start, min(start + at_once, draws))
        seen = generator.multinomial(selecting, shares, size=here.stop - start)
        best = (seen @ patterns[:, 1:]).argmax(axis=1)[:, None]
        if halves:
            seen = generator.multinomial(judging, shares, size=here.stop - start)
        wins[here], losses[here] = (_of(best, seen @ only) for only in _either(patterns))
    return odds(rule, wins, losses, judging)


def _either(patterns: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], ...]:
    """In which patterns each challenger alone is right, or the champion (first column) alone."""
    champion, challengers = patterns[:, :1], patterns[:, 1:]
    return challengers & ~champion, champion & ~challengers


def _of(best: Counts, counts: Counts) -> Counts:
    """Of each row the count of the best challenger."""
    return np.take_along_axis(counts, best, axis=1)[:, 0]
