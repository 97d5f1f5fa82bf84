"""Real DIET models that differ by chance, or by wrong labels: trained once, their answers kept.

Helpdesk is split by the stable hash, as a cycle does; BANKING77 comes with a test set of its own,
and 20 of its intents are used. All models of a data set learn from the same part with the same
pipeline; only `random_seed` differs, and for the corrupted ones a tenth of the labels.
"""

import hashlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import banking77
import nlu_files
from measurement import FOLDER, REPOSITORY, rasa_python, say

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.examples import Example
from retrainer.domain.predictions import Prediction
from retrainer.domain.split import distinct, split
from retrainer.pipeline import records
from retrainer.ports import Project

#: Share of the training labels that are wrong in a corrupted model's data.
CORRUPTED = 0.1
#: Of each, in the order of the alphabet: the first intents of BANKING77, and their first examples.
_INTENTS, _EXAMPLES = 20, 60
#: Share of helpdesk that is held out, and the size below which an intent stays whole.
_HOLDOUT, _MINIMUM = 0.25, 5
_EPOCHS = {"helpdesk": 100, "banking77": 25}
_CONFIG = """\
recipe: default.v1
assistant_id: real-noise
language: en
pipeline:
- name: WhitespaceTokenizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 4
- name: DIETClassifier
  epochs: {epochs}
  constrain_similarities: true
  random_seed: {seed}
- name: EntitySynonymMapper
- name: FallbackClassifier
  threshold: 0.3
  ambiguity_threshold: 0.1
"""
_FOLDER = FOLDER / "real_noise"


@dataclass(frozen=True, slots=True)
class DataSet:
    """What the models of one data set learn from, and what they are measured on."""

    name: str
    training: tuple[Example, ...]
    held_out: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """One training; `corrupted`: from a tenth of wrong labels, drawn with the seed."""

    data: DataSet
    seed: int
    corrupted: bool = False

    @property
    def config(self) -> str:
        """Rasa's config.yml."""
        return _CONFIG.format(epochs=_EPOCHS[self.data.name], seed=self.seed)

    @property
    def examples(self) -> tuple[Example, ...]:
        """What it learns from."""
        return corrupt(self.data.training, self.seed) if self.corrupted else self.data.training

    @property
    def name(self) -> str:
        """Kind, seed, and a digest of all that the model depends on."""
        content = json.dumps([[e.text, e.label] for e in self.examples])
        digest = hashlib.sha256(f"{self.config}{content}".encode()).hexdigest()[:12]
        return f"{'corrupted' if self.corrupted else 'clean'}-{self.seed:03d}-{digest}"


class NoisyModels:
    """Trains what is missing, one model at a time; what a model answered is never asked again."""

    def __init__(self, rasa: RasaClient) -> None:
        self._rasa = rasa

    def data(self, name: str) -> DataSet:
        """Read a data set; ends the benchmark when it is not there."""
        folder = data_folder() / name
        if not folder.is_dir():
            sys.exit(f"there is no {folder}; set {banking77.DATA} to the folder that holds {name}/")
        if name == "banking77":
            return _banking77(folder)
        artifacts = FolderArtifacts(_FOLDER / name)
        nlu = folder / "data" / "nlu.yml"
        stamp = hashlib.sha256(nlu.read_bytes()).hexdigest()[:12]
        if artifacts.read(f"{records.cycle_name(stamp)}/contents.json") is None:
            found = records.Contents(self._rasa.read_examples([nlu]), (), ())
            records.write_contents(artifacts, stamp, found)
        examples = records.read_contents(artifacts, stamp).examples
        parts = split(examples, fraction=_HOLDOUT, minimum=_MINIMUM)
        return DataSet(name, parts.training, distinct(parts.held_out))

    def answers(self, model: Model) -> Mapping[str, Prediction]:
        """The model's answer to each held-out text, by text."""
        artifacts = FolderArtifacts(_FOLDER / model.data.name)
        known = records.read_predictions(artifacts, model.name)
        texts = [example.text for example in model.data.held_out]
        if not known.keys() >= set(texts):
            started = time.perf_counter()
            archive = self._train(model)
            known = {p.text: p for p in self._rasa.predict(archive, texts, lambda _: None)}
            records.write_predictions(artifacts, model.name, known)
            archive.unlink()
            right = sum(known[e.text].intent == e.intent for e in model.data.held_out)
            say(
                f"{model.data.name} {model.name}: accuracy {right / len(texts):.3f}, "
                f"{time.perf_counter() - started:.0f} s"
            )
        return known

    def _train(self, model: Model) -> Path:
        folder = _FOLDER / model.data.name / "training"
        shutil.rmtree(folder, ignore_errors=True)
        texts: dict[str, list[str]] = {}
        for example in model.examples:
            texts.setdefault(example.label, []).append(_annotated(example))
        nlu_files.write(folder / "nlu.yml", texts)
        config, domain = folder / "config.yml", folder / "domain.yml"
        config.write_text(model.config, encoding="utf-8")
        entities = sorted({entity.type for e in model.examples for entity in e.entities})
        lines = ['version: "3.1"', f"intents: {json.dumps(sorted(texts))}"]
        lines.append(f"entities: {json.dumps(entities)}")
        domain.write_text("\n".join([*lines, ""]), encoding="utf-8")
        project = Project(root=folder, config=config, domain=(domain,), data=(folder / "nlu.yml",))
        return self._rasa.train(project, model.name, folder / "models", lambda _: None)


def client() -> RasaClient:
    """Rasa's worker, with a cache that keeps what does not depend on the seed."""
    if not rasa_python().exists():
        sys.exit(f"there is no {rasa_python()}: run `make rasa`, or set RETRAINER_RASA__PYTHON")
    log = _FOLDER / "worker.log"
    return RasaClient(python=rasa_python(), cache=_FOLDER / "rasa_cache", log=log)


def data_folder() -> Path:
    """Where the data sets are."""
    return Path(os.environ.get(banking77.DATA, REPOSITORY.parent / "shared" / "data"))


def corrupt(examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """A tenth of the examples under another intent, any of them with the same chance."""
    draw = random.Random(seed)
    intents = sorted({example.intent for example in examples})
    wrong = set(draw.sample(range(len(examples)), round(CORRUPTED * len(examples))))
    return tuple(
        replace(example, intent=draw.choice([i for i in intents if i != example.intent]))
        if place in wrong
        else example
        for place, example in enumerate(examples)
    )


def _banking77(folder: Path) -> DataSet:
    training = banking77.read(folder / "train.csv", _EXAMPLES)
    test = banking77.read(folder / "test.csv")
    intents = sorted(training)[:_INTENTS]
    # What is in both parts of the original would not be unseen.
    held_out = distinct(_examples(test, intents))
    unseen = {example.text for example in held_out}
    kept = (e for e in _examples(training, intents) if e.text not in unseen)
    return DataSet("banking77", tuple(kept), held_out)


def _examples(texts: Mapping[str, Iterable[str]], intents: Iterable[str]) -> list[Example]:
    return [Example(text, intent) for intent in intents for text in texts[intent]]


def _annotated(example: Example) -> str:
    """The text with its entities, as Rasa's training data writes them."""
    text = example.text
    for entity in sorted(example.entities, key=lambda e: -e.start):
        what = json.dumps({"entity": entity.type, "value": entity.value})
        span = f"[{text[entity.start : entity.end]}]{what}"
        text = text[: entity.start] + span + text[entity.end :]
    return text
