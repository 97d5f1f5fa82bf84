"""The challenger must beat the champion by what the platform itself measures, as in 2018."""

import math
from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation, Report
from retrainer.domain.rules.limits import points, require_share
from retrainer.domain.rules.simple import compared, missing
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class PlatformGain:
    """F1 by the platform's own evaluation exceeds the champion's by more than `more_than`.

    Rasa X evaluates on the examples that it stores, and its models are trained on them: this is
    the rule of the first retraining scripts, best used as an advisory one.
    """

    more_than: float = 0.0

    def __post_init__(self) -> None:
        require_share("more_than", self.more_than)

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT without the gain; HOLD when the platform did not measure both models."""
        if evaluation.champion is None:
            return Check(
                "platform_gain",
                None,
                "no champion whose evaluation by the platform could be compared, "
                f"a gain of more than {points(self.more_than)} applies from the second model on",
                limit=self.more_than,
            )
        before, after = _f1(evaluation.champion), _f1(evaluation.challenger)
        if before is None or after is None:
            return Check(
                "platform_gain",
                Outcome.HOLD,
                f"the platform gave no F1 of {' and '.join(missing(before, after))}, "
                f"a gain of more than {points(self.more_than)} is needed",
                limit=self.more_than,
            )
        what = "the platform's own F1"
        return compared("platform_gain", what, before, after, self.more_than)


def _f1(report: Report) -> float | None:
    value = report.platform.f1 if report.platform else None
    return value if value is not None and math.isfinite(value) else None
