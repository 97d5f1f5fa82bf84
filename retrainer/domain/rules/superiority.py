"""The challenger must be better than chance explains."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.limits import points, require_share
from retrainer.domain.statistics import POWER, items_needed, mcnemar_mid_p
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class Superiority:
    """More utterances are right, by more than chance explains at `alpha`, and by `min_gain`.

    A paired test (McNemar mid-p) on the utterances that only one of the models gets right. Where
    it finds nothing, the challenger is rejected if a true gain of `detect` would have been found
    in most cases, and held, with the number of utterances that would settle it, if not.
    """

    alpha: float = 0.05
    min_gain: float = 0.0
    detect: float = 0.02

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 0.5:  # noqa: PLR2004 - beyond a coin toss it is no test
            raise ValueError(f"alpha must lie above 0 and not above 0.5, not {self.alpha}")
        require_share("min_gain", self.min_gain)
        if not 0 < self.detect <= 1:
            raise ValueError(f"detect must lie above 0 and not above 1, not {self.detect}")

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
        examples = evaluation.challenger.examples
        losses = sum(flip.regression for flip in evaluation.flips)
        wins = len(evaluation.flips) - losses
        if not examples:
            return Check(
                "superiority",
                Outcome.HOLD,
                f"0 utterances to compare on, a test at alpha {self.alpha:g} needs some",
                limit=self.alpha,
            )
        outcome, why = self._judged(wins, losses, examples)
        p = mcnemar_mid_p(wins, losses)
        return Check(
            "superiority",
            outcome,
            f"the challenger alone is right on {wins} of {examples} utterances, the champion "
            f"alone on {losses} ({points((wins - losses) / examples)}): p = {p:.3f}, "
            f"{'below' if p < self.alpha else 'not below'} alpha {self.alpha:g}{why}",
            observed=p,
            limit=self.alpha,
        )

    def _judged(self, wins: int, losses: int, examples: int) -> tuple[Outcome, str]:
        gain = (wins - losses) / examples
        if mcnemar_mid_p(wins, losses) < self.alpha:
            if gain > self.min_gain:
                return Outcome.PROMOTE, ""
            return Outcome.REJECT, f", but not more than the {points(self.min_gain)} asked for"
        if mcnemar_mid_p(losses, wins) < self.alpha:
            return Outcome.REJECT, "; it is worse by more than chance explains"
        # With few differences their share is known badly: Agresti and Coull's correction.
        discordance = max((wins + losses + 2) / (examples + 4), self.detect)
        needed = items_needed(discordance, self.detect, self.alpha)
        if examples < needed:
            return Outcome.HOLD, (
                f"; about {needed} utterances would show a gain of {points(self.detect)} "
                f"{POWER:.0%} of the time"
            )
        return Outcome.REJECT, (
            f"; {POWER:.0%} of true gains of {points(self.detect)} would have shown"
        )
