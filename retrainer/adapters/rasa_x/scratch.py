"""Folders for files in the making, several processes at once."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from retrainer.adapters.files import storage_errors

_PREFIX = ".scratch-"
#: Seconds after which a folder is one of a process that was killed: no transfer may take as long.
_ABANDONED = 2 * 86400.0


@contextmanager
def scratch(below: Path) -> Iterator[Path]:
    """A new empty folder below another, deleted at the end; what killed processes left goes too.

    Raises:
        StorageError: it could not be made.
    """
    with storage_errors("writing below", below):
        below.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=below))
    try:
        _sweep(below)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(below: Path) -> None:
    oldest = time.time() - _ABANDONED
    for path in below.glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path, ignore_errors=True)
