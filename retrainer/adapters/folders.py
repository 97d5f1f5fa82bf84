"""Folders that are wholly there or not at all, shared by processes that may be killed at any time.

What is being made or deleted carries a hidden name, so that whoever holds the folder's lock next
knows it for the leftover of a process that was killed, and sweeps it.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from retrainer.adapters.files import make_folder, storage_errors, sync_folder, sync_tree
from retrainer.errors import StorageError

#: Seconds between two looks at a lock that another process holds.
_PAUSE = 0.02
_LOCK = ".lock"
_UNFINISHED = ".unfinished-"


@contextmanager
def exclusive(folder: Path, *, wait: float = 60.0, passing: bool = False) -> Iterator[None]:
    """Be the only one, of all threads and processes, at work in the folder; it is made if missing.

    Waits for up to `wait` seconds. The lock goes with the process, however that ends, and what an
    earlier owner left unfinished is swept. A `passing` folder is deleted at the end, if it is empty.

    Raises:
        StorageError: the folder is not writable, or another process did not let go of it in time.
    """
    with storage_errors("locking", folder):
        descriptor = _acquire(folder, wait)
    try:
        sweep(folder)
        yield
    finally:
        if passing:
            with suppress(OSError):
                (folder / _LOCK).unlink()
                folder.rmdir()
        os.close(descriptor)


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A new empty folder inside `folder`, deleted at the end unless it was published.

    The caller holds the lock of `folder`.
    """
    with storage_errors("writing below", folder):
        path = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder))
        path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(finished: Path, target: Path, *, synced: bool = False) -> None:
    """Make a finished folder durable, then give it its name, which nothing has yet.

    `synced` says that its content is durable already.

    Raises:
        StorageError: it could not be done; `target` is not there.
    """
    with storage_errors("writing", target):
        make_folder(target.parent)
        if not synced:
            sync_tree(finished)
        finished.rename(target)
        sync_folder(target.parent)


def discard(path: Path, folder: Path) -> None:
    """Delete a folder so that no part of it is ever seen under its name; nothing if it is gone.

    The caller holds the lock of `folder`, which is on the same file system.
    """
    with storage_errors("deleting", path):
        aside = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder))
        with suppress(FileNotFoundError):
            path.rename(aside / path.name)
            sync_folder(path.parent)
        shutil.rmtree(aside)


def sweep(folder: Path) -> None:
    """Delete what was left unfinished; the caller holds the lock of `folder`."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


def _acquire(folder: Path, wait: float) -> int:
    """The folder's lock, as the descriptor that holds it."""
    for _ in range(max(1, round(wait / _PAUSE))):
        # A passing folder may go between any two looks at it; a file in its place is an error
        # of `os.open`.
        with suppress(FileExistsError):
            make_folder(folder)
        with suppress(FileNotFoundError):
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            if _locked(descriptor, folder / _LOCK):
                return descriptor
        time.sleep(_PAUSE)
    raise StorageError(
        f"{folder} has been in use by another process for more than {wait:g} s",
        tip=f"let the other retrainer finish, or see who it is with `fuser -v {folder / _LOCK}`",
    )


def _locked(descriptor: int, path: Path) -> bool:
    """Whether the descriptor now holds the lock that everybody else sees; it is closed if not."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return True
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return False
