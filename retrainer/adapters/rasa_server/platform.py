"""Models in a registry, and the Rasa Open Source servers that serve the active one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.model_archive import read_metadata
from retrainer.adapters.object_storage.registry import ObjectRegistry
from retrainer.adapters.rasa_server.fleet import Fleet, FleetOptions, WantedModel
from retrainer.adapters.rasa_server.server import ServerOptions
from retrainer.domain.cycle import Model
from retrainer.domain.examples import MustPass
from retrainer.errors import ModelArchiveError, PlatformError
from retrainer.ports import Platform

_PULL_TIP = (
    "does `models:` in the endpoints.yml of that server lead to the champion of this assistant, and "
    "is `wait_time_between_pulls` below `confirm_within`? its log says what it pulled"
)


class ModelServerOptions(BaseModel):
    """Where servers that are told to follow a model server find it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(pattern=r"^https?://[^\s?#@]+$")
    """Address of the champion, such as http://retrainer:5010/models/bank/champion."""

    token: SecretStr | None = Field(default=None, min_length=1)
    """What the model server asks for as `?token=`."""

    wait_time_between_pulls: int = Field(default=10, ge=1, le=86400)
    """Seconds between two looks of a server for a new model."""

    @property
    def block(self) -> dict[str, object]:
        """As `PUT /model` and endpoints.yml have it."""
        token = {"token": self.token.get_secret_value()} if self.token else {}
        wait = {"wait_time_between_pulls": self.wait_time_between_pulls}
        return {"url": self.url, **wait, **token}


