"""New intents must not hide a loss on those that the champion knows."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import Answers, PairedAnswers, PairedCounts
from retrainer.domain.rules.gains import Asked, Comparison, told
from retrainer.domain.rules.limits import ROUNDING, require_alpha, require_share
from retrainer.domain.statistics import mcnemar_mid_p
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class KnownIntents:
    """On the intents that both models know, accuracy loses no more than `margin`, chance aside.

    The champion is wrong on every utterance of an intent that is new since it was trained. Where
    it is not recorded what it was trained on, the intents that it answers to the test utterances
    count as known. That leaves out no loss: there is none on an intent that it never answers.
    """

    margin: float = 0.0
    alpha: float = 0.05
    answers: Answers = "served"

    def __post_init__(self) -> None:
        Comparison(answers=self.answers)
        require_share("margin", self.margin)
        require_alpha("alpha", self.alpha)

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT when it is worse there by more than the margin and more than chance explains."""
        words = f"a loss of at most {self.margin * 100:.2f} points on known intents"
        asked = Asked("known_intents", words, self.margin)
        paired = asked.compared(evaluation, self.answers)
        if isinstance(paired, Check):
            return paired
        known = known_answers(evaluation, paired)
        if not len(known):
            return asked.check(
                Outcome.HOLD,
                f"0 of {len(paired)} utterances are of intents that both models know, {words} "
                "needs some",
            )
        return self._judged(known.totals, _known_words(evaluation, known, paired))

    def judge(self, counts: PairedCounts) -> Check:
        """The same by the wins and losses on known intents, on at least one item."""
        return self._judged(counts, "on the intents that both models know")

    def _judged(self, counts: PairedCounts, where: str) -> Check:
        p = mcnemar_mid_p(counts.losses, counts.wins)
        much, sure = -counts.gain > self.margin + ROUNDING, p < self.alpha
        return Check(
            "known_intents",
            Outcome.REJECT if much and sure else Outcome.PROMOTE,
            f"{where} {told(counts)}: {'more' if much else 'not more'} than the "
            f"{self.margin * 100:.2f} points of loss allowed, {'and' if much == sure else 'but'} "
            f"{'more' if sure else 'not more'} than chance explains (p = {p:.4f}, alpha "
            f"{self.alpha:g})",
            observed=counts.gain,
            limit=self.margin,
        )


def known_answers(evaluation: Evaluation, paired: PairedAnswers) -> PairedAnswers:
    """Those to utterances of intents that both models know, as far as that can be told."""
    known = evaluation.known_to_both
    if known is None:
        known = frozenset(
            before
            for answers in (paired, evaluation.classified)
            if answers is not None
            for _, before, _ in answers.triples()
        )
    return paired.among(known)


def _known_words(evaluation: Evaluation, known: PairedAnswers, paired: PairedAnswers) -> str:
    recorded = evaluation.known_to_both is not None
    intents, of = len(known.by_intent()), len(paired.by_intent())
    which = (
        "that both models know"
        if recorded
        else "that the champion answers (its own are not recorded)"
    )
    return f"on the {intents} of {of} intents {which}"
