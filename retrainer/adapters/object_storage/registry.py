"""A registry of models in object storage: S3, Google Cloud Storage, Azure, or a folder, by URL.

- `versions/NAME/model.tar.gz`: the archive
- `versions/NAME/model.json`: what is recorded of it, see `models`
- `champion/00000042.json`: the pointer to the active model, see `champion`

On S3 Rasa itself can load a model: `rasa run --remote-storage aws
--model PREFIX/versions/NAME/model.tar.gz`, with the environment variable BUCKET_NAME.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

from pydantic import model_validator

from retrainer.adapters.clock import SystemClock
from retrainer.adapters.object_storage.champion import ChampionPointer
from retrainer.adapters.object_storage.copies import LocalCopies
from retrainer.adapters.object_storage.models import ObjectModels, Record
from retrainer.adapters.object_storage.providers import Access, Location
from retrainer.adapters.object_storage.storage import ObjectStorage
from retrainer.domain.cycle import Model
from retrainer.domain.examples import MustPass
from retrainer.errors import ChampionMoved, ConfigurationError, PlatformError
from retrainer.ports import Clock


class ObjectRegistry:
    """A `Platform` in a storage; see the module for what is there.

    What is fetched is kept in `folder`, a cache of this machine, and checked before it is used.
    """

    class Options(Access):
        """Options of `type = "object_storage"`."""

        url: str
        """Where the models are kept: s3://BUCKET/PREFIX, gs://..., az://..., file:///FOLDER."""

        conditional_writes: bool = True
        """Whether the server can create an object only if there is none of that name."""

        @model_validator(mode="after")
        def _usable(self) -> Self:
            try:
                Location(self.url, self)
            except ConfigurationError as error:
                raise ValueError(". ".join(filter(None, [error.message, error.tip]))) from None
            return self

    @classmethod
    def from_options(cls, options: Options, *, folder: Path) -> Self:
        """The registry at the options' URL, with a cache in `folder`."""
        storage = ObjectStorage(Location(options.url, options))
        return cls(storage, folder, conditional_writes=options.conditional_writes)

    def __init__(
        self,
        storage: ObjectStorage,
        folder: Path,
        *,
        conditional_writes: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self._url = storage.url
        self._models = ObjectModels(storage, clock or SystemClock())
        self._pointer = ChampionPointer(storage, conditional=conditional_writes)
        self._copies = LocalCopies(folder)

    def require_ready(self, rasa_version: str) -> None:
        """Any version will do; the storage has to be there, to let us in, and to be writable.

        To find out, an object is made there and deleted again.

        Raises:
            PlatformNotReady: two promotions at once could not be told apart there.
            PlatformError: it is not.
        """
        del rasa_version
        self._pointer.require_movable()

    def upload(self, model: Model, archive: Path) -> None:
        """Store the model under its name; a second upload of the same content does nothing.

        Raises:
            ModelConflict: another content has that name.
            ModelArchiveError: the archive is not the one that `model` describes.
            PlatformError: it could not be stored; there is no such model then.
        """
        self._models.store(model, archive)

    def models(self) -> tuple[Model, ...]:
        """All stored models, oldest first; what is damaged is among `damaged` instead."""
        found = [record.model for record in self._models.all() if isinstance(record, Record)]
        return tuple(sorted(found, key=lambda model: (model.trained_at, model.name)))

    def damaged(self) -> tuple[str, ...]:
        """A sentence for each record that is not readable, or whose archive is gone."""
        return tuple(str(e) for e in self._models.all() if isinstance(e, PlatformError))

    def fetch(self, name: str) -> Path:
        """The archive of a stored model, on this machine, for reading only.

        Raises:
            ModelNotFound: there is none of that name.
            PlatformError: it is damaged, or could not be fetched.
            StorageError: it could not be written here.
        """
        record = self._models.get(name)
        return self._copies.get(name, record.model.sha256, partial(self._models.fetch, record))

    def evaluation(self, name: str) -> None:
        """A bucket measures nothing."""

    def active(self) -> str | None:
        """Name of the model that serves; None before the first activation.

        Raises:
            PlatformError: the pointer is damaged.
        """
        return self._pointer.place().model

    def activate(self, name: str, *, expected: str | None) -> None:
        """Make a stored model the active one, atomically; does nothing if it is active already.

        Raises:
            ModelNotFound: there is none of that name.
            ChampionMoved: neither `name` nor `expected` is active.
            PlatformError: the stored archive is damaged or gone; nothing changed.
        """
        record, place = self._models.get(name), self._pointer.place()
        if place.model not in (name, expected):
            raise ChampionMoved(
                f"{place.model or 'no model'} is active in {self._url}, "
                f"{expected or 'no model'} was expected when {name} was to replace it",
                tip="`retrainer models` lists the models; run the cycle again",
            )
        if place.model != name:
            self._models.require_whole(record)
            self._pointer.move(place, name)

    def confirm(self, name: str, *, must_pass: Sequence[MustPass] = ()) -> None:
        """Make sure that the pointer leads to this model and that its archive is whole.

        Nobody can be asked `must_pass`: a bucket knows no server.

        Raises:
            PlatformError: it does not, or it is not.
        """
        del must_pass
        active = self.active()
        if active != name:
            raise PlatformError(
                f"{active or 'no model'} is active in {self._url}, {name} should be",
                tip="`retrainer models` lists the models",
            )
        self._models.require_whole(self._models.get(name))

    def remove(self, name: str) -> None:
        """Delete a stored model; does nothing if it is gone already.

        Raises:
            PlatformError: the model is active.
        """
        if self.active() == name:
            raise PlatformError(
                f"{name} is active in {self._url}, and the active model is never deleted",
                tip="make another model active with `retrainer promote` first",
            )
        self._models.delete(name)
        self._copies.delete(name)
