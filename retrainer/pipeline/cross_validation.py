"""Compare two recipes, fold by fold: every example is held out once of both.

A recipe is a project's config and data: the challenger's is what was pulled, the champion's the
snapshot that it was trained on. In each fold both are trained without the fold's texts and asked
them. The answers of each training are kept in the cycle's records, under a digest of all that they
depend on, so that a cycle that was cut off trains nothing twice, and neither do equal recipes.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from retrainer.domain.comparison import Predictions, unseen
from retrainer.domain.cycle import Cycle, Snapshot
from retrainer.domain.evaluation import TestSet
from retrainer.domain.examples import Example, example_key
from retrainer.domain.folds import fold_of, hold_out
from retrainer.domain.predictions import Prediction
from retrainer.domain.split import distinct
from retrainer.errors import (
    ProjectError,
    RasaEnvironmentError,
    RasaError,
    RasaOutOfMemory,
    RasaTimeout,
    RasaWorkerDied,
    StorageError,
)
from retrainer.pipeline import records
from retrainer.pipeline.data_steps import working_folder
from retrainer.pipeline.world import World
from retrainer.ports import Progress, ProgressListener, Project

Side = Literal["challenger", "champion"]

#: What says nothing of the recipe: the machine, or somebody who ended the training.
_NOT_THE_RECIPES = (RasaWorkerDied, RasaTimeout, RasaOutOfMemory, RasaEnvironmentError)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Config and data that one of the two models was made of.

    `project` lies in the snapshot of this digest; `seed` is what its components are given, None for
    what the config says. An intent of fewer than `minimum` distinct texts is never held out.
    """

    side: Side
    snapshot: str
    project: Project
    examples: tuple[Example, ...]
    seed: int | None = None
    minimum: int = 1


@dataclass(frozen=True, slots=True)
class HeldOutAnswers:
    """What both sides answer to examples that they were trained without.

    `before`, the champion's, is None without a champion; and where its recipe could not be
    trained, which `obstacle` says then.
    """

    test_set: TestSet
    after: Predictions
    before: Predictions | None = None
    obstacle: str = ""


def challengers_recipe(
    manifest: records.Manifest, examples: tuple[Example, ...], world: World
) -> Recipe:
    """What the challenger is made of; `examples` are those of its project.

    Raises:
        StorageError: the snapshot is gone, or was changed.
        ProjectError: it is no project under the present settings.
    """
    minimum = world.assistant.minimum_examples
    project = _project(manifest, world)
    return Recipe("challenger", manifest.snapshot, project, examples, manifest.seed, minimum)


def champions_recipe(model: str, manifest: records.Manifest | None, world: World) -> Recipe | str:
    """What the champion was made of, from the snapshot kept of that; or why there is no such recipe.

    Raises:
        RasaError: Rasa could not read it, which says nothing of the snapshot.
    """
    if manifest is None:
        return f"it is not recorded what {model} was trained on"
    if manifest.finetuned_from:
        return (
            f"{model} was finetuned from {manifest.finetuned_from}, so config and data alone do not "
            "make it again"
        )
    try:
        project = _project(manifest, world)
        examples = world.rasa.read_project(project).examples
    except _NOT_THE_RECIPES:
        raise
    except (StorageError, ProjectError, RasaError) as error:
        if world.stopping():
            raise
        return f"what {model} was trained on cannot be used: {error}"
    return Recipe("champion", manifest.snapshot, project, examples, manifest.seed)


def _project(manifest: records.Manifest, world: World) -> Project:
    root = world.snapshots.folder(Snapshot(manifest.snapshot, files=(), origin=""))
    project = world.find_project(root)
    return replace(project, config=project.root / (manifest.config or project.config_name))


