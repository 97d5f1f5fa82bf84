"""The challenger must beat the champion on a metric: the rule of the first retraining scripts."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import PairedCounts
from retrainer.domain.rules.gains import told
from retrainer.domain.rules.limits import (
    ROUNDING,
    points,
    require_higher_is_better,
    require_metric,
    require_share,
)
from retrainer.domain.verdict import Check, Outcome, metric


@dataclass(frozen=True, slots=True)
class Simple:
    """`metric` of the challenger exceeds the champion's by more than `more_than` (a share, 0 to 1)."""

    metric: str
    more_than: float = 0.0

    def __post_init__(self) -> None:
        require_metric(self.metric)
        require_higher_is_better(self.metric)
        require_share("more_than", self.more_than)

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT without the gain; HOLD when it could not be measured."""
        if evaluation.champion is None:
            return Check(
                "simple",
                None,
                f"no champion to compare {self.metric} with, "
                f"a gain of more than {points(self.more_than)} applies from the second model on",
                limit=self.more_than,
            )
        after = metric(evaluation.challenger, self.metric)
        before = metric(evaluation.champion, self.metric)
        if after is None or before is None:
            return Check(
                "simple",
                Outcome.HOLD,
                f"{self.metric} was not measured on {evaluation.challenger.examples} examples for "
                f"{' and '.join(missing(before, after))}, "
                f"a gain of more than {points(self.more_than)} is needed",
                limit=self.more_than,
            )
        return compared("simple", self.metric, before, after, self.more_than)

    def judge(self, counts: PairedCounts) -> Check:
        """By wins and losses alone, on at least one item; any metric as if it were accuracy."""
        passed = counts.gain > self.more_than + ROUNDING
        return Check(
            "simple",
            Outcome.PROMOTE if passed else Outcome.REJECT,
            f"{told(counts)}, {'' if passed else 'not '}more than the {points(self.more_than)} "
            "asked for",
            observed=counts.gain,
            limit=self.more_than,
        )


def compared(rule: str, what: str, before: float, after: float, more_than: float) -> Check:
    """REJECT unless `what` went up by more than `more_than`, rounding aside; all are shares."""
    gain = after - before
    passed = gain > more_than + ROUNDING
    return Check(
        rule,
        Outcome.PROMOTE if passed else Outcome.REJECT,
        f"{what} went from {before:.4f} to {after:.4f} ({points(gain)}), "
        f"{'' if passed else 'not '}more than the {points(more_than)} asked for",
        observed=gain,
        limit=more_than,
    )


def missing(before: float | None, after: float | None) -> list[str]:
    """Whose figure there is none of."""
    named = {"the champion": before, "the challenger": after}
    return [name for name, value in named.items() if value is None]
