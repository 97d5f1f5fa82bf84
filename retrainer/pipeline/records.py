"""Small files that one step leaves for a later one, or one cycle for the next.

Names are fixed here, so that a resumed cycle finds them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from retrainer.domain.evaluation import StoryResult
from retrainer.domain.examples import Example, MustPass
from retrainer.domain.predictions import Prediction
from retrainer.domain.reuse import Uses
from retrainer.domain.selection import Candidate
from retrainer.errors import StorageError
from retrainer.ports import ArtifactStore, Project


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read from a snapshot: examples to train on, to test on and to pass, and the domain."""

    examples: tuple[Example, ...]
    test_data: tuple[Example, ...]
    must_pass: tuple[MustPass, ...]
    domain_intents: tuple[str, ...] = ()
    domain_actions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model was trained on: the snapshot, and the `example_key` of every text, sorted.

    `examples` is how many labelled examples the snapshot held, those of the holdout included, and
    `labels` how many of each intent it trained on. `config` is the config file in the project, empty
    where it was not recorded, and `seed` what its components were given, None for what that says.
    `finetuned_from` is the model that it went on from, whose keys are among these.
    `intents` counts the different texts of each intent of the snapshot, and `actions` are the custom
    ones of its domain; empty and None where that was not recorded.
    """

    snapshot: str
    keys: tuple[str, ...]
    examples: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    config: str = ""
    seed: int | None = None
    finetuned_from: str = ""
    intents: Mapping[str, int] = field(default_factory=dict)
    actions: tuple[str, ...] | None = None


@with_config(ser_json_inf_nan="strings")
@dataclass(frozen=True, slots=True)
class Trial:
    """What a model that was trained without a fold answers to the fold's texts.

    `seen` are the `example_key`s of those that it was trained on nevertheless, sorted.
    """

    seen: tuple[str, ...]
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True, slots=True)
class Stories:
    """How a model fared in the test stories whose content has this digest."""

    digest: str
    results: tuple[StoryResult, ...]


_Record = TypeVar("_Record")

_CONTENTS = TypeAdapter(Contents)
_MANIFEST = TypeAdapter(Manifest)
_PROJECT = TypeAdapter(Project)
#: A confidence may be NaN, which JSON does not have.
_NAN_AS_TEXT = ConfigDict(ser_json_inf_nan="strings")
_PREDICTIONS = TypeAdapter(tuple[Prediction, ...], config=_NAN_AS_TEXT)
_STORIES = TypeAdapter(Stories)
_TRIAL = TypeAdapter(Trial)
_CANDIDATES = TypeAdapter(tuple[Candidate, ...])
_USES = TypeAdapter(Uses)


def cycle_name(challenger: str) -> str:
    """Folder of the records that only this cycle needs."""
    return f"cycles/{challenger}"


def model_name(model: str) -> str:
    """Folder of the records that live as long as the model."""
    return f"models/{model}"


def write_contents(artifacts: ArtifactStore, challenger: str, contents: Contents) -> None:
    """Keep what was read for the later steps of the cycle."""
    artifacts.write(f"{cycle_name(challenger)}/contents.json", _CONTENTS.dump_json(contents))


def read_contents(artifacts: ArtifactStore, challenger: str) -> Contents:
    """What `write_contents` kept; StorageError if it is gone or damaged."""
    return _needed(artifacts, f"{cycle_name(challenger)}/contents.json", _CONTENTS)


def write_training_project(artifacts: ArtifactStore, challenger: str, project: Project) -> None:
    """Keep where the parts of the project to train on are."""
    content = _PROJECT.dump_json(project)
    artifacts.write(f"{cycle_name(challenger)}/training_project.json", content)


def read_training_project(artifacts: ArtifactStore, challenger: str) -> Project:
    """What `write_training_project` kept; StorageError if it is gone or damaged."""
    return _needed(artifacts, f"{cycle_name(challenger)}/training_project.json", _PROJECT)


def write_candidates(
    artifacts: ArtifactStore, challenger: str, candidates: tuple[Candidate, ...]
) -> None:
    """Keep how far the cycle is with its challengers, and which it chose."""
    content = _CANDIDATES.dump_json(candidates)
    artifacts.write(f"{cycle_name(challenger)}/candidates.json", content)


def read_candidates(artifacts: ArtifactStore, challenger: str) -> tuple[Candidate, ...] | None:
    """What `write_candidates` kept; None before, or if it is damaged."""
    return _read(artifacts, f"{cycle_name(challenger)}/candidates.json", _CANDIDATES)


def write_manifest(artifacts: ArtifactStore, model: str, manifest: Manifest) -> None:
    """Keep what a model is trained on, as long as the model."""
    artifacts.write(f"{model_name(model)}/manifest.json", _MANIFEST.dump_json(manifest))


def read_manifest(artifacts: ArtifactStore, model: str) -> Manifest | None:
    """What the model was trained on; None for a model of unknown origin.

    A record that cannot be read (damaged, or of another version) is as good as none.
    """
    return _read(artifacts, f"{model_name(model)}/manifest.json", _MANIFEST)


def write_predictions(
    artifacts: ArtifactStore, model: str, predictions: Mapping[str, Prediction]
) -> None:
    """Keep a model's answers, so that it is never asked the same utterance twice."""
    content = _PREDICTIONS.dump_json(tuple(predictions.values()))
    artifacts.write(f"{model_name(model)}/predictions.json", content)


