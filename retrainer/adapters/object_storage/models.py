"""The models of a registry in object storage: archives, and what is recorded of them.

Data first, record last: an archive without a record is an upload that has not ended, or never will.
"""

import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from retrainer.adapters.files import sha256, storage_errors
from retrainer.adapters.model_archive import MAXIMUM_SIZE, require_described
from retrainer.adapters.object_storage.storage import ObjectState, ObjectStorage
from retrainer.domain.cycle import Model
from retrainer.errors import ModelConflict, ModelNotFound, PlatformError
from retrainer.ports import Clock

_VERSIONS, _ARCHIVE, _RECORD = "versions", "model.tar.gz", "model.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
#: Age of an archive without a record that is taken for the leftover of a process that was killed;
#: no upload may take that long, see `providers.Access`.
LEFTOVER = timedelta(days=1)


class Record(BaseModel):
    """The content of `model.json`; `mark` is the storage's own for the archive as it was sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Model
    mark: str

    @property
    def archive(self) -> str:
        """Name of the archive."""
        return _place(self.model.name, _ARCHIVE)


class ObjectModels:
    """The models below `versions/`. Names that no model may have are never found."""

    def __init__(self, storage: ObjectStorage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def store(self, model: Model, archive: Path) -> None:
        """Send the archive, read it back and record it; nothing if that content is stored already.

        Raises:
            ModelConflict: another content has that name.
            ModelArchiveError: the archive is not the one that `model` describes.
            PlatformError: it could not be stored; there is no such model then.
        """
        require_described(model, archive)
        stored = self.find(model.name)
        if stored is None:
            self._sweep()
            record = self._send(model, archive)
            content = record.model_dump_json(indent=2).encode()
            if self._storage.create(_place(model.name, _RECORD), content):
                return
            stored = self.get(model.name)
        if stored.model.sha256 != model.sha256:
            raise ModelConflict(
                f"{model.name} is stored with the SHA-256 {stored.model.sha256}, "
                f"the model to store has {model.sha256}",
                tip=f"store it under another name, or delete the stored {model.name} first",
            )

    def find(self, name: str) -> Record | None:
        """What is recorded of a model; None if there is none.

        Raises:
            ModelNotFound: no model may have that name.
            PlatformError: the record is damaged.
        """
        _require_name(name)
        place = _place(name, _RECORD)
        content = self._storage.read(place)
        if content is None:
            return None
        try:
            record = Record.model_validate_json(content)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            why = ": ".join(map(str, [*problem["loc"], problem["msg"]]))
            raise self._damaged(place, f"is not readable: {why}") from None
        if record.model.name != name:
            raise self._damaged(place, f"is of another model, {record.model.name}")
        return record

    def get(self, name: str) -> Record:
        """What is recorded of a model.

        Raises:
            ModelNotFound: there is none of that name.
            PlatformError: the record is damaged.
        """
        record = self.find(name)
        if record is None:
            raise ModelNotFound(
                f"there is no model {name} in {self._storage.url}",
                tip="`retrainer models` lists the models",
            )
        return record

    def all(self) -> tuple[Record | PlatformError, ...]:
        """What is recorded of each model, or why it is none."""
        objects = set(self._storage.names(_VERSIONS))
        found: list[Record | PlatformError] = []
        for name in _models(objects, _RECORD):
            try:
                record = self.find(name)
            except PlatformError as error:
                found.append(error)
                continue
            if record is not None:  # else it was deleted since it was listed
                there = record.archive in objects
                found.append(record if there else self._damaged(record.archive, "is gone"))
        return tuple(found)

    def fetch(self, record: Record, into: Path) -> None:
        """Fetch the archive into a file.

        Raises:
            PlatformError: it is damaged, or could not be fetched.
        """
        self._require_size(record)  # before the disk is filled with something else
        if not self._storage.get(record.archive, into):
            raise self._damaged(record.archive, "is gone")
        with storage_errors("reading", into):
            self._require_same(record, sha256(into))

    def require_whole(self, record: Record) -> None:
        """Make sure that the archive is the one that was stored.

        It is, if its size and its mark are; otherwise (it was written again or moved, or the
        storage has no marks) its whole content is read.

        Raises:
            PlatformError: it is damaged.
        """
        state = self._require_size(record)
        if not state.mark or state.mark != record.mark:
            self._require_same(record, self._storage.sha256(record.archive))

    def delete(self, name: str) -> None:
        """Delete a model; nothing if it is gone already."""
        _require_name(name)
        for part in (_RECORD, _ARCHIVE):  # without its record it is no model
            self._storage.delete(_place(name, part))

    def _send(self, model: Model, archive: Path) -> Record:
        record = Record(model=model, mark="")
        self._storage.put(record.archive, archive)
        state, found = self._storage.state(record.archive), self._storage.sha256(record.archive)
        if state is None or found != model.sha256:
            raise PlatformError(
                f"{self._storage.where(record.archive)} was sent with the SHA-256 {model.sha256}, "
                f"and has {found or 'no content'} when it is read back: it is not stored",
                tip="run the cycle again; if it stays so, look at the storage and the network",
            )
        return record.model_copy(update={"mark": state.mark})

    def _sweep(self) -> None:
        """Delete what killed processes left behind; what cannot be deleted is no obstacle."""
        with suppress(PlatformError):
            before = self._clock.now() - LEFTOVER
            objects = set(self._storage.names(_VERSIONS))
            for name in set(_models(objects, _ARCHIVE)) - set(_models(objects, _RECORD)):
                written = self._storage.modified(_place(name, _ARCHIVE))
                if written is not None and written < before:
                    self._storage.delete(_place(name, _ARCHIVE))
            self._storage.discard_parts(_VERSIONS, before)

    def _require_size(self, record: Record) -> ObjectState:
        """What is known of the archive, which has to be there and as large as recorded."""
        state = self._storage.state(record.archive)
        if state is None:
            raise self._damaged(record.archive, "is gone")
        if state.size != record.model.size:
            recorded = f"{record.model.size} are recorded"
            raise self._damaged(record.archive, f"has {state.size} bytes, {recorded}")
        if state.size > MAXIMUM_SIZE:
            raise self._damaged(record.archive, f"has {state.size} bytes of {MAXIMUM_SIZE}")
        return state

    def _require_same(self, record: Record, found: str | None) -> None:
        if found != record.model.sha256:
            recorded = f"{record.model.sha256} is recorded"
            raise self._damaged(record.archive, f"has the SHA-256 {found}, {recorded}")

    def _damaged(self, place: str, how: str) -> PlatformError:
        folder = self._storage.where(place).rpartition("/")[0]
        return PlatformError(
            f"{self._storage.where(place)} {how}: it is damaged",
            tip=f"move {folder} elsewhere and train or upload the model again",
        )


def _place(name: str, part: str) -> str:
    return f"{_VERSIONS}/{name}/{part}"


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ModelNotFound(
            f"{name!r} is not a name that a model may have: 1 to 128 of letters, digits, "
            "`.`, `_` and `-`, the first a letter or a digit",
            tip="`retrainer models` lists the models",
        )


def _models(objects: set[str], part: str) -> list[str]:
    """Names of the models that have this part among the objects, sorted."""
    split = (name.split("/") for name in objects)
    return sorted(
        words[1]
        for words in split
        if len(words) == len((_VERSIONS, "", part))
        and words[2] == part
        and _NAME.fullmatch(words[1])
    )
