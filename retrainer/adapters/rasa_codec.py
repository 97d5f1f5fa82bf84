"""The JSON that the Rasa worker speaks, as the domain's values."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retrainer.domain.cycle import Finding, Severity
from retrainer.domain.evaluation import StoryResult
from retrainer.domain.examples import Entity, Example, MustPass
from retrainer.domain.predictions import Prediction
from retrainer.errors import ModelArchiveError
from retrainer.ports import ModelDescription, Progress, Project, ProjectContents, Versions

Json = Mapping[str, Any]


def project_to_json(project: Project) -> dict[str, object]:
    """As the worker's requests hold it."""
    return {
        "root": str(project.root),
        "config": str(project.config),
        "domain": [str(path) for path in project.domain],
        "data": [str(path) for path in project.data],
    }


def variant_to_json(seed: int | None, finetune: Path | None) -> dict[str, object]:
    """What makes a training another than the project's own; nothing if it is that."""
    base = None if finetune is None else str(finetune.absolute())
    given: dict[str, object] = {"seed": seed, "finetune": base}
    return {name: value for name, value in given.items() if value is not None}


def models_to_json(models: Iterable[tuple[Path, Path | None]]) -> list[list[str | None]]:
    """Pairs of an archive and the folder of its components."""
    return [
        [str(archive.absolute()), None if code is None else str(code.absolute())]
        for archive, code in models
    ]


def project(fields: Json) -> Project:
    """A project's paths."""
    return Project(
        root=Path(fields["root"]),
        config=Path(fields["config"]),
        domain=tuple(Path(path) for path in fields["domain"]),
        data=tuple(Path(path) for path in fields["data"]),
    )


def versions(fields: Json) -> Versions:
    """What the environment holds."""
    return Versions(fields["python"], fields["rasa"], dict(fields["libraries"]))


def contents(fields: Json) -> ProjectContents:
    """What a project says."""
    return ProjectContents(
        examples=tuple(example(item) for item in fields["examples"]),
        domain_intents=tuple(fields["domain_intents"]),
        domain_actions=tuple(fields["domain_actions"]),
    )


def example(fields: Json) -> Example:
    """A labelled example."""
    return Example(
        text=fields["text"],
        intent=fields["intent"],
        entities=tuple(Entity(**entity) for entity in fields["entities"]),
        response=fields["response"],
        file=fields["file"],
        line=fields["line"],
    )


def must_pass(fields: Json) -> MustPass:
    """A must-pass utterance."""
    return MustPass(example(fields["example"]), fields["minimum_confidence"])


def finding(fields: Json) -> Finding:
    """A finding of the validation."""
    return Finding(Severity(fields["severity"]), fields["message"], fields["file"], fields["line"])


def prediction(text: str, fields: Json) -> Prediction:
    """The answer to `text`."""
    return Prediction(
        text=text,
        intent=fields["intent"],
        confidence=fields["confidence"],
        served_intent=fields["served_intent"],
        served_confidence=fields["served_confidence"],
        entities=tuple(Entity(**entity) for entity in fields["entities"]),
        response=fields["response"],
        ranking=tuple((intent, confidence) for intent, confidence in fields["ranking"]),
    )


def story_result(fields: Json) -> StoryResult:
    """How one test story fared."""
    return StoryResult(fields["name"], fields["file"], fields["problem"])


def progress(fields: Json) -> Progress:
    """A progress event."""
    return Progress(fields["what"], fields["done"], fields["total"], fields["unit"])


def description(archive: Path, metadata: Json) -> ModelDescription:
    """What Rasa's `metadata.json` of an archive says.

    Raises:
        ModelArchiveError: it lacks what every model of Rasa 3 has.
    """
    try:
        domain = metadata["domain"]
        nodes = metadata["train_schema"]["nodes"].values()
        classes = (node["uses"].rpartition(".")[2] for node in nodes if node["fn"] == "train")
        return ModelDescription(
            rasa_version=_text(metadata["rasa_open_source_version"]),
            trained_at=datetime.fromisoformat(metadata["trained_at"]).replace(tzinfo=UTC),
            model_id=_text(metadata["model_id"]),
            intents=tuple(_name(intent) for intent in domain.get("intents") or ()),
            actions=tuple(_name(action) for action in domain.get("actions") or ()),
            components=tuple(dict.fromkeys(classes)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelArchiveError(
            f"{archive}: its metadata is not that of a Rasa 3 model: {type(error).__name__} {error}"
        ) from error


def _name(entry: str | Mapping[str, object]) -> str:
    """Rasa writes `greet` or `{greet: {use_entities: []}}`."""
    return entry if isinstance(entry, str) else next(iter(entry))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
