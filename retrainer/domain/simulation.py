"""What a rule does when it decides night after night, by seeded simulation.

One night draws wins and losses of a challenger whose true gain is known. A year follows the
champion that the rule chooses, on a holdout that is asked every night.

In a year, an utterance has a difficulty z ~ N(0, 1), and a model of true accuracy a understands it
when q(a) - z + t e > 0, with e ~ N(0, 1) for each model and utterance, q(a) = probit(a)
sqrt(1 + t^2), and t such that two models differ as often as models do that were trained twice.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from retrainer.domain.decision_rules import HOLD, PROMOTE, REJECT, Counts, DecisionRule

DRAWS, YEARS = 200_000, 200

_Floats = npt.NDArray[np.float64]
_Answers = npt.NDArray[np.bool_]

#: Answers held at once, which bounds the memory.
_AT_ONCE = 500_000
_NORMAL = NormalDist()
#: True accuracies stay this far from 0 and 1.
_MARGIN = 1e-6


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


@dataclass(frozen=True, slots=True)
class Year:
    """The challengers of a year. Accuracies are shares, and true: on all utterances there are.

    The challenger of night i has `start + trend * i`, give or take N(0, `spread`), less `damage`
    on a share of `accidents` of the nights; the first champion has `start`, give or take the same.
    `discordance` is how often two models of accuracy `start` differ in being right.
    """

    nights: int = 365
    start: float = 0.88
    trend: float = 0.0001
    spread: float = 0.008
    accidents: float = 0.05
    damage: float = 0.03
    discordance: float = 0.05

    def __post_init__(self) -> None:
        if self.nights < 1:
            raise ValueError(f"a year has at least 1 night, not {self.nights}")
        for name in ("start", "spread", "accidents", "damage", "discordance"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {share}")


#: A year in which no challenger is better or worse than another.
EQUAL = Year(trend=0.0, spread=0.0, accidents=0.0)


@dataclass(frozen=True, slots=True)
class Holdout:
    """The utterances that are asked every night.

    `items` at first, `growth` more each night, and all of them new every `renewed_every` nights
    (0: never).
    """

    items: int
    growth: float = 0.0
    renewed_every: int = 0

    def __post_init__(self) -> None:
        if self.items < 1 or not 0 <= self.growth < math.inf or self.renewed_every < 0:
            raise ValueError(
                f"at least 1 utterance, no less later, renewed every 0 or more nights; not {self}"
            )

    def size(self, night: int) -> int:
        """How many utterances there are on a night, from 0."""
        return self.items + int(self.growth * night)


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over simulated years, and its Monte Carlo standard error."""

    mean: float
    error: float


@dataclass(frozen=True, slots=True)
class Served:
    """What a rule makes of a year.

    `accuracy` is the mean true accuracy of what serves, `best` that of the best challenger so far;
    `worse` counts promotions of truly worse challengers, `promotions` and `holds` those nights;
    `optimism` is the champion's score on the holdout at the end less its true accuracy.
    """

    accuracy: Figure
    worse: Figure
    optimism: Figure
    promotions: Figure
    holds: Figure
    best: Figure
    years: int


