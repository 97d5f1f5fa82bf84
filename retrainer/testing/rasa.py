"""A stand-in for Rasa that really learns: the nearest training utterance by shared words.

Its projects are folders with `data/nlu.json`, `config.yml` and `domain.yml`; see `write_project`.
More and better data makes its models better, wrong labels make them worse, as with Rasa.
Its models are archives that look like Rasa's, so that platforms which look into them take them.
"""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from retrainer.adapters.files import make_folder, sync_folder, sync_tree, write_atomically
from retrainer.adapters.model_archive import METADATA, require_safe_archive
from retrainer.domain.cycle import Finding
from retrainer.domain.evaluation import StoryResult
from retrainer.domain.examples import Example, MustPass, normalise
from retrainer.domain.predictions import Prediction
from retrainer.errors import ModelArchiveError, ProjectError, RasaError
from retrainer.ports import (
    ModelDescription,
    Progress,
    ProgressListener,
    Project,
    ProjectContents,
    Versions,
)

_VERSION = "3.6.21"
_TRAINED_AT = datetime(2026, 1, 1, tzinfo=UTC)
#: What a model learned is here, in its archive.
_LEARNED = "components/learned.json"


def write_project(
    folder: Path, intents: Mapping[str, Sequence[str]], must_pass: Mapping[str, str] | None = None
) -> Path:
    """Write a project that FakeRasa reads; `must_pass` maps a text to its intent."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text("pipeline: fake\n")
    (folder / "domain.yml").write_text(json.dumps(sorted(intents)))
    examples = [{"text": t, "intent": i} for i, texts in intents.items() for t in texts]
    (folder / "data" / "nlu.json").write_text(json.dumps(examples))
    if must_pass is not None:
        rows = [{"text": text, "intent": intent} for text, intent in must_pass.items()]
        (folder / "must_pass.json").write_text(json.dumps(rows))
    return folder


def find_project(root: Path) -> Project:
    """The layout that `write_project` makes."""
    return Project(root, root / "config.yml", (root / "domain.yml",), (root / "data" / "nlu.json",))


class FakeRasa:
    """Remembers what it was asked for.

    `calls` are the methods, `asked` the texts to predict, `code` the folder of components that
    came with the last prediction of each archive; `findings` are what `validate` says, `actions` the
    custom actions of the domain, `seconds` how long the model of a name takes for an utterance.
    Models of the names in `without_dialogue` have none that test stories could be about.
    """

    def __init__(self, findings: Sequence[Finding] = ()) -> None:
        self.calls: list[str] = []
        self.findings = tuple(findings)
        self.asked: list[str] = []
        self.actions: tuple[str, ...] = ()
        self.seconds: dict[str, float] = {}
        self.code: dict[str, Path | None] = {}
        self.without_dialogue: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.calls.append("closed")

    def cancel(self) -> None:
        """Only noted: it is never at work for long."""
        self.calls.append("cancel")

    def versions(self) -> Versions:
        """Versions of nothing."""
        return Versions("3.10.0", _VERSION, {})

    def read_project(self, project: Project) -> ProjectContents:
        """The examples of `data/nlu.json`."""
        self.calls.append("read_project")
        domain = json.loads(project.domain[0].read_text())
        return ProjectContents(self.read_examples(project.data), tuple(domain), self.actions)

    def read_examples(self, files: Sequence[Path]) -> tuple[Example, ...]:
        """The examples of these JSON files."""
        return tuple(
            Example(row["text"], row["intent"], file=str(file), line=line)
            for file in files
            for line, row in enumerate(_rows(file), start=1)
        )

    def read_must_pass(self, files: Sequence[Path]) -> tuple[MustPass, ...]:
        """The examples of these JSON files, without a minimum confidence."""
        return tuple(MustPass(example) for example in self.read_examples(files))

    def validate(self, project: Project) -> tuple[Finding, ...]:
        """What the test wants to be found."""
        del project
        self.calls.append("validate")
        return self.findings

    def write_training_project(
        self, project: Project, held_out: frozenset[str], into: Path
    ) -> tuple[Project, tuple[str, ...]]:
        """A copy without the held-out texts."""
        self.calls.append("write_training_project")
        shutil.rmtree(into, ignore_errors=True)
        make_folder(into.parent)
        shutil.copytree(project.root, into)
        copy = replace(find_project(into), config=into / project.config_name)
        kept = [row for row in _rows(copy.data[0]) if row["text"] not in held_out]
        copy.data[0].write_text(json.dumps(kept))
        sync_tree(into)
        sync_folder(into.parent)
        return copy, tuple(row["text"] for row in kept)

    def train(
        self,
        project: Project,
        name: str,
        into: Path,
        progress: ProgressListener,
        *,
        seed: int | None = None,
        finetune: Path | None = None,
    ) -> Path:
        """Remember utterances with their labels: all, but for the share that the config forgets.

        A line `forgets: 0.3` of the config says which share, and the seed which ones; `fails: WHY`
        fails. A model to go on from has to have the same config and labels, as with Rasa.
        """
        archive = into / f"{name}.tar.gz"
        if archive.exists():
            return archive
        self.calls.append("train")
        progress(Progress("NearestUtterance", 1, 1, "epochs"))
        config = dict(line.split(": ", 1) for line in project.config.read_text().splitlines())
        if "fails" in config:
            raise RasaError(config["fails"])
        rows, share = _rows(project.data[0]), float(config.get("forgets", 0))
        model = {
            "rows": [row for row in rows if not _forgotten(row["text"], seed, share)],
            "name": name,
            "config": config,
            "labels": sorted({row["intent"] for row in rows}),
        }
        if finetune is not None:
            before = _model(finetune)
            if (before["config"], before["labels"]) != (config, model["labels"]):
                raise RasaError("Cannot finetune because config or labels have changed.")
            model["rows"] += before["rows"]
        if self.actions:
            model["actions"] = self.actions
        write_atomically(archive, _packed(model))
        return archive

    def predict(
        self,
        archive: Path,
        texts: Sequence[str],
        progress: ProgressListener,
        *,
        code: Path | None = None,
    ) -> tuple[Prediction, ...]:
        """The label of the training utterance that shares the largest part of its words."""
        self.calls.append("predict")
        self.asked += texts
        self.code[archive.name.removesuffix(".tar.gz")] = code
        rows = _model(archive)["rows"]
        progress(Progress("predicting", len(texts), len(texts), "utterances"))
        return tuple(_answer(text, rows) for text in texts)

    def time_parses(
        self,
        models: Sequence[tuple[Path, Path | None]],
        texts: Sequence[str],
        *,
        limit: float,
    ) -> tuple[tuple[float, ...], ...]:
        """What `seconds` says of the archive's name, for every text."""
        self.calls.append("time_parses")
        if limit <= 0:
            texts = texts[:1]
        names = [archive.name.removesuffix(".tar.gz") for archive, _ in models]
        return tuple((self.seconds.get(name, 0.01),) * len(texts) for name in names)

    def check_stories(self, project: Project, files: Sequence[Path]) -> None:
        """Only read: JSON files with an utterance for each story, written like an example."""
        del project
        self.calls.append("check_stories")
        self.read_examples(files)

    def test_stories(
        self,
        archive: Path,
        files: Sequence[Path],
        progress: ProgressListener,
        *,
        code: Path | None = None,
    ) -> tuple[StoryResult, ...]:
        """A story is one utterance, and passes if it is understood."""
        self.calls.append("test_stories")
        self.code[archive.name.removesuffix(".tar.gz")] = code
        if archive.name.removesuffix(".tar.gz") in self.without_dialogue:
            raise RasaError(f"{archive.name} holds no dialogue policies to test stories with")
        learned, results = _model(archive)["rows"], []
        for story in self.read_examples(files):
            answered = _answer(story.text, learned).intent
            wrong = f"turn 1 ({story.text!r}): understood as {answered} instead of {story.intent}"
            problem = None if answered == story.intent else wrong
            results.append(StoryResult(story.text, str(story.file), problem))
        progress(Progress("testing stories", len(results), len(results), "stories"))
        return tuple(results)

    def describe(self, archive: Path) -> ModelDescription:
        """What the archive says of itself."""
        model = _model(archive)
        return ModelDescription(
            rasa_version=_VERSION,
            trained_at=_TRAINED_AT,
            model_id=model["name"],
            intents=tuple(sorted({row["intent"] for row in model["rows"]})),
            actions=tuple(model.get("actions", ())),
            components=("NearestUtterance",),
        )


