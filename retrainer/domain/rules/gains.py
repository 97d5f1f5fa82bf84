"""What rules share that compare two models: a gain, and what chance makes of it."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, Protocol, get_args

from retrainer.domain.differences import Difference, Method
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import Answers, PairedAnswers, PairedCounts
from retrainer.domain.rules.limits import points, require_known
from retrainer.domain.statistics import (
    gain_lower_bound,
    items_needed,
    mcnemar_mid_p,
    score,
    sign_test,
)
from retrainer.domain.verdict import Check, Outcome

#: What two models can be compared by with a test of the difference.
ComparedMetric = Literal["accuracy", "f1_weighted", "f1_macro", "f1_micro"]
#: McNemar's: as often wrong as alpha says, or never more often.
Test = Literal["mid_p", "exact"]

_TESTS = {"mid_p": mcnemar_mid_p, "exact": sign_test}

#: Resampling fewer utterances than this says next to nothing (Davison and Hinkley 1997, section 2.3).
FEWEST = 30


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a gain, in words that hold the value and its limit."""

    words: str
    observed: float
    limit: float


class Gain(Protocol):
    """How much better the challenger is in one figure, a share; every alpha is one-sided."""

    @property
    def observed(self) -> float:
        """On the utterances themselves."""
        ...

    @property
    def items(self) -> int:
        """How many utterances."""
        ...

    @property
    def told(self) -> str:
        """The figure and the gain in words."""
        ...

    def evidence(self, alpha: float) -> Evidence:
        """Whether there is a gain at all, in words."""
        ...

    def better(self, alpha: float) -> bool:
        """Whether chance does not explain the gain."""
        ...

    def worse(self, alpha: float) -> bool:
        """Whether chance does not explain the loss."""
        ...

    def below(self, limit: float, alpha: float) -> bool:
        """Whether a true gain of `limit` is ruled out; it lies between 0 and 1."""
        ...

    def lower_bound(self, alpha: float) -> float:
        """What the true gain is above."""
        ...

    def items_needed(self, gain: float, alpha: float) -> int:
        """On how many utterances such a true gain is told from none, either way."""
        ...


@dataclass(frozen=True, slots=True)
class CountedGain:
    """That in accuracy, by wins and losses: exact tests against 0, score tests against others.

    More wins or fewer losses never make the gain look worse, in any of the answers.
    """

    counts: PairedCounts
    test: Test = "mid_p"

    @property
    def observed(self) -> float:
        """Difference of the accuracies."""
        return self.counts.gain

    @property
    def items(self) -> int:
        """How many utterances."""
        return self.counts.items

    @property
    def told(self) -> str:
        """Wins, losses and the difference."""
        return told(self.counts)

    def evidence(self, alpha: float) -> Evidence:
        """The p-value of McNemar's test."""
        p = _TESTS[self.test](self.counts.wins, self.counts.losses)
        side = "below" if p < alpha else "not below"
        return Evidence(f"p = {p:.4f}, {side} alpha {alpha:g}", p, alpha)

    def better(self, alpha: float) -> bool:
        """McNemar's test."""
        return _TESTS[self.test](self.counts.wins, self.counts.losses) < alpha

    def worse(self, alpha: float) -> bool:
        """McNemar's test, the other way round."""
        return _TESTS[self.test](self.counts.losses, self.counts.wins) < alpha

    def below(self, limit: float, alpha: float) -> bool:
        """Tango's score test."""
        away = score(self.counts.wins, self.counts.losses, self.items, limit)
        return away < NormalDist().inv_cdf(alpha)

    def lower_bound(self, alpha: float) -> float:
        """Tango's score bound."""
        return gain_lower_bound(self.counts.wins, self.counts.losses, self.items, alpha)

    def items_needed(self, gain: float, alpha: float) -> int:
        """At the discordance that goes with the losses seen and such a gain."""
        # Not with the wins seen, or a challenger with one more win might need more to be believed.
        # With few losses their share is known badly: Agresti and Coull's correction.
        expected = 2 * self.counts.losses + gain * self.items
        discordance = min(max((expected + 2) / (self.items + 4), gain), 1.0)
        return items_needed(discordance, gain, alpha, power=1 - alpha)


