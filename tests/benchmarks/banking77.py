"""BANKING77: two models measured on its test set, in one worker or by `rasa test nlu`."""

import csv
import hashlib
import json
import os
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import nlu_files
from measurement import (
    BENCHMARKS,
    FOLDER,
    REPETITIONS,
    REPOSITORY,
    Comparison,
    Figure,
    Run,
    best,
    measure,
    rasa_python,
    say,
)

TITLE = "BANKING77: champion and challenger (DIET) measured on its test set"
DATA = "RETRAINER_BENCH_DATA"
#: Examples of each intent to train on. Quality does not matter here, and training takes a while.
EXAMPLES = {"champion": 15, "challenger": 20}
_FOLDER = FOLDER / "banking77"
_TOLERANCE = 1e-9
_CONFIG = """\
recipe: default.v1
assistant_id: banking77
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 4
- name: DIETClassifier
  epochs: 8
  learning_rate: 0.005
  random_seed: 7
- name: EntitySynonymMapper
- name: FallbackClassifier
  threshold: 0.3
"""


def compare() -> Comparison:
    """Measure both sides in turns."""
    data = Path(os.environ.get(DATA, REPOSITORY.parent / "shared" / "data")) / "banking77"
    if not data.is_dir():
        return Comparison(
            TITLE, skipped=f"there is no {data}; set {DATA} to the folder that holds banking77/"
        )
    test_set = nlu_files.write(_FOLDER / "test.yml", read(data / "test.csv"))
    models = {name: _train(name, data / "train.csv") for name in EXAMPLES}
    theirs: dict[str, list[Run]] = {name: [] for name in EXAMPLES}
    ours, again = [], []
    for _ in range(REPETITIONS):
        fresh, stored = _FOLDER / "fresh", _FOLDER / "stored"
        for folder in (fresh, stored):
            shutil.rmtree(folder, ignore_errors=True)
        theirs["champion"].append(_rasa_test("champion", models, test_set))
        ours.append(_evaluate("both models in one worker", fresh, models, test_set))
        theirs["challenger"].append(_rasa_test("challenger", models, test_set))
        shutil.copytree(fresh / "models" / "champion", stored / "models" / "champion")
        what = "the challenger, the champion's answers stored"
        again.append(_evaluate(what, stored, models, test_set))

    seconds = sum(map(best, theirs.values()))
    return Comparison(
        TITLE,
        figures=(
            Figure("both models asked", best(ours), "s", seconds, limit=1 / 3),
            Figure("champion's predictions stored", best(again), "s", seconds, limit=1 / 5),
        ),
        notes=(
            f"the faster of {REPETITIONS} runs each, in turns; ours with the start of the worker; "
            "theirs: `rasa test nlu --no-plot` twice, "
            + ", ".join(f"{name} {best(runs):.1f} s" for name, runs in theirs.items()),
            *_same_figures([*ours, *again]),
            (
                f"models: DIET, 8 epochs on {' and '.join(map(str, EXAMPLES.values()))} examples of "
                f"each intent, kept in {_FOLDER.relative_to(REPOSITORY)} for the next time; "
                "speed does not depend on their quality"
            ),
        ),
    )


def read(file: Path, most: int | None = None) -> Mapping[str, list[str]]:
    """The texts of each intent, at most so many of one."""
    texts: dict[str, list[str]] = defaultdict(list)
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            known = texts[_intent(row["category"])]
            if most is None or len(known) < most:
                known.append(row["text"])
    return texts


def _intent(category: str) -> str:
    """A category as a valid name of an intent: some have capitals, question marks, apostrophes."""
    return re.sub(r"[^a-z0-9]+", "_", category.lower()).strip("_")


def _train(name: str, file: Path) -> Path:
    """Train with `rasa train nlu`, unless the model of this recipe is there from an earlier time."""
    recipe = f"{_CONFIG}{EXAMPLES[name]}{rasa_python()}"
    stamp = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    model = _FOLDER / f"{name}-{stamp}.tar.gz"
    if not model.exists():
        say(f"BANKING77: training the {name}, once (minutes)")
        folder = _FOLDER / "training"
        shutil.rmtree(folder, ignore_errors=True)
        nlu_files.write(folder / "nlu.yml", read(file, EXAMPLES[name]))
        (folder / "config.yml").write_text(_CONFIG, encoding="utf-8")
        words = "rasa train nlu --nlu nlu.yml --config config.yml --out . --fixed-model-name model"
        measure(words.split(), folder=folder)
        (folder / "model.tar.gz").replace(model)
        shutil.rmtree(folder)
    return model


def _rasa_test(name: str, models: Mapping[str, Path], test_set: Path) -> Run:
    say(f"BANKING77: rasa test nlu, {name}")
    command = ["rasa", "test", "nlu", "--no-plot", "--model", models[name], "--nlu", test_set]
    return measure([*command, "--out", _results(name)], folder=_FOLDER)


def _evaluate(what: str, records: Path, models: Mapping[str, Path], test_set: Path) -> Run:
    say(f"BANKING77: retrainer, {what}")
    script = BENCHMARKS / "evaluate_models.py"
    pairs = [f"{name}={path}" for name, path in models.items()]
    return measure([sys.executable, script, records, test_set, *pairs], folder=_FOLDER)


def _same_figures(runs: Sequence[Run]) -> list[str]:
    """A sentence for each model; ends the benchmark if any figure differs from Rasa's."""
    sentences = []
    for name in EXAMPLES:
        report = json.loads((_results(name) / "intent_report.json").read_text(encoding="utf-8"))
        theirs = report["weighted avg"]["f1-score"]
        for run in runs:
            ours = json.loads(run.output.splitlines()[-1])[name]
            if not abs(ours - theirs) <= _TOLERANCE:
                sys.exit(f"weighted F1 of the {name}: {ours!r} by retrainer, {theirs!r} by Rasa")
        sentences.append(f"weighted F1 of the {name}: {theirs:.9f} on both sides")
    return sentences


def _results(name: str) -> Path:
    return _FOLDER / "results" / name
