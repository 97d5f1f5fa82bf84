"""The challenger must be better than chance explains."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import Answers, PairedCounts
from retrainer.domain.rules.limits import points, require_alpha, require_share
from retrainer.domain.statistics import POWER, items_needed, mcnemar_mid_p
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class Superiority:
    """More utterances are right, by more than chance explains at `alpha`, and by `min_gain`.

    A paired test (McNemar mid-p) on the utterances that only one of the models gets right. Where
    it finds nothing, the challenger is rejected if a true gain of `detect` would have been found
    in most cases, and held, with the number of utterances that would settle it, if not. On so few
    utterances, and always on fewer than `minimum_items`, only a gain at `alpha_if_few` promotes
    (None: `alpha`).
    """

    alpha: float = 0.05
    min_gain: float = 0.0
    detect: float = 0.02
    answers: Answers = "served"
    minimum_items: int = 0
    alpha_if_few: float | None = None

    def __post_init__(self) -> None:
        require_alpha("alpha", self.alpha)
        require_share("min_gain", self.min_gain)
        if not 0 < self.detect <= 1:
            raise ValueError(f"detect must lie above 0 and not above 1, not {self.detect}")
        if self.minimum_items < 0:
            raise ValueError(f"minimum_items must not be negative, it is {self.minimum_items}")
        if self.alpha_if_few is not None:
            require_alpha("alpha_if_few", self.alpha_if_few)

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT what is not better, HOLD what so few utterances cannot tell."""
        if evaluation.champion is None:
            return Check(
                "superiority",
                None,
                "no champion to compare with, "
                f"a test at alpha {self.alpha:g} applies from the second model on",
                limit=self.alpha,
            )
        paired = evaluation.paired(self.answers)
        counts = paired.totals if paired is not None else PairedCounts(0, 0, 0)
        if not counts.items:
            return Check(
                "superiority",
                Outcome.HOLD,
                f"0 utterances to compare on, a test at alpha {self.alpha:g} needs some",
                limit=self.alpha,
            )
        return self.judge(counts)

    def judge(self, counts: PairedCounts) -> Check:
        """The same by wins and losses alone, on at least one item."""
        needed = self._items_needed(counts)
        few = counts.items < needed
        alpha = self.alpha_if_few if few and self.alpha_if_few is not None else self.alpha
        outcome, why = self._judged(counts, alpha, needed)
        p = mcnemar_mid_p(counts.wins, counts.losses)
        return Check(
            "superiority",
            outcome,
            f"the challenger alone is right on {counts.wins} of {counts.items} utterances, the "
            f"champion alone on {counts.losses} ({points(counts.gain)}): p = {p:.3f}, "
            f"{'below' if p < alpha else 'not below'} alpha {alpha:g}{why}",
            observed=p,
            limit=alpha,
        )

    def _items_needed(self, counts: PairedCounts) -> int:
        """How many utterances would show a gain of `detect` in most cases."""
        # With few differences their share is known badly: Agresti and Coull's correction.
        discordance = (counts.wins + counts.losses + 2) / (counts.items + 4)
        needed = items_needed(max(discordance, self.detect), self.detect, self.alpha)
        return max(needed, self.minimum_items)

    def _judged(self, counts: PairedCounts, alpha: float, needed: int) -> tuple[Outcome, str]:
        if mcnemar_mid_p(counts.wins, counts.losses) < alpha:
            if counts.gain > self.min_gain:
                return Outcome.PROMOTE, ""
            return Outcome.REJECT, f", but not more than the {points(self.min_gain)} asked for"
        if mcnemar_mid_p(counts.losses, counts.wins) < alpha:
            return Outcome.REJECT, "; it is worse by more than chance explains"
        if counts.items < needed:
            return Outcome.HOLD, (
                f"; about {needed} utterances would show a gain of {points(self.detect)} "
                f"{POWER:.0%} of the time"
            )
        return Outcome.REJECT, (
            f"; {POWER:.0%} of true gains of {points(self.detect)} would have shown"
        )
