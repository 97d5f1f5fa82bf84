"""What a whole policy would do on a holdout of some size, by simulation.

A policy can be simulated as far as its rules judge by wins and losses.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from retrainer.domain.decision_rules import DecisionRule, one_by_one
from retrainer.domain.paired import PairedAnswers, PairedCounts
from retrainer.domain.policies import can_promote
from retrainer.domain.rules import (
    KnownIntents,
    Ladder,
    NegativeFlips,
    NonInferiority,
    Simple,
    Superiority,
    SuspiciousGain,
)
from retrainer.domain.simulated_year import EQUAL, Holdout, Person, Served, Year, serve
from retrainer.domain.simulation import (
    ACCURACY,
    DISCORDANCE,
    Odds,
    draw_night,
    odds,
    smallest_holdout,
)
from retrainer.domain.verdict import Check, NamedRule, Outcome, Policy, worst

#: The rules with `judge(PairedCounts) -> Check`, which need to know no more.
JudgingByCounts: TypeAlias = (
    KnownIntents | Ladder | NegativeFlips | NonInferiority | Simple | Superiority | SuspiciousGain
)

#: Gains of the challengers of a night, shares; and those that a holdout should find.
GAINS = (0.0, 0.01, 0.02, 0.05, -0.02)
FOUND = (0.01, 0.02, 0.05)
#: Nights a figure, and answers a year's figures, at most: so that it takes seconds.
_DRAWS, _ANSWERS = 20_000, 60_000_000
_LEAST_YEARS, _MOST_YEARS = 10, 500
#: As much as two models can differ, almost: see `Setting`.
_INDEPENDENT = 0.95
#: How often a person sees that a held challenger is better.
_SEES = 0.8


@dataclass(frozen=True, slots=True)
class SimulatedPolicy:
    """The blocking rules of a policy that can be simulated, as one `rule`.

    `judged` names them. `left_out` names the other blocking rules: simulated challengers pass them.
    """

    rule: DecisionRule
    judged: tuple[str, ...]
    left_out: tuple[str, ...]


def simulated(policy: Policy) -> SimulatedPolicy:
    """What of the policy can be simulated.

    Where no blocking rule judges by counts, `judged` is empty and every night is held.
    """
    blocking = [named for named in policy.rules if named.blocking]
    judging = [named.rule for named in blocking if isinstance(named.rule, JudgingByCounts)]
    others = [named for named in blocking if not isinstance(named.rule, JudgingByCounts)]
    # What is left out is passed, and that justifies a promotion as much as in a verdict.
    passed = (
        [Check("passed", Outcome.PROMOTE, "")] if can_promote(Policy("", tuple(others))) else []
    )

    def judge(wins: int, losses: int, items: int) -> Outcome:
        counts = PairedCounts(items, wins, losses)
        judged = [rule.judge(counts) for rule in judging]
        return worst([*judged, *passed] if judged else [])

    return SimulatedPolicy(
        one_by_one(judge), _names(blocking, judged=True), _names(blocking, judged=False)
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """A holdout of so many `items`, and the models that meet on it, `nights` nights a year.

    `accuracy` is the first champion's, and `discordance` the share of the utterances on which two
    such models differ in being right.

    Raises:
        ValueError: there are no utterances or nights, or models cannot differ so often.
    """

    items: int
    discordance: float = DISCORDANCE
    accuracy: float = ACCURACY
    nights: int = 365

    def __post_init__(self) -> None:
        if not 0 < self.accuracy < 1:
            raise ValueError(f"an accuracy lies above 0 and below 1, not at {self.accuracy}")
        most = 2 * self.accuracy * (1 - self.accuracy)
        if not 0 < self.discordance < most:
            raise ValueError(
                f"models that are right on {self.accuracy:.1%} differ on more than 0 and less than "
                f"{most:.1%} of the utterances, not on {self.discordance:.1%}"
            )
        _ = self.holdout, self.year

    @property
    def holdout(self) -> Holdout:
        """The same utterances all year."""
        return Holdout(self.items)

    @property
    def year(self) -> Year:
        """A year whose challengers get slowly better, but for accidents."""
        ordinary = Year()
        # What is still wrong at the end of the year is the same share of what was at its start.
        left = (1 - self.accuracy) / (1 - ordinary.start)
        return Year(
            nights=self.nights,
            start=self.accuracy,
            trend=ordinary.trend * min(left, 1.0),
            discordance=self.discordance,
        )

    @classmethod
    def seen_in(cls, recent: Sequence[PairedAnswers]) -> Self | None:
        """As in the newest comparisons of an assistant, newest first; None without an utterance.

        The number of utterances is that of the newest, the shares are those of all together, each
        with one utterance more on either side: few of them must not show models without a fault.
        """
        answers = [each for each in recent if len(each)]
        if not answers:
            return None
        items = sum(map(len, answers))
        differing = sum(each.totals.wins + each.totals.losses for each in answers)
        right = sum(
            count
            for each in answers
            for (gold, champion, _), count in each.triples().items()
            if gold == champion
        )
        accuracy, discordance = (right + 1) / (items + 2), (differing + 1) / (items + 2)
        # By chance a few utterances may show models that differ more than independent ones.
        most = _INDEPENDENT * 2 * accuracy * (1 - accuracy)
        return cls(len(answers[0]), min(discordance, most), accuracy)

    def differing(self, gain: float) -> float:
        """The discordance of models of which one is better by so much: at least that."""
        return max(self.discordance, abs(gain))


@dataclass(frozen=True, slots=True)
class Prospects:
    """What a policy would do in this setting.

    `nights` holds the odds of challengers by their true gain, `smallest` the number of utterances
    on which such a gain is promoted 4 times of 5 (None: more than `MOST`). `year` is one in
    which nobody approves what is held, in `attended` somebody sees 4 of 5 held challengers that
    are better, and in `equal` no challenger is better or worse.
    """

    setting: Setting
    nights: Mapping[float, Odds]
    smallest: Mapping[float, int | None]
    year: Served
    attended: Served
    equal: Served


def prospects(
    rule: DecisionRule, setting: Setting, told: Callable[[str, int, int], None]
) -> Prospects:
    """Simulate it, the same every time; `told` hears what comes next, its number and of how many."""
    count = len(GAINS) + len(FOUND) + 3
    numbers: Iterator[int] = iter(range(count))

    def begin(what: str) -> None:
        told(what, next(numbers), count)

    nights, smallest = {}, {}
    for gain in GAINS:
        begin(f"nights of challengers {_in_points(gain)}")
        drawn = draw_night(
            items=setting.items, discordance=setting.differing(gain), gain=gain, draws=_DRAWS
        )
        nights[gain] = odds(rule, *drawn, setting.items)
    for gain in FOUND:
        begin(f"the smallest holdout that finds {_in_points(gain)}")
        smallest[gain] = smallest_holdout(
            rule, discordance=setting.differing(gain), gain=gain, draws=_DRAWS // 5
        )
    years = min(max(_ANSWERS // (setting.items * setting.nights), _LEAST_YEARS), _MOST_YEARS)
    begin("a year in which nobody approves")
    year = serve(rule, setting.holdout, setting.year, years=years)
    begin("a year in which a person looks")
    person = Person(better=_SEES)
    attended = serve(rule, setting.holdout, setting.year, person=person, years=years)
    begin("a year of equal models")
    return Prospects(setting, nights, smallest, year, attended, _equal(rule, setting, years))


def _equal(rule: DecisionRule, setting: Setting, years: int) -> Served:
    alike = Year(
        nights=setting.nights,
        start=setting.accuracy,
        trend=EQUAL.trend,
        spread=EQUAL.spread,
        accidents=EQUAL.accidents,
        discordance=setting.discordance,
    )
    return serve(rule, setting.holdout, alike, years=years)


def _names(rules: Sequence[NamedRule], *, judged: bool) -> tuple[str, ...]:
    return tuple(named.name for named in rules if isinstance(named.rule, JudgingByCounts) is judged)


def _in_points(gain: float) -> str:
    return f"{gain * 100:+.0f} points" if gain else "as good as the champion"
