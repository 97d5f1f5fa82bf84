"""`retrainer compare` on two real DIET models, and beside `rasa test nlu`."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.metrics import f1_score
from support.commands import Answer, Workplace, nlu
from support.rasa_projects import write

from retrainer.adapters.rasa_client import RasaClient

pytestmark = pytest.mark.rasa

Compare = Callable[..., Answer]

TEST = """
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hello my friend
    - hi everybody
    - good evening to you
    - hey you there
- intent: bye
  examples: |
    - goodbye then
    - see you tomorrow
    - bye my dear
- intent: order
  examples: |
    - one pizza please
    - bring me some soup
    - order a salad to Rome
- intent: faq/hours
  examples: |
    - when are you open
    - opening hours please
"""


@pytest.fixture(scope="module")
def tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Utterances that neither model was trained on."""
    return write(tmp_path_factory.mktemp("compared") / "test.yml", TEST)


@pytest.fixture
def compare(rasa_python: Path, tmp_path: Path) -> Compare:
    """Runs the command in a folder without a config file."""
    place = Workplace(tmp_path, rasa_python)

    def run(*arguments: str | Path, code: int = 0) -> Answer:
        return place.run("compare", *map(str, arguments), code=code)

    return run


def test_every_figure_can_be_had_by_hand(
    compare: Compare, rasa: RasaClient, diet_model: Path, compiled_model: Path, tests: Path
) -> None:
    """Wins, losses, F1, confused pairs and flips are what the models' own answers add up to."""
    answer = compare(diet_model, compiled_model, "--data", tests, "--json")
    document = json.loads(answer.out)
    gold = {example.text: example.intent for example in rasa.read_examples([tests])}
    before, after = (
        {p.text: p for p in rasa.predict(model, list(gold), lambda _: None)}
        for model in (diet_model, compiled_model)
    )
    rights = Counter(
        (before[text].served_intent == intent, after[text].served_intent == intent)
        for text, intent in gold.items()
    )
    evidence = document["evidence"]
    assert (evidence["items"], evidence["wins"], evidence["losses"]) == (
        len(gold),
        rights[False, True],
        rights[True, False],
    )
    assert sum(rights[pair] for pair in ((True, False), (False, True))) > 0, "they do not differ"
    flips = document["evaluation"]["flips"]
    assert {(f["text"], f["regression"]) for f in flips} == {
        (text, before[text].served_intent == intent)
        for text, intent in gold.items()
        if (before[text].served_intent == intent) != (after[text].served_intent == intent)
    }
    for role, answers in (("champion", before), ("challenger", after)):
        metrics = document["evaluation"][role]["metrics"]
        for name, said in (
            ("f1_weighted", [answers[text].intent or "" for text in gold]),
            ("served_f1_weighted", [answers[text].served_intent or "" for text in gold]),
        ):
            theirs = f1_score(list(gold.values()), said, average="weighted", zero_division=0)
            assert metrics[name] == pytest.approx(theirs, abs=1e-9)
    difference = document["differences"]["f1_weighted"]
    assert difference["low"] <= difference["observed"] <= difference["high"]


def test_it_decides_like_a_gate(
    compare: Compare, diet_model: Path, compiled_model: Path, tests: Path
) -> None:
    """A model against itself is nothing new; a worse one is rejected, a few utterances settle little."""
    both = ("--data", tests, "--exit-code")
    assert compare(diet_model, diet_model, *both, code=11).out.startswith("HOLD ")
    worse = compare(diet_model, compiled_model, *both, "--policy", "legacy-2018", code=10)
    assert worse.out.startswith("REJECT ")
    better = compare(compiled_model, diet_model, *both, "--policy", "legacy-2018", "--markdown")
    assert better.out.startswith("## PROMOTE ")
    assert "| metric | champion | challenger | change | 95 % interval |" in better.out


def test_predictions_stand_for_a_model(
    compare: Compare,
    rasa_python: Path,
    diet_model: Path,
    compiled_model: Path,
    tests: Path,
    tmp_path: Path,
) -> None:
    """The figures are the same with stored answers, ours or those of `rasa test nlu --successes`."""
    with_models = json.loads(
        compare(
            diet_model, compiled_model, "--data", tests, "--json", "--save-predictions", "new.json"
        ).out
    )
    stored = json.loads(compare(diet_model, "new.json", "--data", tests, "--json").out)
    assert stored["evidence"] == with_models["evidence"]
    assert stored["differences"] == with_models["differences"]
    theirs = tmp_path / "rasa"
    subprocess.run(
        [
            *(rasa_python, "-m", "rasa", "test", "nlu", "--no-plot", "--successes"),
            *("-m", compiled_model, "-u", tests, "--out", theirs),
        ],
        cwd=tmp_path,
        env=os.environ | {"RASA_TELEMETRY_ENABLED": "false"},
        check=True,
        capture_output=True,
        timeout=180,
    )
    by_rasa = json.loads(compare(diet_model, theirs, "--data", tests, "--json").out)
    for name in ("accuracy", "f1_weighted", "f1_macro"):
        assert by_rasa["differences"][name] == with_models["differences"][name]
    assert "entity_f1" not in by_rasa["evaluation"]["champion"]["metrics"]


def test_test_data_that_is_training_data_is_refused(
    compare: Compare, diet_model: Path, tests: Path, tmp_path: Path
) -> None:
    """With the count; or the others are compared on, and the report says how many were left out."""
    seen = write(tmp_path / "seen.yml", nlu({"greet": ["Hello my  FRIEND", "something else"]}))
    given = (diet_model, diet_model, "--data", tests, "--training-data", seen)
    refused = compare(*given, code=1)
    assert refused.errors[0].startswith("1 of 12 test utterances are training data too, 0 may be")
    compared = compare(*given, "--leave-out-seen")
    assert "11; 1 left out because a model had seen them" in compared.out
