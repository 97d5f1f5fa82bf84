"""What is recorded of each model that was uploaded from here: Rasa X keeps no more than its name."""

from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from retrainer.adapters.files import storage_errors, write_atomically
from retrainer.domain.cycle import Model
from retrainer.errors import PlatformError


class ModelRecord(BaseModel):
    """One uploaded model.

    `hash` is the server's own word for its content right after the upload, empty if it has none;
    `contents` is set where the server gets a zip file instead of the archive: the digest of the
    archive's files. `model_id` is Rasa's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Model
    hash: str = ""
    contents: str = ""
    model_id: str = ""


class ModelRecords:
    """Records in a folder, one file for each model; the names are usable as file names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> ModelRecord | None:
        """The record; None if there is none.

        Raises:
            PlatformError: it is damaged.
            StorageError: it could not be read.
        """
        path = self._path(name)
        try:
            with storage_errors("reading", path), suppress(FileNotFoundError):
                record = ModelRecord.model_validate_json(path.read_bytes())
                if record.model.name == name:
                    return record
                raise PlatformError(
                    f"{path} is of another model, {record.model.name}", tip=f"delete {path}"
                )
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(map(str, problem["loc"]))
            raise PlatformError(
                f"{path} is damaged: {place}: {problem['msg']}",
                tip=f"delete {path}: the model is then known by what Rasa X says of it",
            ) from error
        return None

    def write(self, record: ModelRecord) -> None:
        """Write the record, or replace it.

        Raises:
            StorageError: it could not be written.
        """
        content = record.model_dump_json(indent=2) + "\n"
        write_atomically(self._path(record.model.name), content.encode())

    def delete(self, name: str) -> None:
        """Delete the record, if there is one.

        Raises:
            StorageError: it could not be deleted.
        """
        path = self._path(name)
        with storage_errors("deleting", path):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
