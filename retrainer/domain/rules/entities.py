"""The entities that are found must not get worse, whatever the intents do."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.not_worse import NotWorse
from retrainer.domain.verdict import Check


@dataclass(frozen=True, slots=True)
class Entities(NotWorse):
    """`entity_f1` (span and type both right, all types together) has its floor and does not fall."""

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT below the floor or when worse; HOLD when it could not be measured."""
        return self.judge("entities", "entity_f1", evaluation, evaluation.extractions)
