"""Where objects may be kept: S3, Google Cloud Storage, Azure, a folder; by URL, through fsspec."""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fsspec.core import url_to_fs  # type: ignore[import-untyped] # fsspec has no types
from fsspec.implementations.local import (  # type: ignore[import-untyped] # as above
    LocalFileSystem,
)
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from retrainer.adapters.files import sync_folder, write_atomically
from retrainer.errors import ConfigurationError

#: Parts of one transfer that are on their way at the same time; each is held in memory.
_CONCURRENT_PARTS = 4
#: Seconds that a server has to accept a connection.
_CONNECT = 10.0
_MEBIBYTE = 1024 * 1024


class Access(BaseModel):
    """How objects are reached; what is empty is left to the provider's own chain of credentials."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    endpoint_url: str | None = None
    """Address of a server that speaks S3, such as MinIO; empty: AWS."""

    region: str | None = None
    """The bucket's region (S3)."""

    profile: str | None = None
    """A profile of ~/.aws/config (S3)."""

    key: str | None = None
    """Id of the access key (S3), or name of the storage account (Azure)."""

    secret: SecretStr | None = None
    """The secret of `key`: secret access key (S3), or account key (Azure)."""

    timeout: float = Field(default=30.0, gt=0)
    """Seconds that one request may take, those that carry a model excepted."""

    transfer_timeout: float = Field(default=1800.0, gt=0, le=43200)
    """Seconds that the upload or the download of one model may take."""

    part_size: int = Field(default=8, ge=5, le=1024)
    """MiB of each part of a model; up to four parts are held in memory."""

    @property
    def part_bytes(self) -> int:
        """Size of a part, in bytes."""
        return self.part_size * _MEBIBYTE


@dataclass(frozen=True, slots=True)
class Provider:
    """One kind of object storage: the package that speaks to it, and how that one fails.

    `extra` is retrainer's optional dependency on `package`. `faults` are the errors of the package
    beside OSError and ValueError, as `module:class`. `put` and `get` are options of transfers.
    """

    extra: str = ""
    package: str = ""
    options: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()
    put: tuple[str, ...] = ()
    get: tuple[str, ...] = ()


_S3 = Provider(
    "s3",
    "s3fs",
    frozenset({"endpoint_url", "region", "profile", "key", "secret"}),
    (
        "botocore.exceptions:BotoCoreError",
        "botocore.exceptions:ClientError",
        "aiohttp:ClientError",
    ),
    put=("chunksize", "max_concurrency"),
)
_GCS = Provider(
    "gcs",
    "gcsfs",
    frozenset(),
    ("gcsfs.retry:HttpError", "google.auth.exceptions:GoogleAuthError", "aiohttp:ClientError"),
    put=("chunksize",),
)
_AZURE = Provider(
    "azure",
    "adlfs",
    frozenset({"key", "secret"}),
    ("azure.core.exceptions:AzureError", "aiohttp:ClientError"),
    put=("max_concurrency",),
    get=("max_concurrency",),
)
PROVIDERS: Mapping[str, Provider] = {
    "s3": _S3,
    "gs": _GCS,
    "az": _AZURE,
    "abfs": _AZURE,
    "abfss": _AZURE,
    "file": Provider(),
    "memory": Provider(),
}


