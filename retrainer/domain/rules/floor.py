"""A metric of the challenger must reach a minimum, whoever the champion is."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.limits import (
    ROUNDING,
    require_higher_is_better,
    require_metric,
    require_share,
)
from retrainer.domain.verdict import Check, Outcome, metric


@dataclass(frozen=True, slots=True)
class Floor:
    """`metric` of the challenger is at least `minimum` (0 to 1)."""

    metric: str
    minimum: float

    def __post_init__(self) -> None:
        require_metric(self.metric)
        require_higher_is_better(self.metric)
        require_share("minimum", self.minimum)

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT below the floor; HOLD when the metric could not be measured."""
        value = metric(evaluation.challenger, self.metric)
        if value is None:
            return Check(
                "floor",
                Outcome.HOLD,
                f"{self.metric} of the challenger was not measured on "
                f"{evaluation.challenger.examples} examples, at least {self.minimum:.4f} is needed",
                limit=self.minimum,
            )
        passed = value >= self.minimum - ROUNDING
        return Check(
            "floor",
            Outcome.PROMOTE if passed else Outcome.REJECT,
            f"{self.metric} of the challenger is {value:.4f}, "
            f"{'at least' if passed else 'below the floor of'} {self.minimum:.4f}",
            observed=value,
            limit=self.minimum,
        )
