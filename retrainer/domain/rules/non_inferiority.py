"""The challenger must not be much worse, and that must be shown."""

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
)
from retrainer.domain.rules.limits import points, require_alpha
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """A loss of `margin` (a share) is ruled out at one-sided `alpha`.

    Of accuracy by a score test (Tango 1998), of an F1 by the lower bound of a paired bootstrap,
    `method` "bca" or "percentile". Asked every night it lets a model get worse by small steps, so
    it is for changes that are wanted for other reasons.
    """

    margin: float = 0.01
    alpha: float = 0.05
    answers: Answers = "served"
    metric: ComparedMetric = "accuracy"
    method: Method = "bca"

    def __post_init__(self) -> None:
        Comparison(self.metric, self.answers, method=self.method)
        require_alpha("alpha", self.alpha)
        if not 0 < self.margin < 1:
            raise ValueError(
                f"margin must lie between 0 and 1, not {self.margin}; without one ask for superiority"
            )

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT what is worse by more than chance, HOLD where the loss cannot be ruled out."""
        asked = Asked("non_inferiority", f"a bound above {points(-self.margin)}", -self.margin)
        paired = asked.compared(evaluation, self.answers)
        if isinstance(paired, Check):
            return paired
        return self._judged(Comparison(self.metric, self.answers, method=self.method).gain(paired))

    def judge(self, counts: PairedCounts) -> Check:
        """The same by wins and losses alone, on at least one item; an F1 as if it were accuracy."""
        return self._judged(CountedGain(counts))

    def _judged(self, gain: Gain) -> Check:
        bound = gain.lower_bound(self.alpha)
        if bound > -self.margin:
            outcome, why = Outcome.PROMOTE, ""
        elif gain.worse(self.alpha):
            outcome, why = Outcome.REJECT, "; it is worse by more than chance explains"
        else:
            needed = max(gain.items_needed(self.margin, self.alpha), gain.items + 1)
            outcome = Outcome.HOLD
            why = f"; about {needed} utterances would show that of an equal model"
        side = "above" if outcome is Outcome.PROMOTE else "not above"
        return Check(
            "non_inferiority",
            outcome,
            f"{gain.told}: at alpha {self.alpha:g} the true gain is at least {points(bound)}, "
            f"{side} the {points(-self.margin)} allowed{why}",
            observed=bound,
            limit=-self.margin,
        )