def read_predictions(artifacts: ArtifactStore, model: str) -> dict[str, Prediction]:
    """The model's answers so far, by text."""
    known = _read(artifacts, f"{model_name(model)}/predictions.json", _PREDICTIONS)
    return {prediction.text: prediction for prediction in known or ()}


def write_stories(artifacts: ArtifactStore, model: str, stories: Stories) -> None:
    """Keep how a model fared, so that it is not tested again while the stories stay the same."""
    artifacts.write(f"{model_name(model)}/stories.json", _STORIES.dump_json(stories))


def read_stories(artifacts: ArtifactStore, model: str) -> Stories | None:
    """What `write_stories` kept last; None if there is nothing, or nothing readable."""
    return _read(artifacts, f"{model_name(model)}/stories.json", _STORIES)


def write_trial(artifacts: ArtifactStore, challenger: str, digest: str, trial: Trial) -> None:
    """Keep what came of one training of a cross-validation, by a digest of what it depends on."""
    artifacts.write(f"{cycle_name(challenger)}/folds/{digest}.json", _TRIAL.dump_json(trial))


def read_trial(artifacts: ArtifactStore, challenger: str, digest: str) -> Trial | None:
    """What `write_trial` kept; None if there is nothing, or nothing readable."""
    return _read(artifacts, f"{cycle_name(challenger)}/folds/{digest}.json", _TRIAL)


def write_uses(artifacts: ArtifactStore, uses: Uses) -> None:
    """Keep how often each utterance of the assistant's holdout was asked."""
    artifacts.write("holdout/uses.json", _USES.dump_json(uses))


def read_uses(artifacts: ArtifactStore) -> Uses | None:
    """What `write_uses` kept; None as long as no cycle did, or if it cannot be read any more."""
    return _read(artifacts, "holdout/uses.json", _USES)


def _read(artifacts: ArtifactStore, name: str, of: TypeAdapter[_Record]) -> _Record | None:
    content = artifacts.read(name)
    if content is None:
        return None
    try:
        return of.validate_json(content)
    except ValidationError:
        return None


def _needed(artifacts: ArtifactStore, name: str, of: TypeAdapter[_Record]) -> _Record:
    record = _read(artifacts, name, of)
    if record is None:
        raise StorageError(
            f"the record {name} that an earlier step wrote is gone or damaged",
            tip="`retrainer run-once` starts afresh",
        )
    return record
