"""Downloaded archives: a few of them, each wholly there or not at all."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from retrainer.adapters.files import mark_used, storage_errors, sync_folder
from retrainer.adapters.rasa_x.scratch import scratch

#: How many are kept; a cycle reads two at once.
KEPT = 4


class ModelCache:
    """Archives in a folder, by their names, which are usable as file names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str, known: str, fill: Callable[[Path], None]) -> Path:
        """The archive; `fill` writes it into a file if it is not there yet.

        `known` is any text that stands for its content: another one, another archive.

        Raises:
            StorageError: it could not be written. What `fill` raises leaves nothing behind.
        """
        mark = hashlib.sha256(known.encode()).hexdigest()[:16]
        path = self._folder / f"{name}.{mark}.tar.gz"
        with storage_errors("reading", path), suppress(FileNotFoundError):
            mark_used(path)  # the least recently used go first
            return path
        with scratch(self._folder) as folder:
            copy = folder / path.name
            fill(copy)
            with storage_errors("writing", path):
                copy.replace(path)
                sync_folder(self._folder)
                self._prune()
        return path

    def delete(self, name: str) -> None:
        """Delete every archive of this name."""
        for path in self._folder.glob(f"{name}.{'[0-9a-f]' * 16}.tar.gz"):
            path.unlink(missing_ok=True)

    def _prune(self) -> None:
        copies = sorted(self._folder.glob("*.tar.gz"), key=lambda path: path.stat().st_atime)
        for path in copies[:-KEPT]:
            path.unlink(missing_ok=True)