def serve(
    rule: DecisionRule,
    holdout: Holdout,
    year: Year = Year(),
    *,
    years: int = YEARS,
    seed: int = 0,
) -> Served:
    """Let the rule decide every night of so many years; who is held stays where it is.

    With the same seed every rule meets the same challengers and utterances.

    Raises:
        ValueError: there is no year, or models cannot differ as often as the year says.
    """
    if years < 1:
        raise ValueError(f"at least 1 year is needed, not {years}")
    at_once = max(1, min(years, _AT_ONCE // max(1, holdout.size(year.nights))))
    sizes = [min(at_once, years - start) for start in range(0, years, at_once)]
    seeds = np.random.SeedSequence(seed).spawn(len(sizes))
    rows = [
        _serve(rule, holdout, year, size, np.random.default_rng(own))
        for size, own in zip(sizes, seeds, strict=True)
    ]
    columns = np.concatenate(rows, axis=1)
    accuracy, worse, optimism, promotions, holds, best = (_figure(column) for column in columns)
    return Served(accuracy, worse, optimism, promotions, holds, best, years)


def _serve(
    rule: DecisionRule, holdout: Holdout, year: Year, years: int, generator: np.random.Generator
) -> _Floats:
    """The figures of `Served`, a row each, of so many years at once."""
    first, challengers = _accuracies(year, years, generator)
    serving, best = first.copy(), first.copy()
    displayed = np.zeros(years)
    served, worse, promotions, holds, bests = (np.zeros(years) for _ in range(5))
    asked = _Asked(holdout, year, years, generator)
    champion = asked.answers(serving)
    for night, true in enumerate(challengers):
        if holdout.renewed_every and night and night % holdout.renewed_every == 0:
            asked.renew()
            champion = asked.answers(serving)
        challenger = asked.answers(true)
        items = holdout.size(night)
        outcomes = rule(*_differences(champion[:, :items], challenger[:, :items]), items)
        promoted = outcomes == PROMOTE
        promotions += promoted
        holds += outcomes == HOLD
        worse += promoted & (true < serving)
        champion[promoted] = challenger[promoted]
        serving = np.where(promoted, true, serving)
        best = np.maximum(best, true)
        served, bests = served + serving, bests + best
        displayed = champion[:, :items].mean(axis=1)
    nights = len(challengers)
    optimism = displayed - serving
    return np.stack([served / nights, worse, optimism, promotions, holds, bests / nights])


class _Asked:
    """The utterances of the holdout, those to come included, and what models answer to them."""

    def __init__(
        self, holdout: Holdout, year: Year, years: int, generator: np.random.Generator
    ) -> None:
        self._shape = (years, holdout.size(year.nights - 1))
        self._noise = np.float32(individuality(year.start, year.discordance))
        self._generator = generator
        self._difficulty = self._normal()

    def renew(self) -> None:
        """Replace every utterance."""
        self._difficulty = self._normal()

    def answers(self, accuracies: _Floats) -> _Answers:
        """What a model of this true accuracy (one a year) answers rightly, shape (years, items)."""
        scale = math.sqrt(1 + float(self._noise) ** 2)
        quality = (_probit(accuracies) * scale).astype(np.float32)
        right: _Answers = quality[:, None] + self._noise * self._normal() > self._difficulty
        return right

    def _normal(self) -> npt.NDArray[np.float32]:
        return self._generator.standard_normal(self._shape, dtype=np.float32)


def _accuracies(year: Year, years: int, generator: np.random.Generator) -> tuple[_Floats, _Floats]:
    """The true accuracy of the first champions, and of each night's challengers, one a year."""
    shape = (year.nights, years)
    noise = generator.normal(0.0, year.spread, size=(year.nights + 1, years))
    accidents = year.damage * (generator.random(shape) < year.accidents)
    trend = year.start + year.trend * np.arange(year.nights)[:, None]
    first = np.clip(year.start + noise[0], _MARGIN, 1 - _MARGIN)
    return first, np.clip(trend + noise[1:] - accidents, _MARGIN, 1 - _MARGIN)


def _differences(champion: _Answers, challenger: _Answers) -> tuple[Counts, Counts]:
    """Wins and losses of each year."""
    wins = np.count_nonzero(challenger & ~champion, axis=1)
    losses = np.count_nonzero(champion & ~challenger, axis=1)
    return wins.astype(np.int64), losses.astype(np.int64)


@lru_cache
def individuality(accuracy: float, discordance: float) -> float:
    """The t with which two models of this accuracy differ in being right so often.

    Raises:
        ValueError: even independent models do not differ so often, or identical ones more often.
    """
    if not 0 < discordance < 2 * accuracy * (1 - accuracy):
        raise ValueError(
            f"models of accuracy {accuracy} cannot differ on a share of {discordance}: "
            f"above 0 and below {2 * accuracy * (1 - accuracy):.4f} is possible"
        )
    low, high = 1e-3, 1e3
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _differing(accuracy, middle) < discordance else (low, middle)
    return math.sqrt(low * high)


def _differing(accuracy: float, noise: float) -> float:
    """How often two models of this accuracy differ in being right, at t = `noise`.

    2 E[p (1 - p)] over the difficulty, p being how often a model understands such an utterance.
    """
    quality = _NORMAL.inv_cdf(accuracy) * math.sqrt(1 + noise**2)
    step = 0.01
    total = 0.0
    for point in range(-800, 801):
        p = _NORMAL.cdf((quality - point * step) / noise)
        total += p * (1 - p) * _NORMAL.pdf(point * step)
    return 2 * total * step


def _probit(accuracies: _Floats) -> _Floats:
    return np.array([_NORMAL.inv_cdf(accuracy) for accuracy in accuracies.tolist()])


def _figure(column: _Floats) -> Figure:
    error = float(column.std(ddof=1)) / math.sqrt(len(column)) if len(column) > 1 else math.nan
    return Figure(float(column.mean()), error)
