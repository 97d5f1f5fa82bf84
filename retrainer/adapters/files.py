"""Files that are either wholly there or not at all, and stay after a power cut."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from retrainer.errors import StorageError


@contextmanager
def storage_errors(doing: str, path: Path) -> Iterator[None]:
    """Turn an OSError (disk full, no permission) into a StorageError that names the place."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{doing} {path} failed: {error.strerror or error}",
            tip=f"free space or rights below {path.parent}, then run the same command again",
        ) from error


def digest_of(*facts: object) -> str:
    """64 hexadecimal digits that are others if one of these facts is; they are what JSON can say."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by the content, durably; what a killed process left of the same goes.

    No two processes write the same file at once.

    Raises:
        StorageError: it could not be written; the earlier content is still there.
    """
    with storage_errors("writing", path):
        make_folder(path.parent)
        for unfinished in path.parent.glob(f".{escape(path.name)}.*"):
            unfinished.unlink(missing_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, as durably as what will be in them; nothing if it is there.

    Raises:
        OSError: it could not be made.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def sync_tree(folder: Path) -> None:
    """Make all that is in a folder durable; its own name is for the folder above."""
    for root, _, files in os.walk(folder):
        for file in files:
            _sync(Path(root, file), os.O_RDONLY)
        sync_folder(Path(root))


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mark_used(path: Path) -> None:
    """Note that a file is in use now: its time of access alone, since its content is the same.

    Raises:
        FileNotFoundError: it is gone.
    """
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def sha256(path: Path) -> str:
    """64 hexadecimal digits of the file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
