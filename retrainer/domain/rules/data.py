"""The training data has to be sound, whatever the model that it leads to."""

from dataclasses import dataclass

from retrainer.domain.data_quality import DataQuality
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.bounds import Bound, at_most, combine, percent
from retrainer.domain.rules.limits import require_share
from retrainer.domain.verdict import Check, Outcome

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class SoundData:
    """Limits on what the snapshot holds; where it blocks, it is applied before the training too.

    `maximum_loss` is the share of the examples that may have gone since the champion's snapshot;
    more is rejected, so nothing is trained. All else is for a person to look at: an intent that
    lost more than `maximum_intent_loss` of its texts, a total variation distance of the intents'
    shares above `maximum_shift`, texts with several labels above a share of `maximum_conflicts`,
    examples that repeat another above a share of `maximum_duplicates`, an intent with fewer than
    `minimum_examples` different texts, and with `fail_on_warnings` any warning of Rasa's validator.
    """

    maximum_loss: float = 0.2
    maximum_intent_loss: float = 0.5
    maximum_shift: float = 0.25
    maximum_conflicts: float = 0.01
    maximum_duplicates: float = 0.1
    minimum_examples: int = 2
    fail_on_warnings: bool = False

    def __post_init__(self) -> None:
        for name in ("loss", "intent_loss", "shift", "conflicts", "duplicates"):
            require_share(f"maximum_{name}", getattr(self, f"maximum_{name}"))
        if self.minimum_examples < 1:
            raise ValueError(f"minimum_examples must be at least 1, not {self.minimum_examples}")

    def assess(self, evaluation: Evaluation) -> Check:
        """As `judge`; not applicable where models were compared, and nothing was trained."""
        if evaluation.data is None:
            return Check(
                "data",
                None,
                "no training data belongs to this evaluation, "
                f"a loss of at most {percent(self.maximum_loss)} of it applies in a cycle",
                limit=self.maximum_loss,
                guard=True,
            )
        return self.judge(evaluation.data)

    def judge(self, data: DataQuality) -> Check:
        """REJECT where the data must not be trained on, HOLD where a person has to look at it.

        Without a champion, or a record of its data, there is nothing to have been lost.
        """
        return combine("data", [*self._losses(data), *self._flaws(data)])

    def _losses(self, data: DataQuality) -> list[Bound]:
        champion, lost, shift = data.champion, data.lost, data.shift
        bounds = []
        if champion is not None and lost is not None:
            words = (
                f"{percent(lost)} of the {champion.examples} examples that {champion.model} "
                f"came from are gone, {data.examples} are there, "
                f"at most {percent(self.maximum_loss)} may be gone"
            )
            bounds.append(at_most(lost, self.maximum_loss, words, beyond=Outcome.REJECT))
        if champion is not None and shift is not None:
            bounds += [self._intent_loss(data), self._shift(shift, champion.model)]
        return bounds

    def _intent_loss(self, data: DataQuality) -> Bound:
        losses = data.lost_by_intent
        worst_first = sorted(losses, key=lambda intent: (-losses[intent], intent))
        most = worst_first[0]
        before = data.champion.intents if data.champion else {}
        words = (
            f"{percent(losses[most])} of the texts of {most} are gone, of no intent more, "
            f"at most {percent(self.maximum_intent_loss)} may be"
        )
        details = tuple(
            f"{intent}: {data.intents.get(intent, 0)} texts, {before[intent]} before"
            for intent in worst_first[:_SHOWN]
            if losses[intent] > self.maximum_intent_loss
        )
        limit = self.maximum_intent_loss
        return at_most(losses[most], limit, words, beyond=Outcome.HOLD, details=details)

    def _shift(self, shift: float, champion: str) -> Bound:
        words = (
            f"the intents' shares differ from those of {champion} by a total variation of "
            f"{percent(shift)}, at most {percent(self.maximum_shift)} is allowed"
        )
        return at_most(shift, self.maximum_shift, words, beyond=Outcome.HOLD)

    def _flaws(self, data: DataQuality) -> list[Bound]:
        conflicts = data.conflicts / max(data.texts, 1)
        duplicates = data.duplicates / max(data.examples, 1)
        bounds = [
            at_most(
                float(data.errors),
                0.0,
                f"the validation found {data.errors} errors, 0 are allowed",
                beyond=Outcome.REJECT,
            ),
            at_most(
                conflicts,
                self.maximum_conflicts,
                f"{data.conflicts} of {data.texts} texts ({percent(conflicts)}) have several "
                f"labels, at most {percent(self.maximum_conflicts)} may",
                beyond=Outcome.HOLD,
                details=tuple(f"{c.text!r}: {', '.join(c.labels)}" for c in data.conflicting),
            ),
            at_most(
                duplicates,
                self.maximum_duplicates,
                f"{data.duplicates} of {data.examples} examples ({percent(duplicates)}) repeat "
                f"another, at most {percent(self.maximum_duplicates)} may",
                beyond=Outcome.HOLD,
            ),
            self._smallest(data),
        ]
        if self.fail_on_warnings:
            words = f"Rasa's validator found {data.warnings} warnings, 0 are allowed"
            bounds.append(at_most(float(data.warnings), 0.0, words, beyond=Outcome.HOLD))
        return bounds

    def _smallest(self, data: DataQuality) -> Bound:
        sizes = data.intents
        smallest = min(sizes, key=lambda intent: (sizes[intent], intent), default=None)
        observed, limit = float(sizes[smallest]) if smallest else 0.0, float(self.minimum_examples)
        small = sorted(i for i, n in sizes.items() if n < self.minimum_examples)
        return Bound(
            Outcome.PROMOTE if observed >= limit else Outcome.HOLD,
            f"{smallest or 'no intent'} has {observed:.0f} different examples, no intent has "
            f"fewer, at least {limit:.0f} are needed",
            observed,
            limit,
            tuple(f"{intent}: {sizes[intent]} different examples" for intent in small[:_SHOWN]),
        )