def _forgotten(text: str, seed: int | None, share: float) -> bool:
    digest = hashlib.sha256(f"{seed} {text}".encode()).digest()
    return digest[0] < share * 256


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        rows: list[dict[str, str]] = json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise ProjectError(f"{file}:{error.lineno}: {error.msg}") from error
    return rows


def _packed(model: Mapping[str, Any]) -> bytes:
    """The archive of a model, the same each time."""
    learned = json.dumps(model).encode()
    metadata = {
        "trained_at": _TRAINED_AT.replace(tzinfo=None).isoformat(),
        "rasa_open_source_version": _VERSION,
        "model_id": hashlib.sha256(learned).hexdigest()[:32],
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in ((METADATA, json.dumps(metadata).encode()), (_LEARNED, learned)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def _model(path: Path) -> dict[str, Any]:
    require_safe_archive(path)
    try:
        with tarfile.open(path) as archive:
            file = archive.extractfile(_LEARNED)
            model: dict[str, Any] = json.load(file) if file else {}
    except KeyError as error:
        raise ModelArchiveError(f"{path} is not a model of FakeRasa") from error
    return model


def _answer(text: str, rows: Sequence[Mapping[str, str]]) -> Prediction:
    words = set(normalise(text).split())

    def likeness(row: Mapping[str, str]) -> float:
        other = set(normalise(row["text"]).split())
        return len(words & other) / len(words | other)

    best = max(rows, key=lambda row: (likeness(row), row["intent"]))
    confidence = likeness(best)
    return Prediction(text, best["intent"], confidence, best["intent"], confidence)
