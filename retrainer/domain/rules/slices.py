"""What rules about parts of the test set share: no part gets much worse, and not by chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from retrainer.domain.paired import PairedCounts
from retrainer.domain.rules.limits import ROUNDING, points, require_alpha, require_share
from retrainer.domain.statistics import holm, mcnemar_mid_p
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class Slice:
    """One intent, or one type of entity.

    `before` and `after` are the F1 (0 to 1) of champion and challenger, NaN where there is none;
    `support` is what was annotated. Each of `tests` counts utterances on which a mistake with the
    slice can be made, and on how many only the challenger, or only the champion, makes none.
    """

    name: str
    before: float
    after: float
    support: int
    tests: tuple[PairedCounts, ...] = ()

    @property
    def drop(self) -> float:
        """How much F1 was lost, a share; negative for a gain."""
        return self.before - self.after

    @property
    def p(self) -> float:
        """How likely so many losses are, or more, if the challenger is as good.

        The smallest McNemar mid-p, times the number of tests (Bonferroni).
        """
        smallest = min((mcnemar_mid_p(t.losses, t.wins) for t in self.tests), default=1.0)
        return min(1.0, len(self.tests) * smallest)


@dataclass(frozen=True, slots=True)
class Words:
    """The name of the rule, and what its slices and their support are called."""

    rule: str
    slices: str
    support: str


@dataclass(frozen=True, slots=True)
class SliceRule:
    """No slice with at least `minimum_support` loses more than `margin` F1 and more than by chance.

    Chance is judged for all slices together: Holm's correction at `alpha`.
    """

    margin: float = 0.10
    minimum_support: int = 10
    alpha: float = 0.05

    def __post_init__(self) -> None:
        require_share("margin", self.margin)
        require_alpha("alpha", self.alpha)
        if self.minimum_support < 1:
            raise ValueError(f"minimum_support must be at least 1, not {self.minimum_support}")

    def judge(self, words: Words, slices: Sequence[Slice]) -> Check:
        """REJECT when a slice is worse, HOLD when that cannot be known; small ones are listed.

        Where there are so many slices that not even the loss of everything stands out, a slice
        of which nothing is right any more is held.
        """
        judged = [s for s in slices if s.support >= self.minimum_support]
        small = self._small(words, slices)
        if unmeasured := [s.name for s in judged if not math.isfinite(s.drop)]:
            return self._not_measured(words, unmeasured, len(judged))
        if not judged:
            return self._without(
                words.rule,
                None,
                f"0 of {len(slices)} {words.slices} have the {self.minimum_support} "
                f"{words.support} needed to judge a loss of more than {self._margin}",
                small,
            )
        adjusted = holm([s.p for s in judged])
        tested = sorted(zip(judged, adjusted, strict=True), key=lambda t: (-t[0].drop, t[0].name))
        dropped = [(s, p) for s, p in tested if s.drop > self.margin + ROUNDING]
        worse = [s for s, p in dropped if p < self.alpha]
        gone = [s for s, p in dropped if p >= self.alpha and s.p < self.alpha and not s.after]
        worst = (worse or gone or [tested[0][0]])[0]
        return Check(
            words.rule,
            Outcome.REJECT if worse else Outcome.HOLD if gone else Outcome.PROMOTE,
            f"{len(worse)} of {len(judged)} {words.slices} with at least {self.minimum_support} "
            f"{words.support} lost more than {self._margin} of F1 and more than chance explains "
            f"(alpha {self.alpha:g} for all together)"
            f"{'' if worse else _also(gone)}; {_most(worst)}",
            observed=max(worst.drop, 0.0),
            limit=self.margin,
            details=(
                *(self._told(*each, words) for each in dropped),
                *small,
                *self._powerless(words, judged),
            ),
        )

    def without_champion(self, words: Words) -> Check:
        """Does not apply: there is nothing to lose."""
        return self._without(
            words.rule,
            None,
            f"no champion to compare {words.slices} with, "
            f"a loss of at most {self._margin} applies from the second model on",
        )

    def not_kept(self, words: Words) -> Check:
        """HOLD: both models were measured, and not what this rule needs."""
        return self._without(
            words.rule,
            Outcome.HOLD,
            f"the two models were not compared on any of the {words.slices}, "
            f"so a loss of more than {self._margin} cannot be ruled out",
        )

    @property
    def _margin(self) -> str:
        return f"{self.margin * 100:.2f} points"

    def _without(
        self, rule: str, outcome: Outcome | None, sentence: str, details: tuple[str, ...] = ()
    ) -> Check:
        return Check(rule, outcome, sentence, limit=self.margin, details=details)

    def _not_measured(self, words: Words, names: Sequence[str], judged: int) -> Check:
        return self._without(
            words.rule,
            Outcome.HOLD,
            f"F1 was not measured for {len(names)} of {judged} {words.slices}, "
            f"so a loss of more than {self._margin} cannot be ruled out",
            tuple(sorted(names)),
        )

    def _told(self, dropped: Slice, p: float, words: Words) -> str:
        chance = "" if p < self.alpha else ", which chance explains"
        return (
            f"{dropped.name}: F1 {dropped.before:.4f} -> {dropped.after:.4f} "
            f"({points(-dropped.drop)}) on {dropped.support} {words.support}, p = {p:.4f}{chance}"
        )

    def _small(self, words: Words, slices: Sequence[Slice]) -> tuple[str, ...]:
        """What is not judged."""
        small = [s for s in slices if s.support < self.minimum_support]
        why = f"not judged, with fewer than {self.minimum_support} {words.support}"
        return _listed(why, small)

    def _powerless(self, words: Words, judged: Sequence[Slice]) -> tuple[str, ...]:
        """Among so many slices, which are too small for even a total loss to be found."""
        # The mid-p of n losses without a win is 2^-(n + 1).
        tests = sum(max(len(s.tests), 1) for s in judged)
        needed = math.floor(math.log2(tests / self.alpha))
        why = (
            f"among {len(judged)} {words.slices} chance explains even a total loss "
            f"with fewer than {needed} {words.support}"
        )
        return _listed(why, [s for s in judged if s.support < needed])


def _also(gone: Sequence[Slice]) -> str:
    if not gone:
        return ""
    names = ", ".join(s.name for s in gone)
    return f", but nothing of {names} is right any more, which so few can neither prove nor excuse"


def _most(worst: Slice) -> str:
    if worst.drop <= 0:
        return "none lost any (0.00 points)"
    return f"{worst.name} lost {worst.drop * 100:.2f} points"


def _listed(why: str, slices: Sequence[Slice]) -> tuple[str, ...]:
    return (f"{why}: " + ", ".join(f"{s.name} ({s.support})" for s in slices),) if slices else ()
