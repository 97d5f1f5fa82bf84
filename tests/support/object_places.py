"""Registries in object storage for tests, and storages that fail in ways that servers do."""

from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr
from support.s3_server import KEY, SECRET

from retrainer.adapters.object_storage.registry import ObjectRegistry
from retrainer.adapters.object_storage.storage import ObjectStorage
from retrainer.errors import ServerError


def s3_registry(
    url: str,
    endpoint: str,
    folder: Path,
    *,
    key: str = KEY,
    secret: str = SECRET,
    timeout: float = 10.0,
    transfer_timeout: float = 60.0,
) -> ObjectRegistry:
    """A registry on an S3 server, with parts of 5 MiB, as wiring makes it."""
    options = ObjectRegistry.Options(
        url=url,
        endpoint_url=endpoint,
        key=key,
        secret=SecretStr(secret),
        timeout=timeout,
        transfer_timeout=transfer_timeout,
        part_size=5,
    )
    return ObjectRegistry.from_options(options, folder=folder)


class FaultyStorage(ObjectStorage):
    """A storage that fails on purpose.

    `before_create` is called once, right before an object is created: another process is quicker.
    With `lost_answers` what is created is stored, and the answer is lost. With `overwrites` what
    exists is created again. `spoil` changes a file on its way into the storage. `hidden` are names
    that are listed and cannot be read.
    """

    before_create: Callable[[], None] | None = None
    lost_answers = False
    overwrites = False
    spoil: Callable[[Path], None] | None = None
    hidden: frozenset[str] = frozenset()

    def create(self, name: str, content: bytes) -> bool:
        """Store unless there is one, but for the faults."""
        if self.before_create is not None:
            other, self.before_create = self.before_create, None
            other()
        if self.overwrites:
            self.write(name, content)
            return True
        created = super().create(name, content)
        if self.lost_answers:
            raise ServerError(f"writing {name}: the connection was lost")
        return created

    def read(self, name: str) -> bytes | None:
        """Read what is not hidden."""
        return None if name in self.hidden else super().read(name)

    def put(self, name: str, file: Path) -> None:
        """Send a file, spoiled or not."""
        super().put(name, file)
        if self.spoil is not None:
            content = super().read(name) or b""
            spoiled = file.with_name("spoiled")
            spoiled.write_bytes(content)
            self.spoil(spoiled)
            super().put(name, spoiled)
