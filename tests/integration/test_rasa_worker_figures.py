"""What retrainer measures is what `rasa test nlu` measures."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import rasa_projects

from retrainer.adapters import processes
from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.examples import Example
from retrainer.domain.metrics import measure
from retrainer.domain.predictions import Prediction

pytestmark = pytest.mark.rasa

TEST_SET = """
version: "3.1"
nlu:
  - intent: greet
    examples: |
      - hello
      - hi to you all
      - good morning friend
      - zzz unknown qqq
  - intent: bye
    examples: |
      - bye bye
      - see you tomorrow
      - good
      - farewell
  - intent: order
    examples: |
      - I want [soup](dish)
      - bring me a [burger](dish) and a [pizza](dish) please
      - from [Rome]{"entity": "city", "role": "from"} to [Berlin]{"entity": "city", "role": "to"}
      - [hamburger]{"entity": "dish", "value": "burger"}
      - one [pizza](dish) , one [soup](dish) , two [burgers]{"entity": "dish", "value": "burger"} , deliver them to [Paris]{"entity": "city", "role": "to"} at 8 o'clock please my friend
      - order
  - intent: faq/hours
    examples: |
      - when do you close
      - your opening hours
  - intent: faq/place
    examples: |
      - where is the street
      - what address do you have
  - intent: unseen
    examples: |
      - what is the meaning of life
"""
ODD_TEXTS = (
    "",
    " ",
    "/greet",
    '/order{"dish": "soup"}',
    "héllo wörld ☀",
    "a " * 60,
    "hello\nthere",
)


@dataclass(frozen=True)
class Reference:
    """What the real command reports, and what Rasa answered to each message."""

    report: dict[str, Any]
    answers: list[dict[str, Any]]


def rasa_test_nlu(python: Path, model: Path, folder: Path) -> Reference:
    """Run the real command on the test set."""
    nlu_file = rasa_projects.write(folder / "test.yml", TEST_SET)
    script = Path(rasa_projects.__file__).with_name("rasa_test_nlu.py")
    results, answers = folder / "results", folder / "answers.json"
    words = [python, script, model, nlu_file, results, answers]
    environment = {"RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3"}
    processes.run(words, timeout=300, folder=folder, environment=environment)
    return Reference(
        json.loads((results / "intent_report.json").read_text()), json.loads(answers.read_text())
    )


def assert_same_figures(
    reference: Reference, examples: tuple[Example, ...], predictions: tuple[Prediction, ...]
) -> None:
    """Every number of Rasa's report, to 1e-9."""
    figures = measure(examples, predictions)
    report = dict(reference.report)
    expected = {
        f"{name}_{average}": report[f"{average} avg"][rasa_name]
        for average in ("weighted", "macro")
        for name, rasa_name in (
            ("precision", "precision"),
            ("recall", "recall"),
            ("f1", "f1-score"),
        )
    }
    if "accuracy" in report:
        expected["accuracy"] = report.pop("accuracy")
    assert {name: figures.metrics[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    for average in ("weighted avg", "macro avg", "micro avg"):
        report.pop(average, None)
    assert set(report) == set(figures.intents)
    for intent, row in report.items():
        ours = figures.intents[intent]
        assert (ours.precision, ours.recall, ours.f1) == pytest.approx(
            (row["precision"], row["recall"], row["f1-score"]), abs=1e-9
        )
        assert ours.support == row["support"]


def assert_same_answers(reference: Reference, predictions: tuple[Prediction, ...]) -> None:
    """Asked all at once, the model answers as it does to one message after the other."""
    for ours, answer in zip(predictions, reference.answers, strict=True):
        assert ours.text == answer["text"]
        assert ours.served_intent == answer["intent"]["name"]
        assert ours.served_confidence == pytest.approx(answer["intent"]["confidence"], abs=1e-6)
        ranking = [(r["name"], r["confidence"]) for r in answer["intent_ranking"]]
        if ours.served_intent == "nlu_fallback":
            ranking = ranking[1:]
        assert (ours.intent, ours.confidence) == ours.ranking[0]
        assert dict(ours.ranking) == pytest.approx(dict(ranking), abs=1e-6)
        assert [(e.type, e.value, e.start, e.end, e.role, e.group) for e in ours.entities] == [
            (e["entity"], e["value"], e["start"], e["end"], e.get("role"), e.get("group"))
            for e in answer["entities"]
        ]
        selected = answer.get("response_selector", {}).get("faq", {}).get("response", {})
        if ours.intent == "faq":
            assert ours.response == selected.get("intent_response_key")


@pytest.mark.parametrize("model", ["fast_model", "diet_model"])
def test_figures_and_answers_are_those_of_rasa_test_nlu(
    model: str,
    request: pytest.FixtureRequest,
    rasa: RasaClient,
    rasa_python: Path,
    tmp_path: Path,
) -> None:
    """Every figure equals that of `rasa test nlu`, and every answer that to a single message."""
    archive = request.getfixturevalue(model)
    reference = rasa_test_nlu(rasa_python, archive, tmp_path)
    examples = rasa.read_examples([tmp_path / "test.yml"])
    assert [e.text for e in examples] == [answer["text"] for answer in reference.answers]
    predictions = rasa.predict(archive, [e.text for e in examples], lambda _: None)
    assert_same_figures(reference, examples, predictions)
    assert_same_answers(reference, predictions)


def test_the_test_set_can_tell(diet_model: Path, rasa: RasaClient, tmp_path: Path) -> None:
    """The comparison above is of something: entities with roles, fallbacks, errors, responses."""
    examples = rasa.read_examples([rasa_projects.write(tmp_path / "test.yml", TEST_SET)])
    predictions = rasa.predict(diet_model, [e.text for e in examples], lambda _: None)
    assert any(entity.role for p in predictions for entity in p.entities)
    assert any(p.served_intent != p.intent for p in predictions)
    assert any(p.response for p in predictions)
    assert sum(p.intent == e.intent for p, e in zip(predictions, examples, strict=True)) > 0


@pytest.mark.parametrize("model", ["fast_model", "diet_model", "compiled_model"])
def test_an_answer_does_not_depend_on_its_neighbours(
    model: str, request: pytest.FixtureRequest, rasa: RasaClient
) -> None:
    """Alone or among others, long or empty, a text gets the same answer."""
    archive = request.getfixturevalue(model)
    texts = [*ODD_TEXTS, "I want a pizza", "hello"]
    together = rasa.predict(archive, texts, lambda _: None)
    for text, one in zip(texts, together, strict=True):
        (alone,) = rasa.predict(archive, [text], lambda _: None)
        assert one.served_intent == alone.served_intent
        assert dict(one.ranking) == pytest.approx(dict(alone.ranking), abs=1e-6)
        assert one.entities == alone.entities
        assert one.response == alone.response
