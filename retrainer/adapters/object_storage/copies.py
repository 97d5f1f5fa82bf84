"""Models that were fetched from object storage, kept on this machine for the next time."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from retrainer.adapters.files import mark_used, sha256, storage_errors

#: How many fetched models are kept, those that were used last.
KEPT = 5
_SUFFIX = ".tar.gz"
_UNFINISHED = ".unfinished-"
#: Seconds after which an unfinished copy is the leftover of a process that was killed.
_LEFTOVER = 86400.0


class LocalCopies:
    """Copies in `folder`, which may not exist yet; shared by processes without a lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str, digest: str, download: Callable[[Path], None]) -> Path:
        """The copy of this name with this SHA-256; `download` makes it where there is none.

        `download` writes the whole content into the given file, and makes sure of it.

        Raises:
            StorageError: it could not be read or written.
        """
        path = self._path(name)
        with storage_errors("reading", path), suppress(FileNotFoundError):
            if sha256(path) == digest:
                mark_used(path)
                return path
        with storage_errors("writing", path):
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, unfinished = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._folder)
            os.close(handle)
            try:
                download(Path(unfinished))
                written = Path(unfinished).stat().st_mtime
                Path(unfinished).replace(path)
            except BaseException:
                Path(unfinished).unlink(missing_ok=True)
                raise
        self._sweep(written)
        return path

    def delete(self, name: str) -> None:
        """Delete a copy; nothing if there is none."""
        with storage_errors("deleting", self._path(name)):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"

    def _sweep(self, now: float) -> None:
        """Delete what was used longest ago, and what nobody is going to finish."""
        copies: list[tuple[float, Path]] = []
        for path in self._folder.iterdir():
            with suppress(OSError):
                status = path.stat()
                if path.name.endswith(_SUFFIX):
                    copies.append((status.st_atime, path))
                elif path.name.startswith(_UNFINISHED) and status.st_mtime < now - _LEFTOVER:
                    path.unlink()
        for _, path in sorted(copies)[:-KEPT]:
            with suppress(OSError):
                path.unlink()
