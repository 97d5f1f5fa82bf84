"""A platform in memory, for tests of what uses one."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from retrainer.adapters.files import sha256
from retrainer.domain.cycle import Model
from retrainer.domain.evaluation import PlatformFigures
from retrainer.domain.examples import MustPass
from retrainer.errors import (
    ChampionMoved,
    ModelArchiveError,
    ModelConflict,
    ModelNotFound,
    PlatformError,
    RetrainerError,
)


class FakePlatform:
    """A `Platform` that keeps archives in `folder` and all else in memory.

    `champion` may be set, as somebody else would do who activates a model behind our back.
    `failures` maps a method's name to the error that every call of it raises, `unconfirmed` a model
    to the error that confirming it raises.
    `calls` counts the calls of each method that changes something; `changes` lists the models that
    were made active, in order. `problems` are the damaged models that there are beside the stored.
    `figures` maps a model to what the platform measures of it, `asked` are the must-pass utterances
    of the last `confirm`.
    """

    def __init__(self, folder: Path) -> None:
        self.champion: str | None = None
        self.failures: dict[str, RetrainerError] = {}
        self.unconfirmed: dict[str, RetrainerError] = {}
        self.calls: Counter[str] = Counter()
        self.changes: list[str] = []
        self.problems: tuple[str, ...] = ()
        self.figures: dict[str, PlatformFigures] = {}
        self.asked: tuple[MustPass, ...] = ()
        self._folder = folder
        self._models: dict[str, Model] = {}

    def require_ready(self, rasa_version: str) -> None:
        """Any version will do."""
        del rasa_version
        self._called("require_ready")

    def upload(self, model: Model, archive: Path) -> None:
        """Store the model under its name; a second upload of the same content does nothing."""
        self._called("upload")
        stored = self._models.get(model.name)
        if stored and stored.sha256 != model.sha256:
            raise ModelConflict(f"{model.name} is stored with the SHA-256 {stored.sha256}")
        if not archive.is_file() or sha256(archive) != model.sha256:
            raise ModelArchiveError(f"{archive} is not the archive of {model.name}")
        if not stored:
            self._folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(archive, self._archive(model.name))
            self._models[model.name] = model

    def models(self) -> tuple[Model, ...]:
        """All stored models, oldest first."""
        return tuple(sorted(self._models.values(), key=lambda m: (m.trained_at, m.name)))

    def damaged(self) -> tuple[str, ...]:
        """What `problems` says."""
        return self.problems

    def fetch(self, name: str) -> Path:
        """The archive of a stored model."""
        self._called("fetch")
        self._require(name)
        return self._archive(name)

    def evaluation(self, name: str) -> PlatformFigures | None:
        """What `figures` has for the model."""
        self._called("evaluation")
        return self.figures.get(name)

    def active(self) -> str | None:
        """Name of the model that serves; None before the first activation."""
        return self.champion

    def activate(self, name: str, *, expected: str | None) -> None:
        """Make a stored model the active one; does nothing if it is active already."""
        self._called("activate")
        self._require(name)
        if self.champion not in (name, expected):
            raise ChampionMoved(f"{self.champion} is active, {expected} was expected")
        if self.champion != name:
            self._require_whole(name)
            self.champion = name
            self.changes.append(name)

    def confirm(self, name: str, *, must_pass: Sequence[MustPass] = ()) -> None:
        """Make sure that this model serves; `asked` keeps the utterances."""
        self._called("confirm")
        self.asked = tuple(must_pass)
        if self.champion != name:
            raise PlatformError(f"{self.champion} is active, {name} should be")
        self._require_whole(name)
        if name in self.unconfirmed:
            raise self.unconfirmed[name]

    def remove(self, name: str) -> None:
        """Delete a stored model; does nothing if it is gone already."""
        self._called("remove")
        if self.champion == name:
            raise PlatformError(f"{name} is active")
        if self._models.pop(name, None):
            self._archive(name).unlink()

    def _called(self, method: str) -> None:
        self.calls[method] += 1
        if method in self.failures:
            raise self.failures[method]

    def _require(self, name: str) -> None:
        if name not in self._models:
            raise ModelNotFound(f"there is no model {name}")

    def _require_whole(self, name: str) -> None:
        if sha256(self._archive(name)) != self._models[name].sha256:
            raise PlatformError(f"{self._archive(name)} is damaged")

    def _archive(self, name: str) -> Path:
        return self._folder / f"{name}.tar.gz"
