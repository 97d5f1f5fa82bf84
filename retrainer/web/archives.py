"""A model's archive that is held open, so that nobody can take it away from a running download."""

import hashlib
import os
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from retrainer.adapters.files import storage_errors
from retrainer.errors import StorageError

_Identity = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Archive:
    """An open archive: `size` in bytes, `sha256` in 64 hexadecimal digits.

    It is closed when nobody has it any more; until then it is readable, even if it was deleted.
    """

    name: str
    path: Path
    size: int
    sha256: str
    _descriptor: int
    _identity: _Identity

    @classmethod
    def open(cls, name: str, path: Path) -> Self:
        """Open the archive and read it once, so that `sha256` is that of the bytes to be sent.

        Raises:
            StorageError: it could not be read, or was written to meanwhile.
        """
        with storage_errors("reading", path):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                identity, digest = _content(descriptor, path)
            except BaseException:
                os.close(descriptor)
                raise
        archive = cls(name, path, identity[2], digest, descriptor, identity)
        weakref.finalize(archive, os.close, descriptor)
        return archive

    @property
    def etag(self) -> str:
        """A strong entity tag: it names these very bytes."""
        return f'"{self.sha256}"'

    def is_still_there(self) -> bool:
        """Whether the same file, unchanged, still is in its place."""
        try:
            return _identity(self.path.stat()) == self._identity
        except OSError:
            return False

    def read(self, start: int, length: int) -> bytes:
        """So many bytes from `start`; any number of threads may read."""
        return os.pread(self._descriptor, length, start)


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _content(descriptor: int, path: Path) -> tuple[_Identity, str]:
    """Which file it is, and the SHA-256 of what is in it."""
    before = _identity(os.fstat(descriptor))
    with open(descriptor, "rb", closefd=False) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if _identity(os.fstat(descriptor)) != before:
        raise StorageError(f"{path} was written to while it was read")
    return before, digest
