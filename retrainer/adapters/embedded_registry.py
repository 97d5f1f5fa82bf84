"""The embedded registry: models and the pointer to the active one, in a folder.

- `versions/NAME/model.tar.gz`: the archive, never changed
- `versions/NAME/model.json`: what is recorded of it; the folder is whole or absent
- `champion.json`: the pointer, the one truth about which model serves
- `champion.tar.gz`: a link that follows the pointer, for `rasa run --model`; a model is confirmed
  only if the link leads to it
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from retrainer.adapters import stored_model
from retrainer.adapters.files import storage_errors, sync_folder, write_atomically
from retrainer.adapters.folders import discard, exclusive, publish, unfinished
from retrainer.domain.cycle import Model
from retrainer.domain.examples import MustPass
from retrainer.errors import (
    ChampionMoved,
    ModelArchiveError,
    ModelConflict,
    ModelNotFound,
    PlatformError,
    RetrainerError,
    StorageError,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_POINTER, _LINK = "champion.json", "champion.tar.gz"


class _Pointer(BaseModel):
    """The content of `champion.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str


class EmbeddedRegistry:
    """A `Platform` that needs nothing but a folder; see the module for what is in it.

    A Rasa server serves the champion when it is started with `--model FOLDER/champion.tar.gz`.
    """

    class Options(BaseModel):
        """Options of `type = "embedded"`."""

        model_config = ConfigDict(extra="forbid", frozen=True)

        folder: Path | None = None
        """Where the models are kept, an absolute path; empty: in the state folder."""

        @field_validator("folder")
        @classmethod
        def _absolute(cls, folder: Path | None) -> Path | None:
            if folder is not None and not folder.is_absolute():
                raise ValueError(f"'{folder}' is not an absolute path")
            return folder

    @classmethod
    def from_options(cls, options: Options, *, folder: Path) -> Self:
        """The registry in the folder that the options name, else in `folder`."""
        return cls(options.folder or folder)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = folder / "versions"

    @property
    def link(self) -> Path:
        """The link that leads to the active model's archive, for `rasa run --model`."""
        return self._folder / _LINK

    def require_ready(self, rasa_version: str) -> None:
        """Any version will do; whether the folder is writable shows when it is written to."""

    def upload(self, model: Model, archive: Path) -> None:
        """Store the model under its name; a second upload of the same content does nothing.

        Raises:
            ModelConflict: another content has that name.
            ModelArchiveError: the archive is not the one that `model` describes.
            StorageError: it could not be written; nothing of it is stored then.
        """
        version = self._version(model.name)
        if not archive.is_file():
            raise ModelArchiveError(f"{archive} is not a file, the archive of a model is needed")
        with exclusive(self._folder):
            if version.is_dir():
                return _require_same(stored_model.read(version), model)
            with storage_errors("writing", version), unfinished(self._folder) as copy:
                stored_model.write(copy, model, archive)
                publish(copy, version)
        return None

    def models(self) -> tuple[Model, ...]:
        """All stored models, oldest first; what is damaged is among `damaged` instead."""
        found = [model for model in self._versions_read() if isinstance(model, Model)]
        return tuple(sorted(found, key=lambda model: (model.trained_at, model.name)))

    def damaged(self) -> tuple[str, ...]:
        """A sentence for each thing among the models that is none, or no longer."""
        return tuple(str(e) for e in self._versions_read() if isinstance(e, RetrainerError))

    def fetch(self, name: str) -> Path:
        """The archive of a stored model, on this machine, for reading only.

        Raises:
            ModelNotFound: there is none of that name.
            PlatformError: it is damaged.
        """
        return stored_model.archive_of(self._existing(name))

    def evaluation(self, name: str) -> None:
        """A folder measures nothing."""

    def active(self) -> str | None:
        """Name of the model that serves; None before the first activation.

        Raises:
            PlatformError: the pointer is damaged.
        """
        pointer = self._folder / _POINTER
        try:
            with storage_errors("reading", pointer), suppress(FileNotFoundError):
                return _Pointer.model_validate_json(pointer.read_bytes()).model
        except ValidationError as error:
            raise PlatformError(
                f'{pointer} does not say which model is active: {{"model": "NAME"}} is needed, '
                f"it holds {pointer.read_bytes()[:80]!r}",
                tip=f"delete {pointer}, then choose the model with `retrainer promote`",
            ) from error
        return None

    def activate(self, name: str, *, expected: str | None) -> None:
        """Make a stored model the active one, atomically; does nothing if it is active already.

        Raises:
            ModelNotFound: there is none of that name.
            ChampionMoved: neither `name` nor `expected` is active.
            PlatformError: the stored archive is damaged; nothing changed.
            StorageError: it could not be written; the earlier model is still active then.
        """
        with exclusive(self._folder):
            version = self._existing(name)
            active = self.active()
            if active not in (name, expected):
                raise ChampionMoved(
                    f"{active or 'no model'} is active in {self._folder}, "
                    f"{expected or 'no model'} was expected when {name} was to replace it",
                    tip="`retrainer models` lists the models; run the cycle again",
                )
            if active != name:
                stored_model.require_whole(version)
                pointer = _Pointer(model=name).model_dump_json() + "\n"
                write_atomically(self._folder / _POINTER, pointer.encode())
            with suppress(StorageError):  # the pointer is the truth; `confirm` looks at the link
                self._follow(name)

    def confirm(self, name: str, *, must_pass: Sequence[MustPass] = ()) -> None:
        """Make sure that pointer and link lead to this model and that its archive is whole.

        Nobody can be asked `must_pass`: the registry knows no server.

        A link that leads elsewhere, after a crash or because of somebody, is mended.

        Raises:
            PlatformError: they do not, or it is not.
        """
        del must_pass
        self._require_active(name)
        stored_model.require_whole(self._existing(name))
        if self._follows(name):
            return
        with exclusive(self._folder):
            self._require_active(name)
            try:
                self._follow(name)
            except StorageError as error:
                raise PlatformError(
                    f"{self.link} does not lead to the active model {name}: {error}",
                    tip=f"move {self.link} elsewhere, so that the link can be made",
                ) from error

    def remove(self, name: str) -> None:
        """Delete a stored model; does nothing if it is gone already.

        Raises:
            PlatformError: the model is active.
        """
        version = self._version(name)
        with exclusive(self._folder):
            if self.active() == name:
                raise PlatformError(
                    f"{name} is active in {self._folder}, and the active model is never deleted",
                    tip="make another model active with `retrainer promote` first",
                )
            if version.is_dir():
                discard(version, self._folder)

    def _version(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ModelNotFound(
                f"{name!r} is not a name that a model may have: 1 to 128 of letters, digits, "
                "`.`, `_` and `-`, the first a letter or a digit",
                tip="`retrainer models` lists the models",
            )
        return self._versions / name

    def _existing(self, name: str) -> Path:
        version = self._version(name)
        if not version.is_dir():
            raise ModelNotFound(
                f"there is no model {name} in {self._folder}",
                tip="`retrainer models` lists the models",
            )
        return version

    def _versions_read(self) -> list[Model | RetrainerError]:
        """What each version is, or why it is no model."""
        with storage_errors("reading", self._versions):
            if not self._versions.is_dir():
                return []
            versions = sorted(v for v in self._versions.iterdir() if not v.name.startswith("."))
        found: list[Model | RetrainerError] = []
        for version in versions:
            try:
                found.append(stored_model.read(version))
            except (PlatformError, StorageError) as error:
                found.append(error)
        return found

    def _require_active(self, name: str) -> None:
        active = self.active()
        if active != name:
            raise PlatformError(
                f"{active or 'no model'} is active in {self._folder}, {name} should be",
                tip="`retrainer models` lists the models",
            )

    def _follows(self, name: str) -> bool:
        """Whether the link leads to this model."""
        return self.link.is_symlink() and self.link.readlink() == _target(name)

    def _follow(self, name: str) -> None:
        """Point the link at the active model, durably; the caller holds the lock."""
        if self._follows(name):
            return
        with unfinished(self._folder) as folder, storage_errors("writing", self.link):
            (folder / _LINK).symlink_to(_target(name))
            (folder / _LINK).replace(self.link)
            sync_folder(self._folder)


def _target(name: str) -> Path:
    """Where the link leads to, from the folder that it is in."""
    return Path("versions", name, stored_model.ARCHIVE)


def _require_same(stored: Model, model: Model) -> None:
    if stored.sha256 != model.sha256:
        raise ModelConflict(
            f"{model.name} is stored with the SHA-256 {stored.sha256}, "
            f"the model to store has {model.sha256}",
            tip=f"store it under another name, or delete the stored {model.name} first",
        )
