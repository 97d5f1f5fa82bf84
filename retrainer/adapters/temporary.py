"""Temporary folders that do not outlive the process that made them for long, however it ends.

Whoever makes one holds its lock, which the system takes back with the process. So the next one of
the same kind knows what a killed process left behind, and deletes it.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from retrainer.adapters.files import storage_errors

#: Seconds after which a folder that nobody has locked was left: it is locked as soon as it is made.
_LEFT_AFTER = 60.0


class TemporaryFolder:
    """A new empty folder below the system's temporary one, deleted by `cleanup` or with `with`.

    `kind` is a word for what it is for. Raises StorageError if it could not be made.
    """

    def __init__(self, kind: str) -> None:
        below, prefix = Path(tempfile.gettempdir()), f"retrainer-{kind}-"
        _sweep(below, prefix)
        with storage_errors("writing below", below):
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=below))
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            with suppress(OSError):  # without locks there, what is left stays left
                fcntl.flock(self._lock, fcntl.LOCK_EX)

    def cleanup(self) -> None:
        """Delete it with all that is in it; again: nothing."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cleanup()


def _sweep(below: Path, prefix: str) -> None:
    """Delete the folders of this user that nobody holds any more."""
    with suppress(OSError):
        for folder in below.glob(f"{prefix}*"):
            if _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    with suppress(OSError):
        found = folder.lstat()  # others may put links and files of that name there
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return False
        if time.time() - found.st_mtime < _LEFT_AFTER:
            return False
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(lock)
        return True
    return False
