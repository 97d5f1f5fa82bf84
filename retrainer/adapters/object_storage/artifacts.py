"""Small files that outlive a cycle, in object storage, so that several machines can share them."""

from collections.abc import Iterator
from contextlib import contextmanager

from retrainer.adapters.artifacts import require_artifact_name
from retrainer.adapters.object_storage.storage import ObjectStorage
from retrainer.errors import PlatformError, StorageError


class ObjectArtifacts:
    """An `ArtifactStore` in a storage: the name is the object's, below the storage's URL."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def write(self, name: str, content: bytes) -> None:
        """Store as a whole or not at all; an earlier content of that name is replaced.

        Raises:
            StorageError: it could not be written (the earlier content is still there), or the name
                is not usable.
        """
        with _storage_errors():
            self._storage.write(require_artifact_name(name), content)

    def read(self, name: str) -> bytes | None:
        """The content; None when there is none.

        Raises:
            StorageError: it could not be read, or the name is not usable.
        """
        with _storage_errors():
            return self._storage.read(require_artifact_name(name))

    def delete(self, name: str) -> None:
        """Delete a file, or a folder with all in it; nothing if it is gone already.

        Raises:
            StorageError: it could not be deleted, or the name is not usable.
        """
        with _storage_errors():
            self._storage.delete_folder(require_artifact_name(name))


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Of a platform the pipeline would think that it is the one with the models."""
    try:
        yield
    except PlatformError as error:
        raise StorageError(error.message, tip=error.tip) from None
