"""Small files that outlive a cycle, in a folder."""

import shutil
from contextlib import suppress
from pathlib import Path, PurePosixPath

from retrainer.adapters.files import storage_errors, sync_folder, write_atomically
from retrainer.errors import StorageError


class FolderArtifacts:
    """An `ArtifactStore` in a folder: the name is the path below it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._folder

    def write(self, name: str, content: bytes) -> None:
        """Store atomically and durably; an earlier content of that name is replaced.

        Raises:
            StorageError: it could not be written (the earlier content is still there), or the name
                is not usable.
        """
        write_atomically(self._path(name), content)

    def read(self, name: str) -> bytes | None:
        """The content; None when there is none.

        Raises:
            StorageError: it could not be read, or the name is not usable.
        """
        path = self._path(name)
        with storage_errors("reading", path), suppress(FileNotFoundError, NotADirectoryError):
            return path.read_bytes()
        return None

    def delete(self, name: str) -> None:
        """Delete a file, or a folder with all in it; nothing if it is gone already.

        Raises:
            StorageError: it could not be deleted, or the name is not usable.
        """
        path = self._path(name)
        with storage_errors("deleting", path), suppress(FileNotFoundError, NotADirectoryError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            sync_folder(path.parent)

    def _path(self, name: str) -> Path:
        return self._folder / require_artifact_name(name)


def require_artifact_name(name: str) -> str:
    """The name of an artifact, once it is found to lead nowhere but below its store.

    Raises:
        StorageError: the name is not usable.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise StorageError(
            f"{name!r} is not the name of an artifact: a relative path without `..` is needed"
        )
    return PurePosixPath(name).as_posix()
