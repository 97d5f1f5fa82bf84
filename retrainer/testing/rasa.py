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
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from retrainer.adapters.files import make_folder, sync_folder, sync_tree, write_atomically
from retrainer.adapters.model_archive import METADATA, require_safe_archive
from retrainer.domain.cycle import Finding
from retrainer.domain.examples import Example, MustPass, normalise
from retrainer.domain.predictions import Prediction
from retrainer.errors import ModelArchiveError, ProjectError
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
    came with the last prediction of each archive; `findings` are what `validate` says.
    """

    def __init__(self, findings: Sequence[Finding] = ()) -> None:
        self.calls: list[str] = []
        self.findings = tuple(findings)
        self.asked: list[str] = []
        self.code: dict[str, Path | None] = {}

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
        return ProjectContents(self.read_examples(project.data), tuple(domain))

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
        copy = find_project(into)
        kept = [row for row in _rows(copy.data[0]) if row["text"] not in held_out]
        copy.data[0].write_text(json.dumps(kept))
        sync_tree(into)
        sync_folder(into.parent)
        return copy, tuple(row["text"] for row in kept)

    def train(self, project: Project, name: str, into: Path, progress: ProgressListener) -> Path:
        """Remember every utterance with its label."""
        archive = into / f"{name}.tar.gz"
        if archive.exists():
            return archive
        self.calls.append("train")
        progress(Progress("NearestUtterance", 1, 1, "epochs"))
        write_atomically(archive, _packed({"rows": _rows(project.data[0]), "name": name}))
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

    def describe(self, archive: Path) -> ModelDescription:
        """What the archive says of itself."""
        model = _model(archive)
        return ModelDescription(
            rasa_version=_VERSION,
            trained_at=_TRAINED_AT,
            model_id=model["name"],
            intents=tuple(sorted({row["intent"] for row in model["rows"]})),
            actions=(),
            components=("NearestUtterance",),
        )


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
