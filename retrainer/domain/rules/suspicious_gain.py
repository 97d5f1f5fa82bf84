"""A jump is more often a leak than a better model."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import Answers, PairedCounts
from retrainer.domain.rules.gains import Asked, ComparedMetric, Comparison, CountedGain, Gain
from retrainer.domain.rules.known_intents import known_answers
from retrainer.domain.rules.limits import ROUNDING, points, require_alpha, require_share
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class SuspiciousGain:
    """`metric` gains no more than `maximum` (a share), chance aside: else a person looks first.

    Usually such a challenger has seen the test, or the champion's answers were not its own. Only
    intents that both models know count, since new ones are a gain that needs no explanation; and
    only a gain that chance does not explain at `alpha`, since a jump on few utterances is noise.
    """

    maximum: float = 0.10
    metric: ComparedMetric = "accuracy"
    alpha: float = 0.05
    answers: Answers = "served"

    def __post_init__(self) -> None:
        Comparison(self.metric, self.answers)
        require_share("maximum", self.maximum)
        require_alpha("alpha", self.alpha)

    def assess(self, evaluation: Evaluation) -> Check:
        """HOLD a jump; it never justifies a promotion."""
        asked = self._asked
        paired = asked.compared(evaluation, self.answers)
        if isinstance(paired, Check):
            return paired
        known = known_answers(evaluation, paired)
        if not len(known):
            return asked.check(
                None,
                f"0 of {len(paired)} utterances are of intents that both models know, so "
                f"{asked.words} cannot be told from new intents",
            )
        return self._judged(Comparison(self.metric, self.answers).gain(known))

    def judge(self, counts: PairedCounts) -> Check:
        """The same by wins and losses alone, on at least one item; an F1 as if it were accuracy."""
        return self._judged(CountedGain(counts))

    @property
    def _asked(self) -> Asked:
        words = f"a gain of at most {points(self.maximum)}"
        return Asked("suspicious_gain", words, self.maximum, guard=True)

    def _judged(self, gain: Gain) -> Check:
        much = gain.observed > self.maximum + ROUNDING
        suspicious = much and gain.better(self.alpha)
        if suspicious:
            why = f"more than {points(self.maximum)} and than chance explains: usually a leak"
        elif much:
            why = f"more than {points(self.maximum)}, which chance explains at alpha {self.alpha:g}"
        else:
            why = f"not more than the {points(self.maximum)} from which on it is suspicious"
        return self._asked.check(
            Outcome.HOLD if suspicious else Outcome.PROMOTE,
            f"on the intents that both models know, {gain.told}: {why}",
            gain.observed,
        )
