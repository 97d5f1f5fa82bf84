"""A year of nights, simulated: what becomes of users when a rule chooses the champion.

Every night a challenger of a known true accuracy meets the champion that the rule has chosen so
far, on a holdout that is asked every night. Models answer as in `simulated_answers`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrainer.domain.decision_rules import HOLD, PROMOTE, Counts, DecisionRule, Outcomes
from retrainer.domain.simulated_answers import Floats, individuality, quality

YEARS = 200

#: Who is right: a row each year, a column each utterance.
Answers = npt.NDArray[np.bool_]
#: Decides by champion's and challenger's answers of each year.
AnswersRule = Callable[[Answers, Answers], Outcomes]

#: Answers held at once, which bounds the memory.
_AT_ONCE = 500_000
#: True accuracies stay this far from 0 and 1.
_MARGIN = 1e-6


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
class Person:
    """Somebody who answers when the rule holds a challenger.

    Approves one that is truly `better` with this probability, and one that is not with `worse`.
    """

    better: float = 0.0
    worse: float = 0.0

    def __post_init__(self) -> None:
        for name in ("better", "worse"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {share}")


#: What is held stays where it is.
NOBODY = Person()


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over simulated years, and its Monte Carlo standard error."""

    mean: float
    error: float


@dataclass(frozen=True, slots=True)
class Served:
    """What a rule makes of a year.

    `accuracy` is the mean true accuracy of what serves, `best` that of the best challenger so far;
    `worse` counts promotions of truly worse challengers, `promotions` all of them, those that a
    person approved included, `holds` the nights on which a person was asked;
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
    person: Person = NOBODY,
    years: int = YEARS,
    seed: int = 0,
) -> Served:
    """Let a rule that judges by wins and losses decide every night of so many years.

    With the same seed every rule meets the same challengers and utterances.

    Raises:
        ValueError: there is no year, or models cannot differ as often as the year says.
    """

    def by_answers(champion: Answers, challenger: Answers) -> Outcomes:
        return rule(*differences(champion, challenger), champion.shape[1])

    return serve_by_answers(by_answers, holdout, year, person=person, years=years, seed=seed)


def serve_by_answers(
    rule: AnswersRule,
    holdout: Holdout,
    year: Year = Year(),
    *,
    person: Person = NOBODY,
    years: int = YEARS,
    seed: int = 0,
) -> Served:
    """As `serve`, with a rule that sees who is right on which utterance."""
    if years < 1:
        raise ValueError(f"at least 1 year is needed, not {years}")
    at_once = max(1, min(years, _AT_ONCE // max(1, holdout.size(year.nights))))
    sizes = [min(at_once, years - start) for start in range(0, years, at_once)]
    seeds = np.random.SeedSequence(seed).spawn(len(sizes))
    rows = [
        _serve(rule, holdout, year, person, size, own)
        for size, own in zip(sizes, seeds, strict=True)
    ]
    columns = np.concatenate(rows, axis=1)
    accuracy, worse, optimism, promotions, holds, best = (_figure(column) for column in columns)
    return Served(accuracy, worse, optimism, promotions, holds, best, years)


def _serve(
    rule: AnswersRule,
    holdout: Holdout,
    year: Year,
    person: Person,
    years: int,
    seed: np.random.SeedSequence,
) -> Floats:
    """The figures of `Served`, a row each, of so many years at once."""
    generator, mood = np.random.default_rng(seed), np.random.default_rng(seed.spawn(1)[0])
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
        outcomes = rule(champion[:, :items], challenger[:, :items])
        held = outcomes == HOLD
        approved = mood.random(years) < np.where(true > serving, person.better, person.worse)
        promoted = (outcomes == PROMOTE) | (held & approved)
        promotions += promoted
        holds += held
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

    def answers(self, accuracies: Floats) -> Answers:
        """What a model of this true accuracy (one a year) answers rightly, shape (years, items)."""
        qualities = quality(accuracies, float(self._noise)).astype(np.float32)
        right: Answers = qualities[:, None] + self._noise * self._normal() > self._difficulty
        return right

    def _normal(self) -> npt.NDArray[np.float32]:
        return self._generator.standard_normal(self._shape, dtype=np.float32)


def _accuracies(year: Year, years: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """The true accuracy of the first champions, and of each night's challengers, one a year."""
    shape = (year.nights, years)
    noise = generator.normal(0.0, year.spread, size=(year.nights + 1, years))
    accidents = year.damage * (generator.random(shape) < year.accidents)
    trend = year.start + year.trend * np.arange(year.nights)[:, None]
    first = np.clip(year.start + noise[0], _MARGIN, 1 - _MARGIN)
    return first, np.clip(trend + noise[1:] - accidents, _MARGIN, 1 - _MARGIN)


def differences(champion: Answers, challenger: Answers) -> tuple[Counts, Counts]:
    """Wins and losses of each year."""
    wins = np.count_nonzero(challenger & ~champion, axis=1)
    losses = np.count_nonzero(champion & ~challenger, axis=1)
    return wins.astype(np.int64), losses.astype(np.int64)


def _figure(column: Floats) -> Figure:
    error = float(column.std(ddof=1)) / math.sqrt(len(column)) if len(column) > 1 else math.nan
    return Figure(float(column.mean()), error)
