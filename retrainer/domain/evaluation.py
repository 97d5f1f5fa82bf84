"""Champion and challenger, measured on the same examples."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from retrainer.domain.cost import Cost
from retrainer.domain.custom_actions import CustomActions
from retrainer.domain.data_quality import DataQuality
from retrainer.domain.examples import Entity, Example
from retrainer.domain.metrics import EntityFigures, IntentFigures
from retrainer.domain.paired import Answers, PairedAnswers, PairedCounts
from retrainer.domain.reuse import Reuse

#: The two models on what neither saw; or their recipes, trained anew without each fold.
Mode = Literal["holdout", "cross_validation"]


@dataclass(frozen=True, slots=True)
class MustPassResult:
    """How one must-pass utterance fared; `problem` is a phrase, None when it passed."""

    text: str
    expected: str
    answered: str | None
    confidence: float
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class StoryResult:
    """How one test story fared; `problem` is a phrase on its first wrong turn, None if it passed.

    `file` is relative to the project.
    """

    name: str
    file: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PlatformFigures:
    """What a platform measured of a model by itself, as Rasa X does.

    Its examples are those that it stores, so mostly those that the model was trained on. None is
    what it did not say.
    """

    f1: float | None
    precision: float | None = None
    accuracy: float | None = None
    examples: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One model measured on one test set.

    `test_set` is the digest of the examples: reports on different ones must not be compared.
    `knows` are the intents that the model was trained on, None where that is not recorded.
    `platform` is what the platform says of the model; no metric of ours.
    `stories` are empty where none are configured, None where they could not be run.
    `cost` is None where it was not measured: only a rule asks for it.
    """

    model: str
    test_set: str
    examples: int
    metrics: Mapping[str, float]
    intents: Mapping[str, IntentFigures] = field(default_factory=dict)
    entities: Mapping[str, EntityFigures] = field(default_factory=dict)
    must_pass: tuple[MustPassResult, ...] = ()
    knows: tuple[str, ...] | None = None
    platform: PlatformFigures | None = None
    stories: tuple[StoryResult, ...] | None = ()
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """An utterance that one model understands, as users get it, and the other does not.

    `regression` is True where the champion was right and the challenger is wrong.
    """

    text: str
    intent: str
    champion: str | None
    champion_confidence: float
    challenger: str | None
    challenger_confidence: float
    regression: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many candidates for the test set were left out.

    Because a model trained on them, or because they chose the challenger among several.
    """

    challenger_saw: int = 0
    champion_saw: int = 0
    selection: int = 0


@dataclass(frozen=True, slots=True)
class TestSet:
    """The examples to measure on, and what was left out to keep the comparison honest."""

    examples: tuple[Example, ...]
    left_out: LeftOut = LeftOut()

    __test__ = False  # not a pytest class

    @property
    def digest(self) -> str:
        """Content address of the examples: 32 hexadecimal digits, independent of their order."""
        lines = sorted(f"{e.text}\0{e.label}\0{_annotation(e.entities)}" for e in self.examples)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The whole comparison; `champion` is None when no model serves yet.

    `champion_known` is False when it is not recorded what the champion was trained on, so that
    the champion may have seen any of the examples.
    `flips` are by the answers as users get them: regressions first.
    `unmeasured` lists the intents of the training data without an example in the test set.
    `served` and `classified` are the paired answers, a fallback counted as an answer, and undone;
    `entities` counts, for each type, the utterances on which a model finds exactly what is
    annotated, among those where it is annotated or either model finds one, and `extractions` does so
    for all types together; `responses` counts retrieval utterances. All None, or empty, without a
    champion or without such utterances.
    In a cross-validation, of so many `folds`, it is the recipes of the two models that gave the
    answers; the must-pass utterances are always those of the models themselves. `obstacle` says why
    the champion could not be compared with; empty if it was, or if there is none.
    `reuse` is what is known of earlier uses of the same utterances.
    `data` is what the challenger was made from, `actions` what both expect of an action server.
    """

    challenger: Report
    champion: Report | None = None
    left_out: LeftOut = LeftOut()
    champion_known: bool = True
    flips: tuple[Flip, ...] = ()
    unmeasured: tuple[str, ...] = ()
    served: PairedAnswers | None = None
    classified: PairedAnswers | None = None
    entities: Mapping[str, PairedCounts] = field(default_factory=dict)
    responses: PairedCounts | None = None
    extractions: PairedCounts | None = None
    mode: Mode = "holdout"
    folds: int = 0
    obstacle: str = ""
    reuse: Reuse | None = None
    data: DataQuality | None = None
    actions: CustomActions | None = None

    def paired(self, answers: Answers) -> PairedAnswers | None:
        """The paired answers counted in this way; None without a champion."""
        return self.served if answers == "served" else self.classified

    @property
    def known_to_both(self) -> frozenset[str] | None:
        """The intents that both models were trained on; None where that is not recorded."""
        if self.champion is None or None in (self.champion.knows, self.challenger.knows):
            return None
        return frozenset(self.champion.knows or ()) & frozenset(self.challenger.knows or ())


def _annotation(entities: Iterable[Entity]) -> str:
    return ";".join(sorted(f"{e.type},{e.start},{e.end},{e.value}" for e in entities))