def cross_validate(
    cycle: Cycle,
    world: World,
    challenger: Recipe,
    champion: Recipe | None,
    test_data: Sequence[Example] = (),
) -> HeldOutAnswers:
    """Train both recipes without each fold, and ask them what was held out of it.

    `test_data` is asked too, each utterance in the fold of its text. What a model was trained on
    nevertheless (in an intent that stays whole, or a story) is left out and counted.

    Raises:
        RasaError: the challenger's recipe cannot be trained, or the cycle is told to stop.
        ProjectError: the challenger's project is at fault.
        StorageError: an answer could not be kept.
    """
    folds, obstacle = world.assistant.folds, ""
    asked: list[Example] = []
    ours, theirs = _Answers(), _Answers()
    for fold in range(1, folds + 1):
        examples = _candidates(challenger, fold, folds, test_data)
        texts = [example.text for example in examples]
        asked += examples
        ours.add(_trial(cycle, world, challenger, fold, texts))
        if champion is not None:
            try:
                theirs.add(_trial(cycle, world, champion, fold, texts))
            except _NOT_THE_RECIPES:
                raise
            except (ProjectError, RasaError) as error:
                if world.stopping():
                    raise
                world.fence()
                obstacle = (
                    f"in fold {fold} of {folds} its config and data cannot be trained: {error}"
                )
                champion, theirs = None, _Answers()
    test_set = unseen(asked, challenger_saw=ours.seen, champion_saw=theirs.seen)
    before = None if champion is None else theirs.predictions
    return HeldOutAnswers(test_set, ours.predictions, before, obstacle)


@dataclass(slots=True)
class _Answers:
    """What the models of one recipe answered so far, each text by one of them."""

    predictions: dict[str, Prediction] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def add(self, trial: records.Trial) -> None:
        self.predictions |= {prediction.text: prediction for prediction in trial.predictions}
        self.seen.update(trial.seen)


def _candidates(
    challenger: Recipe, fold: int, folds: int, test_data: Sequence[Example]
) -> tuple[Example, ...]:
    parts = hold_out(challenger.examples, fold, folds=folds, minimum=challenger.minimum)
    of_fold = (e for e in test_data if fold_of(example_key(e.text), folds) == fold)
    return distinct([*parts.held_out, *of_fold])


def _trial(
    cycle: Cycle, world: World, recipe: Recipe, fold: int, texts: Sequence[str]
) -> records.Trial:
    """What the recipe, trained without the fold, answers to the texts; from the records if known."""
    folds = world.assistant.folds
    parts = hold_out(recipe.examples, fold, folds=folds, minimum=recipe.minimum)
    held_out = frozenset(example.text for example in parts.held_out)
    digest = _digest(recipe, held_out, texts)
    known = records.read_trial(world.artifacts, cycle.challenger, digest)
    if known is not None:
        return known
    world.fence()
    what = f"fold {fold} of {folds}, {recipe.side}"
    if world.stopping():  # Rasa, which is between two requests, would not hear of it
        raise RasaError(f"told to stop before {what}")
    world.listener.progress(Progress(what))
    folder = working_folder(cycle, world) / "folds" / digest
    project, trained_on = world.rasa.write_training_project(
        recipe.project, held_out, folder / "project"
    )
    show = _named(what, world.listener.progress)
    archive = world.rasa.train(
        project, f"fold-{fold}-{recipe.side}", folder, show, seed=recipe.seed
    )
    answers = world.rasa.predict(archive, texts, show, code=recipe.project.root)
    asked = {example_key(text) for text in texts}
    trial = records.Trial(
        seen=tuple(sorted(asked & {example_key(text) for text in trained_on})),
        predictions=answers,
    )
    records.write_trial(world.artifacts, cycle.challenger, digest, trial)
    shutil.rmtree(folder, ignore_errors=True)
    return trial


def _digest(recipe: Recipe, held_out: frozenset[str], texts: Sequence[str]) -> str:
    """The name of a training and what is asked of it: 32 hexadecimal digits."""
    inputs = [recipe.snapshot, recipe.project.config_name, recipe.seed, sorted(held_out), [*texts]]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:32]


def _named(what: str, listener: ProgressListener) -> ProgressListener:
    """Say which training it is rather than which component: there are many."""
    return lambda progress: listener(replace(progress, what=what))
