"""Models that live in Rasa X, Rasa Enterprise or the Rasa Platform of 2018.

A tag says which model serves. It moves: Rasa X takes it from the model that had it. What Rasa X
does not keep of a model is in the state folder:

- `uploaded/NAME.json`: what was uploaded from here
- `fetched/`: a few downloaded archives
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import Field

from retrainer.adapters.folders import exclusive
from retrainer.adapters.model_archive import read_metadata, require_safe_archive
from retrainer.adapters.rasa_server.fleet import Fleet, FleetOptions, WantedModel
from retrainer.adapters.rasa_x.connection import NOT_FOUND, RasaX
from retrainer.adapters.rasa_x.connection_options import ConnectionOptions
from retrainer.adapters.rasa_x.evaluation import evaluate
from retrainer.adapters.rasa_x.health import require_compatible, require_healthy
from retrainer.adapters.rasa_x.listing import Entry, entries, require_listed
from retrainer.adapters.rasa_x.model_cache import ModelCache
from retrainer.adapters.rasa_x.model_transfer import ModelTransfer, difference
from retrainer.adapters.rasa_x.tags import EVALUATION, ServingTag
from retrainer.adapters.rasa_x.uploaded_models import UploadedModels, damaged
from retrainer.domain.cycle import Model
from retrainer.domain.evaluation import PlatformFigures
from retrainer.domain.examples import MustPass
from retrainer.errors import PlatformError, RetrainerError, ServerError, StorageError


class RasaXPlatform:
    """A `Platform` on one project of a Rasa X server; `folder` is its state."""

    class Options(ConnectionOptions, FleetOptions):
        """Options of `type = "rasa_x"`."""

        tag: str = Field(default="production", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
        """Tag of the model that serves, which is that of a deployment environment."""

        evaluate: bool = True
        """Whether Rasa X evaluates the models too, on the data that it stores; for comparison."""

        ready_timeout: float = Field(default=60.0, ge=0, le=3600, allow_inf_nan=False)
        """Seconds to wait for the Rasa server behind Rasa X to be connected."""

        listing_timeout: float = Field(default=60.0, ge=0, le=3600, allow_inf_nan=False)
        """Seconds until the list of models has to show an uploaded model, or a moved tag."""

    @classmethod
    def from_options(cls, options: Options, *, folder: Path) -> Self:
        """The platform that the options describe."""
        return cls(options, folder)

    def __init__(self, options: Options, folder: Path) -> None:
        self._options, self._folder = options, folder
        self._rasa_x = RasaX(options)
        self._fleet = Fleet(options, verify=options.trust, secrets=options.secrets)
        self._tag = ServingTag(self._rasa_x, options.tag, shown=options.listing_timeout)
        self._cache = ModelCache(folder / "fetched")
        self._transfer = ModelTransfer(self._rasa_x, folder)
        self._uploaded = UploadedModels(
            self._transfer, folder / "uploaded", wait=options.listing_timeout
        )

    def require_ready(self, rasa_version: str) -> None:
        """Make sure that a model of this version of Rasa could be stored and served now.

        Waits for up to `ready_timeout` for the Rasa server behind Rasa X. A server too old to tell
        its health is taken as it is.

        Raises:
            PlatformNotReady: it could not, and why.
            PlatformError: several models have the tag.
            ServerError: no answer, or these credentials or this project are not known.
        """
        found = require_healthy(self._rasa_x, wait=self._options.ready_timeout)
        require_compatible(self._rasa_x, found, rasa_version)
        self.active()
        self._fleet.require_ready(rasa_version)

    def upload(self, model: Model, archive: Path) -> None:
        """Store the model under its name; a second upload of the same content does nothing.

        Raises:
            ModelConflict: another content has that name.
            ModelArchiveError: the archive is not the one that `model` describes, or no model.
            PlatformNotReady: Rasa X cannot store it without its Rasa server.
            ServerError: it did not take it.
        """
        self._uploaded.upload(model, archive)

    def models(self) -> tuple[Model, ...]:
        """All stored models, oldest first; what is damaged is among `damaged` instead.

        Of a model that was not uploaded from here only what Rasa X says is known: its `sha256` is
        empty and its `size` 0, and in 2018 it is of the year 1970.
        """
        found = [model for model in self._read_all() if isinstance(model, Model)]
        return tuple(sorted(found, key=lambda model: (model.trained_at, model.name)))

    def damaged(self) -> tuple[str, ...]:
        """A sentence for each model that is no longer the one that was uploaded."""
        return tuple(str(e) for e in self._read_all() if isinstance(e, RetrainerError))

    def fetch(self, name: str) -> Path:
        """The archive of a stored model, downloaded unless it was lately; for reading only.

        Raises:
            ModelNotFound: there is none of that name.
            PlatformError: it is damaged, or did not come.
            ModelArchiveError: a model of others is no whole archive of Rasa 3.
        """
        entry = require_listed(self._rasa_x, entries(self._rasa_x), name)
        record = self._uploaded.record(entry)

        def fill(copy: Path) -> None:
            self._transfer.fetch(entry, copy)
            if record is None:
                require_safe_archive(copy)
            elif how := difference(copy, record):
                raise damaged(self._rasa_x, entry, how)

        known = record.model.sha256 if record else entry.hash
        if not known:  # nothing tells whether an earlier download is still the same
            self._cache.delete(name)
        return self._cache.get(name, known, fill)

    def evaluation(self, name: str) -> PlatformFigures | None:
        """What Rasa X measures of a stored model; None if it cannot, or is not to.

        One at a time: Rasa X marks the model that it evaluates with a tag.

        Raises:
            PlatformError: it failed, or took longer than `transfer_timeout`.
        """
        if not self._options.evaluate:
            return None
        if name not in entries(self._rasa_x):
            raise PlatformError(f"there is no model {name!r} at {self._options.root} to evaluate")
        with exclusive(self._folder / "evaluating", wait=self._options.transfer_timeout):
            return evaluate(self._rasa_x, name)

    def active(self) -> str | None:
        """Name of the model with the tag; None if none has it.

        Raises:
            PlatformError: several have it.
        """
        return self._tag.holder(entries(self._rasa_x))

    def activate(self, name: str, *, expected: str | None) -> None:
        """Move the tag to a stored model; does nothing if it has it already.

        Rasa X cannot compare and swap: who has the tag is read right before, and again after.

        Raises:
            ModelNotFound: there is none of that name.
            ChampionMoved: neither `name` nor `expected` has the tag.
            PlatformNotReady: the Rasa server does not take the model; nothing changed.
            OutcomeUnknown: the answer was lost, and the tag may still be moved.
            PlatformError: the stored model is damaged; or another has the tag after all.
        """
        listed = entries(self._rasa_x)
        if self._tag.require_expected(listed, name, expected) != name:
            self._uploaded.require_whole(listed[name])
            self._tag.give(name, expected=expected, wait=self._options.ready_timeout)

    def confirm(self, name: str, *, must_pass: Sequence[MustPass] = ()) -> None:
        """Make sure that this model has the tag, alone, and that the Rasa servers serve it.

        They pull it from Rasa X, so they get a while; without `servers` only the tag is looked at.

        Raises:
            PlatformError: it has not, is not what was uploaded, or a server does not serve it.
        """
        entry = self._tag.require_holder(entries(self._rasa_x), name)
        self._uploaded.require_whole(entry)
        if self._options.servers:
            self._fleet.confirm(
                WantedModel(name, self._model_id(entry), f"{name}.tar.gz"),
                must_pass=must_pass,
                tip="does its endpoints.yml lead to "
                f"{self._options.root}/api/projects/{self._options.project}"
                f"/models/tags/{self._options.tag}, with RASA_X_TOKEN as its token?",
            )

    def remove(self, name: str) -> None:
        """Delete a stored model; does nothing if it is gone already.

        Raises:
            PlatformError: it is active, or has another tag, so that it may serve elsewhere.
        """
        entry = entries(self._rasa_x).get(name)
        if entry is not None:
            if tags := set(entry.tags) - {EVALUATION}:
                raise PlatformError(
                    f"{name} has the tag {', '.join(sorted(tags))} at {self._options.root}, "
                    "and a model that may serve is never deleted",
                    tip="make another model active with `retrainer promote` first",
                )
            route = self._rasa_x.models_route + "/{model}"
            self._rasa_x.call("DELETE", route, names={"model": name}, accept={NOT_FOUND})
        self._uploaded.forget(name)
        self._cache.delete(name)

    def _model_id(self, entry: Entry) -> str:
        record = self._uploaded.record(entry)
        if record is not None:
            return record.model_id
        return str(read_metadata(self.fetch(entry.name)).get("model_id") or "")

    def _read_all(self) -> list[Model | RetrainerError]:
        """What each listed model is, or why it is damaged."""
        found: list[Model | RetrainerError] = []
        for entry in entries(self._rasa_x).values():
            try:
                record = self._uploaded.record(entry)
            except ServerError:
                raise
            except (PlatformError, StorageError) as error:
                found.append(error)
            else:
                found.append(record.model if record else entry.model)
        return found
