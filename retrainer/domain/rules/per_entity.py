"""No type of entity may get much worse, however good the average."""

import math
from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation, Report
from retrainer.domain.rules.slices import Slice, SliceRule, Words
from retrainer.domain.verdict import Check

_WORDS = Words("per_entity", "types of entity", "annotated entities")


@dataclass(frozen=True, slots=True)
class PerEntity(SliceRule):
    """No type with enough annotated entities loses more than `margin` F1 and more than by chance.

    Span and type have to be right. The test (McNemar mid-p) counts the utterances on which only
    one of the models finds exactly what is annotated of the type.
    """

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT when a type is worse, HOLD when it was not measured; rare ones are listed."""
        if evaluation.champion is None:
            return self.without_champion(_WORDS)
        reports = (evaluation.champion, evaluation.challenger)
        kinds = sorted({kind for report in reports for kind in report.entities})
        if not kinds and any("entity_f1" in report.metrics for report in reports):
            return self.not_kept(_WORDS)
        return self.judge(_WORDS, [_slice(kind, evaluation, *reports) for kind in kinds])


def _slice(kind: str, evaluation: Evaluation, champion: Report, challenger: Report) -> Slice:
    known = [report.entities[kind] for report in (champion, challenger) if kind in report.entities]
    support, counts = max(figures.support for figures in known), evaluation.entities.get(kind)
    if counts is None or len(known) == 1:
        return Slice(kind, math.nan, math.nan, support)
    before, after = (figures.f1 for figures in known)
    return Slice(kind, before, after, support, (counts,))
