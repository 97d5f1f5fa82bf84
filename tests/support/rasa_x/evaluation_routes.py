"""Evaluations and training jobs, done by the real Rasa where the server was given a worker."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.rasa_x.exchange import NO_CONTENT, Call, Refusal, Reply, as_json, failure
from support.rasa_x.model_routes import model_object
from support.rasa_x.model_store import StoredModel, as_tar
from support.rasa_x.nlu_export import as_yaml
from support.rasa_x.world import World

from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.examples import Example
from retrainer.domain.metrics import measure
from retrainer.domain.predictions import Prediction
from retrainer.errors import RetrainerError
from retrainer.ports import Project


def list_evaluations(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """All that were computed."""
    known = [(world.models.get(name), result) for name, result in world.evaluations.items()]
    return as_json(
        [
            {
                "project_id": "default",
                "intent_evaluation": result,
                "model": model_object(world, model),
            }
            for model, result in known
            if model is not None
        ]
    )


def evaluate(world: World, call: Call) -> Reply:
    """Run a model over all stored examples; those it was trained on, so the figures flatter it."""
    name = call.params["model"]
    model = world.models.get(name)
    if model is None:
        return failure(404, "ModelNotFound", f"Model '{name}' was not found.")
    if world.switches.evaluation_fails:
        return failure(500, "TestingError", "An unexpected error occurred during testing.")
    fixed = world.switches.fixed_evaluations.get(name)
    if fixed is not None:
        world.evaluations[name] = {"report": {}, "predictions": [], **fixed}
        return _shown(world, world.evaluations[name])
    if world.rasa is None:
        return failure(400, "EvaluationError", "There is no Rasa worker behind this server.")
    try:
        with world.working, world.models.tag_during(name, "evaluation"):
            result = _computed(world, world.rasa, model)
    except RetrainerError as error:
        return failure(400, "EvaluationError", str(error))
    world.evaluations[name] = result
    return _shown(world, result)


def get_evaluation(world: World, call: Call) -> Reply:
    """What was computed last."""
    return _shown(world, _evaluated(world, call))


def delete_evaluation(world: World, call: Call) -> Reply:
    """Forget it."""
    _evaluated(world, call)
    world.evaluations.pop(call.params["model"], None)
    return NO_CONTENT


def train(world: World, call: Call) -> Reply:  # noqa: ARG001 - a handler
    """Train on what is stored; the connection stays open all the while."""
    switches = world.switches
    if switches.training_fails:
        return _training_failed(world, switches.training_fails)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09d}"
    with world.working, tempfile.TemporaryDirectory(dir=world.folder) as scratch:
        digest = _digest(world)
        known = world.models.get(world.trained.get(digest, ""))
        if known is not None:
            info = "No new model was trained, the data has not changed."
            return as_json({"info": info, "path": f"/app/models/{known.path.name}"}, 201)
        if switches.fixed_training is not None:
            archive = switches.fixed_training
        elif world.rasa is None:
            return failure(400, "TrainingError", "There is no Rasa worker behind this server.")
        else:
            folder = Path(scratch)
            try:
                project = write_project(world, folder / "project")
                archive = world.rasa.train(project, name, folder, lambda _: None)
            except RetrainerError as error:
                return _training_failed(world, str(error))
        world.models.add(name, archive)
        world.trained[digest] = name
    return as_json({"info": f"New model trained: {name}.", "model": name})


def write_project(world: World, root: Path) -> Project:
    """The stored data as a project on disk."""
    data = root / "data"
    data.mkdir(parents=True)
    (root / "config.yml").write_text(world.data.config or "", encoding="utf-8")
    (root / "domain.yml").write_text(world.data.domain or "", encoding="utf-8")
    with (data / "nlu.yml").open("wb") as file:
        file.writelines(as_yaml(world.data.nlu))
    for number, each in enumerate(world.data.stories + world.data.rules):
        if not each["is_test"]:
            (data / f"stories_{number}.yml").write_text(each["story"], encoding="utf-8")
    return Project(root, root / "config.yml", (root / "domain.yml",), (data,))


def _digest(world: World) -> str:
    """Of all that a model is made from."""
    data, fixed = world.data, world.switches.fixed_training
    digest = hashlib.sha256(f"{data.config}\0{data.domain}\0{fixed}".encode())
    for each in data.stories + data.rules:
        digest.update(each["story"].encode())
    for piece in as_yaml(data.nlu):
        digest.update(piece)
    return digest.hexdigest()


def _computed(world: World, rasa: RasaClient, model: StoredModel) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=world.folder) as scratch:
        folder = Path(scratch)
        with (folder / "nlu.yml").open("wb") as file:
            file.writelines(as_yaml(world.data.nlu))
        examples = [each for each in rasa.read_examples([folder / "nlu.yml"]) if each.intent]
        archive = as_tar(model.path, folder)
        if archive == model.path:  # Rasa reads a copy: the model may be deleted meanwhile
            archive = Path(shutil.copy(model.path, folder))
        answers = rasa.predict(archive, [each.text for each in examples], lambda _: None)
    return intent_evaluation(examples, answers, as_text=world.era.text_report)


def intent_evaluation(
    examples: list[Example], answers: tuple[Prediction, ...], *, as_text: bool
) -> dict[str, Any]:
    """The figures as the API shows them; the report is a table of text, or an object."""
    figures = measure(examples, answers)
    rows = {
        intent: {
            "precision": each.precision,
            "recall": each.recall,
            "f1-score": each.f1,
            "support": each.support,
        }
        for intent, each in figures.intents.items()
    }
    for kind in ("macro", "weighted"):
        rows[f"{kind} avg"] = {
            "precision": figures.metrics[f"precision_{kind}"],
            "recall": figures.metrics[f"recall_{kind}"],
            "f1-score": figures.metrics[f"f1_{kind}"],
            "support": len(examples),
        }
    accuracy = figures.metrics["accuracy"]
    return {
        "report": _table(rows) if as_text else {**rows, "accuracy": accuracy},
        "accuracy": accuracy,
        "f1_score": figures.metrics["f1_weighted"],
        "precision": figures.metrics["precision_weighted"],
        "predictions": [
            {
                "text": example.text,
                "intent": example.intent,
                "predicted": answer.intent,
                "confidence": answer.confidence,
            }
            for example, answer in zip(examples, answers, strict=True)
        ],
    }


def _table(rows: dict[str, dict[str, float]]) -> str:
    """As scikit-learn prints it."""
    width = max(map(len, rows))
    heads = ("precision", "recall", "f1-score", "support")
    lines = [" " * width + "".join(f"{head:>11}" for head in heads), ""]
    for name, row in rows.items():
        shown = "".join(f"{row[head]:>11.2f}" for head in heads[:3])
        lines.append(f"{name:>{width}}{shown}{row['support']:>11}")
    return "\n".join(lines) + "\n"


def _shown(world: World, result: dict[str, Any]) -> Reply:
    return as_json({"intent_evaluation": result} if world.era.wrapped_evaluation else result)


def _evaluated(world: World, call: Call) -> dict[str, Any]:
    result = world.evaluations.get(call.params["model"])
    if result is None:
        message = f"Model '{call.params['model']}' was not evaluated."
        raise Refusal(failure(404, "EvaluationNotFound", message))
    return result


def _training_failed(world: World, message: str) -> Reply:
    status = world.era.training_failure_status
    details = {"status": "failure", "message": message, "reason": "TrainingError", "code": 500}
    return failure(status, "StackTrainingFailed", "Failed to train a Rasa model.", details)


HANDLERS: dict[str, Callable[[World, Call], Reply]] = {
    "list_evaluations": list_evaluations,
    "evaluate": evaluate,
    "get_evaluation": get_evaluation,
    "delete_evaluation": delete_evaluation,
    "train": train,
}
