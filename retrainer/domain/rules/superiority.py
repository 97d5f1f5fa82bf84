"""The challenger must be better than chance explains."""

from dataclasses import dataclass

from retrainer.domain.differences import Method
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import Answers, PairedCounts
from retrainer.domain.rules.gains import (
    Asked,
    ComparedMetric,
    Comparison,
    CountedGain,
    Gain,
    Test,
)
from retrainer.domain.rules.limits import (
    ROUNDING,
    points,
    require_alpha,
    require_count,
    require_share,
)
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class Superiority:
    """The challenger is better by more than chance explains at `alpha`, and by `min_gain`.

    Of accuracy by a paired test (McNemar) on the utterances that only one of the models gets right,
    `test` "mid_p" or "exact". Of an F1 by the lower bound of a paired bootstrap, `method` "bca" or
    "percentile".

    What is not better is rejected where a true gain of `detect`, on top of `min_gain`, is ruled out
    at `alpha` too, or where it is worse by more than chance explains. What lies between is held,
    with the number of utterances that would settle it, and so is all that is not better on fewer
    than `minimum_items`. Where such a gain could not be told from none, and on fewer than
    `minimum_items`, only a gain at `alpha_if_few` promotes (None: `alpha`).
    """

    alpha: float = 0.05
    min_gain: float = 0.0
    detect: float = 0.02
    answers: Answers = "served"
    minimum_items: int = 0
    alpha_if_few: float | None = None
    metric: ComparedMetric = "accuracy"
    test: Test = "mid_p"
    method: Method = "bca"

    def __post_init__(self) -> None:
        Comparison(self.metric, self.answers, self.test, self.method)
        require_alpha("alpha", self.alpha)
        require_share("min_gain", self.min_gain)
        if not 0 < self.detect <= 1:
            raise ValueError(f"detect must lie above 0 and not above 1, not {self.detect}")
        if not self._worth < 1:
            raise ValueError(f"min_gain and detect together must be below 1, not {self._worth:g}")
        require_count("minimum_items", self.minimum_items)
        if self.alpha_if_few is not None:
            require_alpha("alpha_if_few", self.alpha_if_few)
            if self.alpha_if_few > self.alpha:
                raise ValueError(
                    f"alpha_if_few must not exceed alpha, {self.alpha:g}; it is "
                    f"{self.alpha_if_few:g}"
                )

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT what is not better, HOLD what so few utterances cannot tell."""
        asked = Asked("superiority", f"a test at alpha {self.alpha:g}", self.alpha)
        paired = asked.compared(evaluation, self.answers)
        if isinstance(paired, Check):
            return paired
        return self._judged(
            Comparison(self.metric, self.answers, self.test, self.method).gain(paired)
        )

    def judge(self, counts: PairedCounts) -> Check:
        """The same by wins and losses alone, on at least one item; an F1 as if it were accuracy."""
        return self._judged(CountedGain(counts, self.test))

    @property
    def _worth(self) -> float:
        """A gain that must not be missed."""
        return self.min_gain + self.detect

    @property
    def _sure(self) -> float:
        return self.alpha if self.alpha_if_few is None else self.alpha_if_few

    def _judged(self, gain: Gain) -> Check:
        needed = max(gain.items_needed(self.detect, self.alpha), self.minimum_items)
        alpha = self._sure if gain.items < needed else self.alpha
        outcome, why = self._outcome(gain, alpha, needed)
        evidence = gain.evidence(alpha)
        return Check(
            "superiority",
            outcome,
            f"{gain.told}: {evidence.words}{why}",
            observed=evidence.observed,
            limit=evidence.limit,
        )

    def _outcome(self, gain: Gain, alpha: float, needed: int) -> tuple[Outcome, str]:
        better = gain.better(alpha)
        if better and gain.observed > self.min_gain + ROUNDING:
            return Outcome.PROMOTE, ""
        if gain.worse(self._sure):
            return Outcome.REJECT, "; it is worse by more than chance explains"
        why = f", but not more than the {points(self.min_gain)} asked for" if better else ""
        enough = gain.items >= self.minimum_items
        if enough and gain.below(self._worth, self.alpha):
            return Outcome.REJECT, f"{why}; a true gain of {points(self._worth)} is ruled out"
        settled = max(needed, gain.items + 1)
        return Outcome.HOLD, (
            f"{why}; about {settled:,} utterances would tell a gain of {points(self.detect)} from "
            f"none at alpha {self.alpha:g}"
        )
