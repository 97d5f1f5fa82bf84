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
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import banking77
import nlu_files
from measurement import FOLDER, REPOSITORY, rasa_python, say

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.rasa_client import RasaClient
from retrainer.domain.comparison import unseen
from retrainer.domain.examples import Example, example_key
from retrainer.domain.predictions import Prediction
from retrainer.domain.split import distinct, split
from retrainer.pipeline import records
from retrainer.ports import Project

DATA_SETS = ("helpdesk", "banking77")
#: Share of the training labels that are wrong in a corrupted model's data.
CORRUPTED = 0.1
#: Of each, in the order of the alphabet: the first intents of BANKING77, and their first examples.
_INTENTS, _EXAMPLES = 20, 40
#: Share of helpdesk that is held out, and the size below which an intent stays whole.
_HOLDOUT, _MINIMUM = 0.25, 5
_EPOCHS = {"helpdesk": 50, "banking77": 12}
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
  batch_size: 64
  constrain_similarities: true
  entity_recognition: false
  random_seed: {seed}
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

    @property
    def epochs(self) -> int:
        """How long each model is trained."""
        return _EPOCHS[self.name]


@dataclass(frozen=True, slots=True)
class Model:
    """One training; `corrupted`: from a tenth of wrong labels, drawn with the seed."""

    data: DataSet
    seed: int
    corrupted: bool = False

    @property
    def config(self) -> str:
        """Rasa's config.yml."""
        return _CONFIG.format(epochs=self.data.epochs, seed=self.seed)

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
        """Read a data set that is there."""
        folder = data_folder() / name
        return _banking77(folder) if name == "banking77" else self._helpdesk(folder)

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

    def _helpdesk(self, folder: Path) -> DataSet:
        nlu = folder / "data" / "nlu.yml"
        artifacts = FolderArtifacts(_FOLDER / folder.name)
        digest = hashlib.sha256(nlu.read_bytes()).hexdigest()[:12]
        if artifacts.read(f"{records.cycle_name(digest)}/contents.json") is None:
            found = records.Contents(self._rasa.read_examples([nlu]), (), ())
            records.write_contents(artifacts, digest, found)
        examples = records.read_contents(artifacts, digest).examples
        # Intents alone are judged here, and the models learn nothing else.
        plain = [replace(example, entities=()) for example in examples]
        parts = split(plain, fraction=_HOLDOUT, minimum=_MINIMUM)
        return DataSet(folder.name, parts.training, distinct(parts.held_out))

    def _train(self, model: Model) -> Path:
        folder = _FOLDER / model.data.name / "training"
        shutil.rmtree(folder, ignore_errors=True)
        texts: dict[str, list[str]] = {}
        for example in model.examples:
            texts.setdefault(example.label, []).append(example.text)
        nlu_files.write(folder / "nlu.yml", texts)
        config, domain = folder / "config.yml", folder / "domain.yml"
        config.write_text(model.config, encoding="utf-8")
        domain.write_text(f"intents: {json.dumps(sorted(texts))}\n", encoding="utf-8")
        project = Project(root=folder, config=config, domain=(domain,), data=(folder / "nlu.yml",))
        return self._rasa.train(project, model.name, folder / "models", lambda _: None)


def client() -> RasaClient:
    """Rasa's worker, with a cache that keeps what does not depend on the seed."""
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
    learned = _examples(training, intents)
    keys = frozenset(example_key(example.text) for example in learned)
    # A few utterances stand in both of the files.
    held_out = unseen(_examples(test, intents), challenger_saw=keys, champion_saw=frozenset())
    return DataSet("banking77", learned, distinct(held_out.examples))


def _examples(texts: Mapping[str, Iterable[str]], intents: Iterable[str]) -> tuple[Example, ...]:
    return tuple(Example(text, intent) for intent in intents for text in texts[intent])
