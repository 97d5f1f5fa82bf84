"""No intent may get much worse, however good the average."""

import math
from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.limits import ROUNDING, points, require_share
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class IntentDrop:
    """No intent with at least `minimum_support` test examples loses more than `maximum` F1."""

    maximum: float = 0.10
    minimum_support: int = 10

    def __post_init__(self) -> None:
        require_share("maximum", self.maximum)
        if self.minimum_support < 1:
            raise ValueError(f"minimum_support must be at least 1, not {self.minimum_support}")

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT when an intent drops too far; intents with too few examples are not judged."""
        allowed = f"{self.maximum * 100:.2f} points"
        if evaluation.champion is None:
            return Check(
                "intent_drop",
                None,
                "no champion to compare intents with, "
                f"a drop of at most {allowed} applies from the second model on",
                limit=self.maximum,
            )
        before, after = evaluation.champion.intents, evaluation.challenger.intents
        judged = {i: f for i, f in before.items() if f.support >= self.minimum_support}
        drops = {i: f.f1 - after[i].f1 if i in after else math.nan for i, f in judged.items()}
        if unmeasured := sorted(i for i, drop in drops.items() if not math.isfinite(drop)):
            return Check(
                "intent_drop",
                Outcome.HOLD,
                f"F1 was not measured for {len(unmeasured)} of {len(drops)} intents, "
                f"so a drop of more than {allowed} cannot be ruled out",
                limit=self.maximum,
                details=tuple(unmeasured),
            )
        if not drops:
            return Check(
                "intent_drop",
                None,
                f"0 of {len(before)} intents have the {self.minimum_support} test examples needed "
                f"to judge a drop of more than {allowed}",
                limit=self.maximum,
            )
        worst_first = sorted(drops, key=lambda intent: (-drops[intent], intent))
        worst = worst_first[0]
        dropped = [i for i in worst_first if drops[i] > self.maximum + ROUNDING]
        details = tuple(
            f"{intent}: F1 {before[intent].f1:.4f} -> {after[intent].f1:.4f} "
            f"({points(-drops[intent])}) on {before[intent].support} examples"
            for intent in dropped
        )
        return Check(
            "intent_drop",
            Outcome.REJECT if dropped else Outcome.PROMOTE,
            f"{len(dropped)} of {len(drops)} intents with at least {self.minimum_support} "
            f"examples lost more than {allowed} of F1; "
            f"{worst} lost the most with {drops[worst] * 100:.2f} points",
            observed=drops[worst],
            limit=self.maximum,
            details=details,
        )