@dataclass(frozen=True)
class Location:
    """A place for objects, and how to get there.

    Raises:
        ConfigurationError: the URL or an option is not usable, or a package is missing.
    """

    url: str
    access: Access = field(default=Access(), repr=False)

    def __post_init__(self) -> None:
        """Look at everything that can be seen without asking anybody."""
        parts = urlsplit(self.url)
        if parts.scheme not in PROVIDERS:
            raise ConfigurationError(
                f"{self._shown!r} is no place for objects: a URL that begins with "
                f"{', '.join(f'{scheme}://' for scheme in PROVIDERS)} is needed"
            )
        if parts.password is not None or parts.query or parts.fragment:
            raise ConfigurationError(
                f"{self._shown!r} holds more than a bucket and a path in it; "
                "credentials are given as `key` and `secret`, or in the environment"
            )
        if not (parts.path.strip("/") if parts.scheme == "file" else parts.netloc):
            raise ConfigurationError(f"{self._shown!r} names no bucket or folder")
        self._require_options()
        if self.provider.package and find_spec(self.provider.package) is None:
            raise ConfigurationError(
                f"{self._shown} needs the package {self.provider.package}, which is not installed",
                tip=f"pip install 'retrainer[{self.provider.extra}]'",
            )

    @property
    def provider(self) -> Provider:
        """What is at the other end."""
        return PROVIDERS[urlsplit(self.url).scheme]

    @property
    def bucket(self) -> str:
        """Name of the bucket, or of the container or folder."""
        parts = urlsplit(self.url)
        return parts.netloc or parts.path

    @property
    def _shown(self) -> str:
        """The URL without what may be secret in it."""
        parts = urlsplit(self.url)
        host = parts.netloc if parts.password is None else f"***@{parts.hostname}"
        return f"{parts.scheme}://{host}{parts.path}" if parts.scheme else parts.path

    def connect(self) -> tuple[Any, str]:
        """The filesystem, and the path in it; nobody is asked anything yet.

        Nothing is kept of earlier listings: what somebody else writes is seen.

        Raises:
            ConfigurationError: the package does not take the options.
        """
        if self.url.startswith("file:"):
            return _Folder(), os.fspath(Path(urlsplit(self.url).path))
        options = {**_fresh(), **self._client_options()}
        try:
            filesystem, root = url_to_fs(self.url, **options)
        except (OSError, ValueError, ImportError) as error:
            raise ConfigurationError(f"{self.url} cannot be used: {error}") from None
        if self.provider is _S3:
            filesystem.retries = 2  # botocore repeats requests as well
        return filesystem, root.rstrip("/")

    def faults(self) -> tuple[type[Exception], ...]:
        """The errors that the filesystem raises."""
        pairs = (name.split(":") for name in self.provider.faults)
        loaded = [getattr(import_module(module), fault) for module, fault in pairs]
        return (OSError, ValueError, *loaded)

    def transfer(self, names: tuple[str, ...]) -> dict[str, int]:
        """Options of a transfer that keep its use of memory small."""
        sizes = {"chunksize": self.access.part_bytes, "max_concurrency": _CONCURRENT_PARTS}
        return {name: sizes[name] for name in names}

    def _require_options(self) -> None:
        given = {"endpoint_url", "region", "profile", "key", "secret"} & {
            name for name, value in self.access if value is not None
        }
        if foreign := sorted(given - self.provider.options):
            raise ConfigurationError(f"{self._shown} takes no {', '.join(foreign)}")
        if (self.access.key is None) != (self.access.secret is None):
            raise ConfigurationError(f"{self._shown}: `key` and `secret` go together")

    def _client_options(self) -> dict[str, Any]:
        access = self.access
        secret = access.secret.get_secret_value() if access.secret else None
        if self.provider is _S3:
            client = {
                "endpoint_url": access.endpoint_url,
                "profile": access.profile,
                "key": access.key,
                "secret": secret,
                "client_kwargs": {"region_name": access.region} if access.region else None,
            }
            limits = {
                "connect_timeout": min(_CONNECT, access.timeout),
                "read_timeout": access.timeout,
                "retries": {"max_attempts": 2, "mode": "standard"},
            }
            given = {name: value for name, value in client.items() if value is not None}
            # One request at a time: a read is not preceded by a question for the size, and a
            # download that breaks goes on where it broke.
            return {**given, "config_kwargs": limits, "max_concurrency": 1}
        if self.provider is _GCS:
            return {"requests_timeout": access.timeout}
        if self.provider is _AZURE:
            client = {"account_name": access.key, "account_key": secret}
            given = {name: value for name, value in client.items() if value is not None}
            return {**given, "anon": False, "connection_timeout": _CONNECT}
        return {}


def _fresh() -> dict[str, bool]:
    """No cache, neither of filesystems nor of listings."""
    return {"skip_instance_cache": True, "use_listings_cache": False}


class _Folder(LocalFileSystem):  # type: ignore[misc] # fsspec has no types
    """A folder, in which an object is whole or absent, as it is in a bucket."""

    def __init__(self) -> None:
        super().__init__(auto_mkdir=True, **_fresh())

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: object) -> None:
        """Write a whole file; with the mode "create" only if there is none."""
        if mode != "create":
            write_atomically(Path(path), value)
            return
        aside = Path(f"{path}.{uuid.uuid4().hex}")
        write_atomically(aside, value)
        try:
            Path(path).hardlink_to(aside)  # fails if there is one, as no other call on files does
            sync_folder(aside.parent)
        finally:
            aside.unlink()
