"""Whole policies in a simulated year: every rule judges evaluations with intents, by `decide`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from retrainer.domain.custom_actions import CustomActions
from retrainer.domain.data_quality import DataQuality
from retrainer.domain.decision_rules import PROMOTE, Outcomes
from retrainer.domain.evaluation import Evaluation, Report
from retrainer.domain.metrics import IntentFigures
from retrainer.domain.paired import PairedAnswers
from retrainer.domain.rules import Simple
from retrainer.domain.simulated_policy import simulated
from retrainer.domain.simulated_year import Answers, differences
from retrainer.domain.verdict import Policy, decide

_SOUND = DataQuality(examples=5000, texts=5000, intents={"any": 5000})


@dataclass(frozen=True)
class Utterances:
    """So many utterances of so many intents, some of which are asked much more than others."""

    items: int
    intents: int
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = tuple(f"intent_{number:03}" for number in range(self.intents))
        object.__setattr__(self, "names", names)

    @cached_property
    def annotated(self) -> npt.NDArray[np.int64]:
        """The intent of each utterance; the rarest is asked a sixth as often as the average."""
        shares = 1 / (np.arange(self.intents) + self.intents / 6)
        upto = np.cumsum(shares / shares.sum()) * self.items
        return np.searchsorted(upto, np.arange(self.items) + 0.5)

    def evaluation(self, champion: Sequence[bool], challenger: Sequence[bool]) -> Evaluation:
        """Of models that are right on these; what is not understood is taken for the next intent."""
        before, after = np.asarray(champion), np.asarray(challenger)
        cells = np.bincount(self.annotated * 4 + before * 2 + after, minlength=self.intents * 4)
        counts = cells.reshape(self.intents, 2, 2)
        paired = self._paired(counts)
        return Evaluation(
            self._report("challenger", counts.sum(axis=1)),
            self._report("champion", counts.sum(axis=2)),
            served=paired,
            classified=paired,
            data=_SOUND,
            actions=CustomActions((), ()),
        )

    def _paired(self, counts: npt.NDArray[np.int64]) -> PairedAnswers:
        triples = {}
        for gold, before, after in zip(*np.nonzero(counts), strict=True):
            wrong = self.names[(gold + 1) % self.intents]
            said = [self.names[gold] if right else wrong for right in (before, after)]
            triples[self.names[gold], said[0], said[1]] = int(counts[gold, before, after])
        return PairedAnswers.of(triples)

    def _report(self, model: str, counts: npt.NDArray[np.int64]) -> Report:
        """`counts` holds the wrong and the right answers of each intent."""
        wrong, right = counts[:, 0], counts[:, 1]
        support, answered = wrong + right, right + np.roll(wrong, 1)
        f1 = 2 * right / np.maximum(support + answered, 1)
        figures = {
            name: IntentFigures(precision=p, recall=r, f1=f, support=n)
            for name, p, r, f, n in zip(
                self.names,
                (right / np.maximum(answered, 1)).tolist(),
                (right / np.maximum(support, 1)).tolist(),
                f1.tolist(),
                support.tolist(),
                strict=True,
            )
        }
        metrics = {
            "accuracy": float(right.sum() / self.items),
            "f1_weighted": float((f1 * support).sum() / self.items),
            "f1_macro": float(f1.mean()),
        }
        return Report(
            model, "0" * 32, self.items, metrics=metrics, intents=figures, knows=self.names
        )


@dataclass(frozen=True)
class WholePolicy:
    """A rule for `serve_by_answers`: `decide` by every rule of a policy.

    Where the rules that judge by counts alone would not promote, all together do not either, so
    only the other nights are put together in full.
    """

    policy: Policy
    utterances: Utterances

    @cached_property
    def _counting(self) -> "object":
        return simulated(self.policy).rule

    def __call__(self, champion: Answers, challenger: Answers) -> Outcomes:
        """The outcome of each year's night."""
        if any(isinstance(named.rule, Simple) for named in self.policy.rules):
            outcomes = np.full(len(champion), PROMOTE)  # which counts only stands in for an F1
        else:
            outcomes = self._counting(*differences(champion, challenger), champion.shape[1])
        for row in np.flatnonzero(outcomes == PROMOTE):
            evaluation = self.utterances.evaluation(champion[row], challenger[row])
            outcomes[row] = decide(evaluation, self.policy).outcome.severity
        return outcomes
