"""The responses that are chosen must not get worse, whatever the intents do."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.not_worse import NotWorse
from retrainer.domain.verdict import Check


@dataclass(frozen=True, slots=True)
class ResponseSelection(NotWorse):
    """`response_accuracy` (of the utterances of retrieval intents) has its floor and does not fall."""

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT below the floor or when worse; HOLD when it could not be measured."""
        return self.judge(
            "response_selection", "response_accuracy", evaluation, evaluation.responses
        )
