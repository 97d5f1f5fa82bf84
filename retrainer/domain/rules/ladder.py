"""The challenger must be better by more than the error of the comparison."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import Answers, PairedCounts
from retrainer.domain.rules.gains import Asked, Comparison, told
from retrainer.domain.rules.limits import ROUNDING, points, require_count
from retrainer.domain.statistics import standard_error
from retrainer.domain.verdict import Check, Outcome

#: Nothing that people call evidence takes more.
_MOST_ERRORS = 10


@dataclass(frozen=True, slots=True)
class Ladder:
    """Accuracy gains more than so many standard `errors` of the paired difference.

    The rule that keeps a test set useful which is asked again and again (the parameter-free Ladder
    of Blum and Hardt 2015). On fewer utterances than `minimum_items` a person decides.
    """

    errors: float = 1.0
    answers: Answers = "served"
    minimum_items: int = 0

    def __post_init__(self) -> None:
        Comparison(answers=self.answers)
        if not 0 <= self.errors <= _MOST_ERRORS:
            raise ValueError(f"errors must lie between 0 and {_MOST_ERRORS}, not {self.errors}")
        require_count("minimum_items", self.minimum_items)

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT without the gain, HOLD on too few utterances."""
        words = f"a gain of more than {self._errors}"
        paired = Asked("ladder", words, self.errors).compared(evaluation, self.answers)
        return paired if isinstance(paired, Check) else self.judge(paired.totals)

    def judge(self, counts: PairedCounts) -> Check:
        """The same by wins and losses alone, on at least one item.

        `observed` of the check is the gain, `limit` what it has to exceed; both are shares.
        """
        error = standard_error(counts.wins, counts.losses, counts.items)
        limit = self.errors * error
        passed = counts.gain > limit + ROUNDING
        outcome = Outcome.PROMOTE if passed else Outcome.REJECT
        few = ""
        if counts.items < self.minimum_items:
            outcome, few = (
                Outcome.HOLD,
                f"; fewer than the {self.minimum_items} utterances asked for",
            )
        return Check(
            "ladder",
            outcome,
            f"{told(counts)}, {'' if passed else 'not '}more than {self._errors} "
            f"({points(limit)}){few}",
            observed=counts.gain,
            limit=limit,
        )

    @property
    def _errors(self) -> str:
        return f"{self.errors:g} standard error{'' if self.errors == 1 else 's'}"
