"""What users notice first: utterances that were understood and are not any more."""

from collections.abc import Sequence
from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation, Flip
from retrainer.domain.paired import Answers, PairedCounts
from retrainer.domain.rules.gains import Asked, Comparison
from retrainer.domain.rules.limits import ROUNDING, require_share
from retrainer.domain.verdict import Check, Outcome

_LISTED = 10


@dataclass(frozen=True, slots=True)
class NegativeFlips:
    """At most `maximum` (a share) of the utterances were right before and are wrong now.

    Whatever else has got right: Xie et al. 2021. Not a test, so without an alpha: each flip is
    listed and can be looked at. Of two models trained twice on the same data, 2 to 3 of 100
    utterances flip.
    """

    maximum: float = 0.05
    answers: Answers = "served"

    def __post_init__(self) -> None:
        Comparison(answers=self.answers)
        require_share("maximum", self.maximum)

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT above the maximum; the details list the flips, as users get the answers."""
        words = f"at most {_percent(self.maximum)} of utterances that turn wrong"
        asked = Asked("negative_flips", words, self.maximum)
        paired = asked.compared(evaluation, self.answers)
        if isinstance(paired, Check):
            return paired
        return self._judged(paired.totals, regressions(evaluation.flips))

    def judge(self, counts: PairedCounts) -> Check:
        """The same by losses alone, on at least one item."""
        return self._judged(counts, ())

    def _judged(self, counts: PairedCounts, details: tuple[str, ...]) -> Check:
        rate = counts.losses / counts.items
        passed = rate <= self.maximum + ROUNDING
        return Check(
            "negative_flips",
            Outcome.PROMOTE if passed else Outcome.REJECT,
            f"{counts.losses} of {counts.items} utterances ({_percent(rate)}) were right before and "
            f"are wrong now, {'within' if passed else 'more than'} the {_percent(self.maximum)} "
            "allowed",
            observed=rate,
            limit=self.maximum,
            details=details,
        )


def regressions(flips: Sequence[Flip]) -> tuple[str, ...]:
    """What turned wrong, a line each; those that are too many are counted in the last one."""
    found = [flip for flip in flips if flip.regression]
    listed = tuple(map(_line, found[:_LISTED]))
    more = len(found) - len(listed)
    return (*listed, f"and {more} more") if more else listed


def _percent(share: float) -> str:
    return f"{share * 100:.2f} %"


def _line(flip: Flip) -> str:
    return f"{flip.text!r} ({flip.intent}): now {flip.challenger or 'no answer'}"
