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
        if evaluation.champion is None:
            return Check(
                "intent_drop",
                None,
                "no champion to compare intents with, "
                f"a drop of at most {points(-self.maximum)} applies from the second model on",
                limit=-self.maximum,
            )
        before, after = evaluation.champion.intents, evaluation.challenger.intents
        judged = {i: f for i, f in before.items() if f.support >= self.minimum_support}
        changes = {i: after[i].f1 - f.f1 if i in after else math.nan for i, f in judged.items()}
        if unmeasured := sorted(i for i, change in changes.items() if math.isnan(change)):
            return Check(
                "intent_drop",
                Outcome.HOLD,
                f"F1 was not measured for {len(unmeasured)} of {len(changes)} intents, "
                f"so a drop of more than {points(-self.maximum)} cannot be ruled out",
                limit=-self.maximum,
                details=tuple(unmeasured),
            )
        if not changes:
            return Check(
                "intent_drop",
                None,
                f"0 of {len(before)} intents have the {self.minimum_support} test examples needed "
                f"to judge a drop of more than {points(-self.maximum)}",
                limit=-self.maximum,
            )
        worst = min(changes, key=lambda intent: (changes[intent], intent))
        dropped = sorted(
            (i for i, c in changes.items() if c < -self.maximum - ROUNDING),
            key=lambda i: (changes[i], i),
        )
        details = tuple(
            f"{intent}: F1 {before[intent].f1:.4f} -> {after[intent].f1:.4f} "
            f"({points(changes[intent])}) on {before[intent].support} examples"
            for intent in dropped
        )
        return Check(
            "intent_drop",
            Outcome.REJECT if dropped else Outcome.PROMOTE,
            f"{len(dropped)} of {len(changes)} intents with at least {self.minimum_support} "
            f"examples lost more than {points(-self.maximum)} of F1; "
            f"the largest change down is {worst} with {points(changes[worst])}",
            observed=changes[worst],
            limit=-self.maximum,
            details=details,
        )
