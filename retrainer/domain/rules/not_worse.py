"""What rules about one figure share: a floor, and not much worse than the champion's."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedCounts
from retrainer.domain.rules.floor import Floor
from retrainer.domain.rules.limits import ROUNDING, points, require_alpha, require_share
from retrainer.domain.statistics import mcnemar_mid_p
from retrainer.domain.verdict import Check, Outcome, metric


@dataclass(frozen=True, slots=True)
class NotWorse:
    """The figure is at least `minimum` (None: no floor).

    And it does not lose more than `margin` and more than chance explains at `alpha`.
    """

    minimum: float | None = None
    margin: float = 0.02
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if self.minimum is not None:
            require_share("minimum", self.minimum)
        require_share("margin", self.margin)
        require_alpha("alpha", self.alpha)

    def judge(
        self, rule: str, name: str, evaluation: Evaluation, counts: PairedCounts | None
    ) -> Check:
        """The worse of what floor and comparison say; the other is a detail.

        `name` is the metric, `counts` are the utterances that it is about.
        """
        compared = self._compared(rule, name, evaluation, counts)
        if self.minimum is None:
            return compared
        floor = Floor(name, self.minimum).assess(evaluation)
        worst, other = sorted((floor, compared), key=_severity, reverse=True)
        return Check(
            rule,
            worst.outcome,
            worst.sentence,
            observed=worst.observed,
            limit=worst.limit,
            details=(other.sentence,),
        )

    def _compared(
        self, rule: str, name: str, evaluation: Evaluation, counts: PairedCounts | None
    ) -> Check:
        allowed = f"a loss of more than {self.margin * 100:.2f} points"
        reports = [r for r in (evaluation.champion, evaluation.challenger) if r is not None]
        if not any(name in report.metrics for report in reports):
            sentence = f"nothing to measure {name} on, {allowed} is what would be refused"
            return Check(rule, None, sentence, limit=self.margin)
        if evaluation.champion is None:
            sentence = f"no champion to compare {name} with, {allowed} is refused from then on"
            return Check(rule, None, sentence, limit=self.margin)
        before = metric(evaluation.champion, name)
        after = metric(evaluation.challenger, name)
        if before is None or after is None or counts is None:
            sentence = f"{name} of both models was not measured, so {allowed} cannot be ruled out"
            return Check(rule, Outcome.HOLD, sentence, limit=self.margin)
        return self._tested(rule, name, before, after, counts)

    def _tested(
        self, rule: str, name: str, before: float, after: float, counts: PairedCounts
    ) -> Check:
        gain, p = after - before, mcnemar_mid_p(counts.losses, counts.wins)
        much, sure = -gain > self.margin + ROUNDING, p < self.alpha
        limits = (
            f"{'more' if much else 'not more'} than the {self.margin * 100:.2f} points of loss "
            f"allowed, {'and' if much == sure else 'but'} {'more' if sure else 'not more'} than "
            f"chance explains (p = {p:.3f}, alpha {self.alpha:g})"
        )
        return Check(
            rule,
            Outcome.REJECT if much and sure else Outcome.PROMOTE,
            f"{name} went from {before:.4f} to {after:.4f} ({points(gain)}); the champion alone is "
            f"right on {counts.losses} of {counts.items} utterances, the challenger alone on "
            f"{counts.wins}: {limits}",
            observed=gain,
            limit=self.margin,
        )


def _severity(check: Check) -> int:
    return -1 if check.outcome is None else check.outcome.severity
