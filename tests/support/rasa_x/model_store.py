"""The models that the server stores, and their tags."""

import hashlib
import io
import json
import shutil
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from support.rasa_x.eras import Era
from support.rasa_x.switches import Switches


class NotSaved(Exception):
    """What was uploaded is no model."""


class NameTaken(Exception):
    """A model of that name exists."""


@dataclass(slots=True, eq=False)
class StoredModel:
    """A model; tests may change its tags at will, two models with one tag included."""

    name: str
    path: Path
    hash: str
    version: str
    trained_at: float
    tags: set[str] = field(default_factory=set)
    uploaded_at: float = 0.0
    calls_until_listed: int = 0

    @property
    def etag(self) -> str:
        """A strong entity tag of the content."""
        return f'"{self.hash}"'


class ModelStore:
    """All models of the one project; `on_tag` hears of each tag that is given to one."""

    def __init__(self, folder: Path, era: Era, switches: Switches) -> None:
        self.folder, self._era, self._switches = folder, era, switches
        self._models: dict[str, StoredModel] = {}
        self.lock = threading.RLock()
        self.on_tag: Callable[[str], object] = lambda _: None
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, content: IO[bytes] | Path) -> StoredModel:
        """Store a model; hidden from the list as the switches say.

        Raises:
            NameTaken: there is one already.
            NotSaved: it is no model archive.
        """
        target = self.folder / f"{name}{self._era.suffix}"
        with self.lock:
            if name in self._models:
                raise NameTaken(name)
            with target.open("wb") as file:
                if isinstance(content, Path):
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file)
                else:
                    shutil.copyfileobj(content, file)
            try:
                metadata = read_metadata(target)
            except NotSaved:
                target.unlink()
                raise
            model = StoredModel(
                name,
                target,
                _hash(target),
                str(metadata.get("rasa_open_source_version", "0.0.0")),
                _seconds(metadata.get("trained_at")),
                uploaded_at=time.monotonic(),
                calls_until_listed=self._switches.listed_after_calls,
            )
            self._models[name] = model
            return model

    def get(self, name: str) -> StoredModel | None:
        """A model, listed or not."""
        return self._models.get(name)

    def remove(self, name: str) -> bool:
        """Whether there was one."""
        with self.lock:
            model = self._models.pop(name, None)
            if model is not None:
                model.path.unlink(missing_ok=True)
            return model is not None

    def all(self) -> list[StoredModel]:
        """Every model, listed or not, in the order of their uploads."""
        return list(self._models.values())

    def listed(self) -> list[StoredModel]:
        """Those that the list shows at this call of it, the newest first."""
        now, shown = time.monotonic(), []
        with self.lock:
            for model in self._models.values():
                waits = now < model.uploaded_at + self._switches.listed_after_seconds
                if model.calls_until_listed:
                    model.calls_until_listed -= 1
                elif not waits:
                    shown.append(model)
        return shown[::-1]

    def tagged(self, tag: str) -> StoredModel | None:
        """The model that has the tag."""
        return next((model for model in self.all() if tag in model.tags), None)

    def move_tag(self, name: str, tag: str) -> None:
        """Take the tag off every other model, and give it to this one."""
        with self.lock:
            for model in self._models.values():
                model.tags.discard(tag)
            self._models[name].tags.add(tag)
        self.on_tag(tag)

    @contextmanager
    def tag_during(self, name: str, tag: str) -> Iterator[None]:
        """The model has the tag in the block."""
        self.move_tag(name, tag)
        try:
            yield
        finally:
            with self.lock:
                if name in self._models:
                    self._models[name].tags.discard(tag)

    def is_compatible(self, model: StoredModel) -> bool:
        """Whether the production Rasa server is known to load it."""
        if self._switches.production_unknown:
            return False
        lowest = _numbers(self._switches.minimum_compatible_version)
        return lowest <= _numbers(model.version) <= _numbers(self._switches.rasa_version)


def read_metadata(archive: Path) -> dict[str, Any]:
    """The `metadata.json` of a model; of a zipped folder, at its top or one level below.

    Raises:
        NotSaved: there is none.
    """
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as zipped:
                names = [n for n in zipped.namelist() if n.rpartition("/")[2] == "metadata.json"]
                return json.loads(zipped.read(min(names, key=len))) if names else {}
        with tarfile.open(archive) as tar:
            member = next((m for m in tar if m.name.lstrip("./") == "metadata.json"), None)
            file = tar.extractfile(member) if member else None
            if file is None:
                raise NotSaved("it has no metadata.json")
            return json.loads(file.read())
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise NotSaved(str(error)) from error


def as_tar(archive: Path, into: Path) -> Path:
    """The model as the tar file that Rasa reads; a zipped folder is packed anew, once."""
    if archive.suffix != ".zip":
        return archive
    target = into / f"{archive.stem}.{_hash(archive)}.tar.gz"
    if not target.exists():
        partial = into / f"{archive.stem}.{threading.get_ident()}.partial"
        with zipfile.ZipFile(archive) as zipped, tarfile.open(partial, "w:gz") as tar:
            names = [n for n in zipped.namelist() if n.rpartition("/")[2] == "metadata.json"]
            top = min(names, key=len).removesuffix("metadata.json") if names else ""
            for name in zipped.namelist():
                if name.startswith(top) and not name.endswith("/"):
                    content = zipped.read(name)
                    info = tarfile.TarInfo(name.removeprefix(top))
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
        partial.replace(target)
    return target


def _hash(path: Path) -> str:
    """Nothing that a client could compute: the real algorithm is not documented."""
    digest = hashlib.md5(b"rasa-x", usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _seconds(trained_at: object) -> float:
    if isinstance(trained_at, str):
        time_ = datetime.fromisoformat(trained_at)
        return (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).timestamp()
    return float(trained_at) if isinstance(trained_at, int | float) else time.time()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
