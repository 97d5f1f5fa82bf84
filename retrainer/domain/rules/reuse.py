"""The same utterances must not choose the champion for ever."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.reuse import Reuse
from retrainer.domain.rules.limits import require_share
from retrainer.domain.verdict import Check, Outcome

#: Share of the budget from which on it is said that it will be spent.
_SOON = 0.8


@dataclass(frozen=True, slots=True)
class HoldoutReuse:
    """At least `fresh` (a share, 0 to 1) of the utterances were used in fewer than `budget` cycles.

    Each cycle that chooses by the same utterances makes the champion's score on them a little more
    of luck. Utterances that arrive with the data are fresh, so a growing holdout never wears out.
    """

    budget: int = 365
    fresh: float = 0.25

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise ValueError(f"budget must be at least 1, not {self.budget}")
        require_share("fresh", self.fresh)

    def assess(self, evaluation: Evaluation) -> Check:
        """HOLD when the budget is spent and too little came new; a warning on the way there."""
        reuse = evaluation.reuse
        if evaluation.champion is None or reuse is None or not reuse.items:
            return Check(
                "reuse",
                None,
                f"no earlier uses of the utterances are recorded, {self.budget} are allowed",
                limit=float(self.budget),
                guard=True,
            )
        worn = reuse.worn(self.budget)
        left = reuse.items - worn
        spent = left < self.fresh * reuse.items
        soon = not spent and self._soon(reuse)
        sentence = (
            f"{left} of {reuse.items} utterances were used in fewer than {self.budget} cycles before "
            f"this one (the most used in {reuse.most}), "
            f"{'fewer than' if spent else 'at least'} the {self.fresh:.0%} asked for"
        )
        if spent:
            sentence += ": add new examples, or take others for the holdout"
        elif soon:
            sentence += "; warning: the budget will be spent soon unless new examples arrive"
        return Check(
            "reuse",
            Outcome.HOLD if spent else Outcome.PROMOTE,
            sentence,
            observed=left / reuse.items,
            limit=self.fresh,
            details=optimism(reuse),
            guard=True,
            warns=soon,
        )

    def _soon(self, reuse: Reuse) -> bool:
        """Whether the rule would hold if every utterance had been used a quarter more often."""
        left = reuse.items - reuse.worn(max(1, int(self.budget * _SOON)))
        return left < self.fresh * reuse.items


def optimism(reuse: Reuse) -> tuple[str, ...]:
    """How much of the champion's score is luck, where that can be told."""
    if reuse.optimism is None:
        return ()
    excess, error = reuse.optimism
    sentence = (
        f"the champion understands {reuse.chosen_by.share:.4f} of the {reuse.chosen_by.items} "
        f"utterances that it was chosen by and {reuse.later.share:.4f} of the {reuse.later.items} "
        f"that came later: its displayed score is optimistic by {excess * 100:+.2f} points "
        f"(standard error {error * 100:.2f})"
    )
    return (sentence,)
