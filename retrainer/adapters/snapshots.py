"""Snapshots of an assistant's project: content-addressed folders, each kept once."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from retrainer.adapters.files import sha256, storage_errors
from retrainer.adapters.folders import discard, exclusive, publish, unfinished
from retrainer.adapters.plain_files import require_plain
from retrainer.domain.cycle import Snapshot
from retrainer.errors import StorageError
from retrainer.ports import DataSource

_DIGEST = re.compile(r"[0-9a-f]{64}")


class FolderSnapshots:
    """A `SnapshotStore` in a folder: the files of a snapshot are in `FOLDER/DIGEST`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, source: DataSource) -> Snapshot:
        """Pull and keep; the same content is kept once.

        Raises:
            ProjectError: the source has no usable project, or brought links, pipes or too much.
            StorageError: it could not be written; nothing of it is kept then.
        """
        with exclusive(self._folder), unfinished(self._folder) as copy:
            origins = source.pull(copy)
            require_plain(copy)
            with storage_errors("reading", copy):
                digest, files = _digest(copy)
            target = self._folder / digest
            if target.is_dir() and not _is_whole(target, digest):
                discard(target, self._folder)
            if not target.is_dir():
                publish(copy, target)
        return Snapshot(
            digest=digest, files=files, origin="; ".join(map(str, origins)), origins=origins
        )

    def folder(self, snapshot: Snapshot) -> Path:
        """Where the snapshot's files are, for reading only.

        Raises:
            StorageError: it is gone or was changed.
        """
        folder = self._folder / snapshot.digest
        if not folder.is_dir():
            raise StorageError(
                f"the snapshot {folder} is gone", tip="a new cycle takes a new snapshot"
            )
        with storage_errors("reading", folder):
            found, files = _digest(folder)
        if found != snapshot.digest:
            changed = sorted(set(files) ^ set(snapshot.files))
            difference = f", added or missing: {', '.join(changed)}" if changed else ""
            raise StorageError(
                f"the snapshot {folder} was changed: its content now has the digest "
                f"{found}{difference}",
                tip="a new cycle takes it anew",
            )
        return folder

    def sweep(self, keep: Sequence[str]) -> None:
        """Delete all snapshots but those of these digests.

        Raises:
            StorageError: one could not be deleted.
        """
        with exclusive(self._folder):
            for path in sorted(self._folder.iterdir()):
                if _DIGEST.fullmatch(path.name) and path.name not in keep:
                    discard(path, self._folder)


def _is_whole(folder: Path, digest: str) -> bool:
    with storage_errors("reading", folder):
        return _digest(folder)[0] == digest


def _digest(root: Path) -> tuple[str, tuple[str, ...]]:
    """The content address of a folder, and the names of its files, with `/`, in order."""
    names = sorted(
        Path(folder, file).relative_to(root).as_posix()
        for folder, _, files in os.walk(root)
        for file in files
    )
    whole = hashlib.sha256()
    for name in names:
        whole.update(f"{name}\0{sha256(root / name)}\n".encode())
    return whole.hexdigest(), tuple(names)
