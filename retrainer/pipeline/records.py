"""Small files that one step leaves for a later one, or one cycle for the next.

Names are fixed here, so that a resumed cycle finds them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from retrainer.domain.examples import Example, MustPass
from retrainer.domain.predictions import Prediction
from retrainer.errors import StorageError
from retrainer.ports import ArtifactStore, Project


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read from a snapshot: training examples, explicit test examples, must-pass."""

    examples: tuple[Example, ...]
    test_data: tuple[Example, ...]
    must_pass: tuple[MustPass, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model was trained on: the snapshot, and the `example_key` of every text, sorted."""

    snapshot: str
    keys: tuple[str, ...]


_CONTENTS = TypeAdapter(Contents)
_MANIFEST = TypeAdapter(Manifest)
_PROJECT = TypeAdapter(Project)
_PREDICTIONS = TypeAdapter(tuple[Prediction, ...])


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
    """What `write_contents` kept; StorageError if it is gone."""
    return _CONTENTS.validate_json(_needed(artifacts, f"{cycle_name(challenger)}/contents.json"))


def write_training_project(artifacts: ArtifactStore, challenger: str, project: Project) -> None:
    """Keep where the parts of the project to train on are."""
    content = _PROJECT.dump_json(project)
    artifacts.write(f"{cycle_name(challenger)}/training_project.json", content)


def read_training_project(artifacts: ArtifactStore, challenger: str) -> Project:
    """What `write_training_project` kept; StorageError if it is gone."""
    return _PROJECT.validate_json(
        _needed(artifacts, f"{cycle_name(challenger)}/training_project.json")
    )


def write_manifest(artifacts: ArtifactStore, model: str, manifest: Manifest) -> None:
    """Keep what a model is trained on, as long as the model."""
    artifacts.write(f"{model_name(model)}/manifest.json", _MANIFEST.dump_json(manifest))


def read_manifest(artifacts: ArtifactStore, model: str) -> Manifest | None:
    """What the model was trained on; None for a model of unknown origin."""
    content = artifacts.read(f"{model_name(model)}/manifest.json")
    return None if content is None else _MANIFEST.validate_json(content)


def write_predictions(
    artifacts: ArtifactStore, model: str, predictions: Mapping[str, Prediction]
) -> None:
    """Keep a model's answers, so that it is never asked the same utterance twice."""
    content = _PREDICTIONS.dump_json(tuple(predictions.values()))
    artifacts.write(f"{model_name(model)}/predictions.json", content)


def read_predictions(artifacts: ArtifactStore, model: str) -> dict[str, Prediction]:
    """The model's answers so far, by text."""
    content = artifacts.read(f"{model_name(model)}/predictions.json")
    if content is None:
        return {}
    return {prediction.text: prediction for prediction in _PREDICTIONS.validate_json(content)}


def _needed(artifacts: ArtifactStore, name: str) -> bytes:
    content = artifacts.read(name)
    if content is None:
        raise StorageError(
            f"the record {name} that an earlier step wrote is gone",
            tip="`retrainer run-once` starts afresh",
        )
    return content
