"""What the Rasa client makes of JSON and logs, and what its worker is written in."""

import ast
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retrainer.adapters import rasa_codec as codec
from retrainer.adapters.rasa_process import read_last_lines
from retrainer.domain.cycle import Finding, Severity
from retrainer.domain.examples import Entity, Example, MustPass
from retrainer.domain.predictions import Prediction
from retrainer.errors import ModelArchiveError
from retrainer.ports import Project

WORKER = Path(codec.__file__).parents[1] / "rasa_worker"
ENTITY = {"type": "city", "value": "Rome", "start": 0, "end": 4, "role": "to", "group": None}
EXAMPLE = {
    "text": "Rome",
    "intent": "faq",
    "entities": [ENTITY],
    "response": "faq/place",
    "file": "data/nlu.yml",
    "line": 7,
}
METADATA = {
    "domain": {"intents": ["greet", {"bye": {"use_entities": []}}], "actions": ["action_pay"]},
    "trained_at": "2026-01-02T03:04:05.000006",
    "rasa_open_source_version": "3.6.21",
    "model_id": "abc",
    "train_schema": {
        "nodes": {
            "schema_validator": {"uses": "rasa.a.SchemaValidator", "fn": "validate"},
            "train_D1": {"uses": "rasa.b.DIETClassifier", "fn": "train"},
            "run_D1": {"uses": "rasa.b.DIETClassifier", "fn": "process_training_data"},
        }
    },
}


def test_project_survives_the_way() -> None:
    """The paths of a project are the same after JSON."""
    project = Project(Path("/a"), Path("/a/c"), (Path("/a/d"), Path("/a/e")), (Path("/a/f"),))
    assert codec.project(json.loads(json.dumps(codec.project_to_json(project)))) == project


def test_examples_findings_and_must_pass() -> None:
    """Every field arrives where it belongs."""
    entity = Entity("city", "Rome", 0, 4, role="to")
    example = Example("Rome", "faq", (entity,), "faq/place", "data/nlu.yml", 7)
    assert codec.example(EXAMPLE) == example
    assert codec.must_pass({"example": EXAMPLE, "minimum_confidence": 0.8}) == MustPass(
        example, 0.8
    )
    fields = {"severity": "error", "message": "m", "file": "f", "line": 3}
    assert codec.finding(fields) == Finding(Severity.ERROR, "m", "f", 3)


def test_predictions() -> None:
    """The text is the one that was asked, whatever the model made of it."""
    fields = {
        "intent": "a",
        "confidence": 0.5,
        "served_intent": "nlu_fallback",
        "served_confidence": 0.7,
        "entities": [ENTITY],
        "response": None,
        "ranking": [["a", 0.5], ["b", 0.25]],
    }
    assert codec.prediction("x", fields) == Prediction(
        text="x",
        intent="a",
        confidence=0.5,
        served_intent="nlu_fallback",
        served_confidence=0.7,
        entities=(Entity("city", "Rome", 0, 4, role="to"),),
        ranking=(("a", 0.5), ("b", 0.25)),
    )


def test_description() -> None:
    """Times are aware, components those that were trained, names without their options."""
    described = codec.description(Path("m.tar.gz"), METADATA)
    assert described.intents == ("greet", "bye")
    assert described.actions == ("action_pay",)
    assert described.components == ("DIETClassifier",)
    assert described.trained_at == datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize("key", METADATA)
def test_description_of_what_is_no_rasa_model(key: str) -> None:
    """Metadata without one of Rasa's keys is refused, with the file's name."""
    lacking = {name: value for name, value in METADATA.items() if name != key}
    with pytest.raises(ModelArchiveError, match=r"m\.tar\.gz"):
        codec.description(Path("m.tar.gz"), lacking)
    with pytest.raises(ModelArchiveError):
        codec.description(Path("m.tar.gz"), METADATA | {key: 3})


def test_last_lines_of_a_log(tmp_path: Path) -> None:
    """The end of a log that may be long, hold progress bars, broken characters and blank lines."""
    log = tmp_path / "log"
    assert read_last_lines(log, 3) == []
    log.write_bytes(b"early\n" * 100_000 + b"one\n\n10%\r50%\r90%\nt\xffwo\n")
    assert read_last_lines(log, 3) == ["one", "90%", "t\ufffdwo"]


@pytest.mark.parametrize("file", sorted(WORKER.glob("*.py")), ids=lambda file: file.name)
def test_worker_is_written_for_rasas_python(file: Path) -> None:
    """Rasa runs on Python 3.8 too, and has nothing of the service beside it."""
    tree = ast.parse(file.read_text(), feature_version=(3, 8))
    imported = [
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    ]
    assert not [name for name in imported if name.partition(".")[0] == "retrainer"]


def test_lock_of_the_worker_names_no_place() -> None:
    """Every package is pinned with hashes, wherever the user's packages come from."""
    lines = (WORKER / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and line[0] not in " #"]
    assert any(pin.startswith("rasa==3.6.") for pin in pins)
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert not [line for line in lines if "://" in line or line.startswith(("-", "/"))]
