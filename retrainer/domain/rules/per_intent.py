"""No intent may get much worse, however good the average."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.paired import Answers, PairedAnswers, PairedCounts
from retrainer.domain.rules.slices import Slice, SliceRule, Words
from retrainer.domain.verdict import Check

_WORDS = Words("per_intent", "intents", "test utterances")


@dataclass(frozen=True, slots=True)
class PerIntent(SliceRule):
    """No intent with enough test utterances loses more than `margin` F1 and more than by chance.

    What lowers F1 are utterances of the intent that are taken for something else, and others that
    are taken for it. Each has a test of its own (McNemar mid-p): an intent whose utterances go to
    its neighbour is taken for less too, and that must not hide the loss. Nor must intents that the
    champion does not know, which it took for others: their utterances are left out.
    """

    answers: Answers = "served"

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT when an intent is worse, HOLD when it was not measured; small ones are listed."""
        if evaluation.champion is None:
            return self.without_champion(_WORDS)
        paired = evaluation.paired(self.answers)
        if paired is None or not len(paired):
            return self.not_kept(_WORDS)
        before, after = evaluation.champion.intents, evaluation.challenger.intents
        recorded = evaluation.champion.knows
        known = frozenset({*before, *paired.by_intent()} if recorded is None else recorded)
        found = {each.name: each for each in _slices(paired.among(known))}
        for intent, figures in before.items():
            f1s = (figures.f1, after[intent].f1 if intent in after else math.nan)
            unanswered = intent in known and intent not in found
            if unanswered or not all(map(math.isfinite, f1s)):
                found[intent] = Slice(intent, math.nan, math.nan, figures.support)
        return self.judge(_WORDS, [found[intent] for intent in sorted(found)])


def _slices(answers: PairedAnswers) -> Iterable[Slice]:
    """One for each annotated intent."""
    before, after = Counter[str](), Counter[str]()
    right_before, right_after = Counter[str](), Counter[str]()
    wins, losses = Counter[str](), Counter[str]()  # with utterances of other intents
    for (gold, champion, challenger), number in answers.triples().items():
        before[champion] += number
        after[challenger] += number
        right_before[gold] += number * (champion == gold)
        right_after[gold] += number * (challenger == gold)
        if champion != challenger:
            wins[champion] += number * (champion != gold)
            losses[challenger] += number * (challenger != gold)
    for intent, own in answers.by_intent().items():
        others = len(answers) - own.items
        yield Slice(
            intent,
            before=2 * right_before[intent] / (own.items + before[intent]),
            after=2 * right_after[intent] / (own.items + after[intent]),
            support=own.items,
            tests=(own, PairedCounts(others, wins[intent], losses[intent])),
        )