class RasaServerPlatform:
    """A `Platform` of a registry and Rasa servers.

    The registry's pointer is the truth about which model is active. `activate` moves it, `confirm`
    brings the servers along, so that asking them again after a crash is the same as asking them.
    """

    class Options(FleetOptions):
        """Options of `type = "rasa_server"`."""

        servers: tuple[ServerOptions, ...] = Field(min_length=1)
        """The Rasa servers that serve the assistant."""

        folder: Path | None = None
        """Where the models are kept, an absolute path; empty: in the state folder."""

        storage: ObjectRegistry.Options | None = None
        """Object storage where the models are kept instead, with the options of "object_storage"."""

        activation: Literal["pull", "model_server", "file"] = "pull"
        """How servers get a promoted model: they pull it by themselves, are told to follow
        `model_server`, or are told to load a file that they can read."""

        model_server: ModelServerOptions | None = None
        """Where servers find the champion, for activation = "model_server"."""

        path: str | None = None
        """The archive of the model {name} as the servers see it; empty: the registry's own path."""

        ca_file: Path | None = None
        """File of the certificate authorities to trust, an absolute path; empty: the usual ones."""

        verify: bool = True
        """Whether the servers' certificates are checked."""

        @field_validator("folder", "ca_file")
        @classmethod
        def _absolute(cls, path: Path | None) -> Path | None:
            if path is not None and not path.is_absolute():
                raise ValueError(f"'{path}' is not an absolute path")
            return path

        @field_validator("path")
        @classmethod
        def _has_the_name(cls, path: str | None) -> str | None:
            if path is not None and "{name}" not in path:
                raise ValueError("it must hold {name}, which stands for the model's name")
            return path

        @model_validator(mode="after")
        def _fits_the_activation(self) -> Self:
            if (self.activation == "model_server") != (self.model_server is not None):
                raise ValueError('activation = "model_server" and `model_server` go together')
            if self.path is not None and self.activation != "file":
                raise ValueError('`path` is for activation = "file"')
            if self.storage is not None and self.folder is not None:
                raise ValueError("models are kept in `storage` or in `folder`, not in both")
            if self.storage is not None and self.activation == "file" and self.path is None:
                raise ValueError("`path` is needed: servers do not see the copies of `storage`")
            return self

    @classmethod
    def from_options(cls, options: Options, *, folder: Path) -> Self:
        """The platform that the options describe."""
        if options.storage is not None:
            return cls(options, ObjectRegistry.from_options(options.storage, folder=folder))
        return cls(options, EmbeddedRegistry(options.folder or folder))

    def __init__(self, options: Options, registry: Platform) -> None:
        self._options, self._registry = options, registry
        block = options.model_server
        token = block.token if block else None
        self._fleet = Fleet(
            options,
            verify=str(options.ca_file) if options.verify and options.ca_file else options.verify,
            secrets=(token.get_secret_value(),) if token else (),
        )
        #: The model that was found not to serve, which nothing may hold up the way back from; and
        #: the one that was brought back.
        self._failed: str | None = None
        self._restored: str | None = None

    def require_ready(self, rasa_version: str) -> None:
        """Make sure that a model of this version of Rasa could be stored and served now.

        Raises:
            PlatformNotReady: a server does not answer (unless those that do may go on), does not
                know us, or does not load models of this version.
        """
        self._registry.require_ready(rasa_version)
        self._fleet.require_ready(rasa_version)

    def upload(self, model: Model, archive: Path) -> None:
        """Store the model in the registry; a second upload of the same content does nothing.

        Raises:
            ModelConflict: another content has that name.
            ModelArchiveError: the archive is not the one that `model` describes.
            StorageError: it could not be written; nothing of it is stored then.
        """
        self._registry.upload(model, archive)

    def models(self) -> tuple[Model, ...]:
        """All models of the registry, oldest first, but those that are `damaged`."""
        return self._registry.models()

    def damaged(self) -> tuple[str, ...]:
        """A sentence for each stored model that cannot be read."""
        return self._registry.damaged()

    def fetch(self, name: str) -> Path:
        """The archive of a stored model, on this machine, for reading only.

        Raises:
            ModelNotFound: there is none of that name.
        """
        return self._registry.fetch(name)

    def evaluation(self, name: str) -> None:
        """Rasa servers are not asked to evaluate: the Rasa worker does that."""

    def active(self) -> str | None:
        """Name of the model that the registry's pointer leads to; None before the first."""
        return self._registry.active()

    def activate(self, name: str, *, expected: str | None) -> None:
        """Move the registry's pointer; does nothing if it leads there already.

        Servers that pull begin to follow; the others are told by `confirm`.

        Raises:
            ModelNotFound: there is none of that name.
            ChampionMoved: neither `name` nor `expected` is active.
            PlatformNotReady: servers could not serve it now; nothing changed. They are not asked on
                the way back from a model that was found not to serve.
            PlatformError: the stored archive is damaged, or no Rasa model; nothing changed.
        """
        described = self._metadata(name)
        is_way_back = expected is not None and expected == self._failed
        if self.active() == expected != name and not is_way_back:
            self._fleet.require_ready(str(described.get("rasa_open_source_version", "")))
        self._registry.activate(name, expected=expected)
        self._failed, self._restored = None, name if is_way_back else None

    def confirm(self, name: str, *, must_pass: Sequence[MustPass] = ()) -> None:
        """Make sure that every server serves this model, after telling those that have to be told.

        Each one must serve exactly this model, answer the smoke messages and understand
        `must_pass`. A server that serves it already is not told again.

        Raises:
            PlatformError: it is not active, its archive is not whole, or a server does not.
        """
        self._failed = None if name == self._restored else name
        self._registry.confirm(name, must_pass=must_pass)
        path = self._options.path
        archive = path.replace("{name}", name) if path else str(self.fetch(name))
        load = {"pull": None, "file": {"model_file": archive}, "model_server": self._block}
        self._fleet.confirm(
            WantedModel(name, str(self._metadata(name).get("model_id")), Path(archive).name),
            must_pass=must_pass,
            load=load[self._options.activation],
            tip=_PULL_TIP if self._options.activation == "pull" else None,
        )
        self._failed = None

    def remove(self, name: str) -> None:
        """Delete a stored model; does nothing if it is gone already.

        Raises:
            PlatformError: the model is active.
        """
        self._registry.remove(name)

    @property
    def _block(self) -> dict[str, Any] | None:
        server = self._options.model_server
        return {"model_server": server.block} if server else None

    def _metadata(self, name: str) -> dict[str, Any]:
        archive = self.fetch(name)
        try:
            return read_metadata(archive)
        except ModelArchiveError as error:
            raise PlatformError(
                f"the stored archive of {name} is damaged, or no Rasa model: {error}", tip=error.tip
            ) from error