@dataclass(frozen=True, slots=True)
class ResampledGain:
    """That in any figure, by the paired bootstrap.

    An interval of a bootstrap is too narrow where few utterances differ, and a point where none
    does. So a bound is never closer to the gain than it would be to 0 if none of so many utterances
    differed; nor to 0 where all differences on one side would still be chance. Fewer than `FEWEST`
    utterances bound nothing.
    """

    metric: str
    difference: Difference
    counts: PairedCounts
    method: Method = "bca"

    @property
    def observed(self) -> float:
        """Difference of the figures."""
        return self.difference.observed

    @property
    def items(self) -> int:
        """How many utterances."""
        return self.counts.items

    @property
    def told(self) -> str:
        """Both figures, the difference and its interval."""
        interval = self.difference.interval(method=self.method)
        return (
            f"{self.metric} went from {self.difference.champion:.4f} to "
            f"{self.difference.challenger:.4f} on {self.items} utterances ({points(self.observed)}, "
            f"95 % interval {interval.low * 100:+.2f} to {points(interval.high)})"
        )

    def evidence(self, alpha: float) -> Evidence:
        """The one-sided lower bound."""
        bound = self.lower_bound(alpha)
        side = "above" if self.better(alpha) else "not above"
        words = f"at alpha {alpha:g} the true gain is at least {points(bound)}, {side} {points(0)}"
        return Evidence(words, bound, 0.0)

    def better(self, alpha: float) -> bool:
        """The lower bound is above 0."""
        return self.lower_bound(alpha) > 0

    def worse(self, alpha: float) -> bool:
        """The upper bound is below 0."""
        return self._upper_bound(alpha) < 0

    def below(self, limit: float, alpha: float) -> bool:
        """The upper bound is below the limit."""
        return self._upper_bound(alpha) < limit

    def lower_bound(self, alpha: float) -> float:
        """Of the interval, as far as so few differences allow."""
        if self.items < FEWEST:
            return -1.0
        bound = self.difference.lower_bound(1 - alpha, self.method)
        bound = min(bound, self.observed - self._unseen(alpha))
        return max(min(bound, -self._unseen(alpha)) if self._chance_alone(alpha) else bound, -1.0)

    def items_needed(self, gain: float, alpha: float) -> int:
        """By the standard error, which falls with the root of their number."""
        enough = 2 * NormalDist().inv_cdf(1 - alpha)
        needed = math.ceil(self.items * (enough * self.difference.standard_error / gain) ** 2)
        return max(needed, FEWEST)

    def _upper_bound(self, alpha: float) -> float:
        if self.items < FEWEST:
            return 1.0
        bound = self.difference.upper_bound(1 - alpha, self.method)
        bound = max(bound, self.observed + self._unseen(alpha))
        return min(max(bound, self._unseen(alpha)) if self._chance_alone(alpha) else bound, 1.0)

    def _unseen(self, alpha: float) -> float:
        """The true difference up to which so many utterances may all be answered the same."""
        square = NormalDist().inv_cdf(1 - alpha) ** 2
        return square / (self.items + square)  # the score bound of 0 wins and 0 losses

    def _chance_alone(self, alpha: float) -> bool:
        return mcnemar_mid_p(self.counts.wins + self.counts.losses, 0) >= alpha


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared and how.

    Raises:
        ValueError: a word is not known.
    """

    metric: ComparedMetric = "accuracy"
    answers: Answers = "served"
    test: Test = "mid_p"
    method: Method = "bca"

    def __post_init__(self) -> None:
        require_known("metric", self.metric, get_args(ComparedMetric))
        require_known("answers", self.answers, get_args(Answers))
        require_known("test", self.test, get_args(Test))
        require_known("method", self.method, get_args(Method))

    def gain(self, paired: PairedAnswers) -> Gain:
        """Of at least one utterance."""
        if self.metric == "accuracy":
            return CountedGain(paired.totals, self.test)
        from retrainer.domain.resampling import shared_bootstrap  # noqa: PLC0415 - needs numpy

        difference = shared_bootstrap(paired).averages[self.metric]
        return ResampledGain(self.metric, difference, paired.totals, self.method)


def told(counts: PairedCounts) -> str:
    """Wins, losses and the difference of the accuracies in words."""
    return (
        f"the challenger alone is right on {counts.wins} of {counts.items} utterances, the "
        f"champion alone on {counts.losses} ({points(counts.gain)})"
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """The name of a rule, what it asks for in words that hold the limit, and the limit."""

    rule: str
    words: str
    limit: float
    guard: bool = False

    def compared(self, evaluation: Evaluation, answers: Answers) -> PairedAnswers | Check:
        """The answers to compare; else why there are none: no champion yet, or no utterances."""
        if evaluation.champion is None:
            sentence = f"no champion to compare with, {self.words} applies from the second model on"
            return self.check(None, sentence)
        paired = evaluation.paired(answers)
        if paired is None or not len(paired):
            why = " (not all answers are recorded)" if evaluation.challenger.examples else ""
            sentence = f"0 utterances to compare on{why}, {self.words} needs some"
            return self.check(Outcome.HOLD, sentence)
        return paired

    def check(
        self,
        outcome: Outcome | None,
        sentence: str,
        observed: float | None = None,
        *,
        details: tuple[str, ...] = (),
    ) -> Check:
        """A check of the rule, with its limit."""
        return Check(
            self.rule,
            outcome,
            sentence,
            observed=observed,
            limit=self.limit,
            details=details,
            guard=self.guard,
        )
