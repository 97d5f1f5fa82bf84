"""One stored model of the embedded registry: a folder with the archive and what is recorded of it."""

import shutil
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from retrainer.adapters.files import sha256, storage_errors
from retrainer.adapters.model_archive import require_digest
from retrainer.domain.cycle import Model
from retrainer.errors import PlatformError

ARCHIVE, RECORD = "model.tar.gz", "model.json"
_MODEL = TypeAdapter(Model)


def write(folder: Path, model: Model, archive: Path) -> None:
    """Fill an empty folder.

    Raises:
        ModelArchiveError: the archive is not the one that `model` describes.
        OSError: it could not be written.
    """
    shutil.copyfile(archive, folder / ARCHIVE)
    require_digest(model, archive, sha256(folder / ARCHIVE))
    (folder / RECORD).write_bytes(_MODEL.dump_json(model, indent=2))


def read(folder: Path) -> Model:
    """What is recorded of the model.

    Raises:
        PlatformError: the folder is no model, or of another one, or damaged.
        StorageError: it could not be read.
    """
    record = folder / RECORD
    try:
        with storage_errors("reading", record), suppress(FileNotFoundError, NotADirectoryError):
            model = _MODEL.validate_json(record.read_bytes())
            if model.name == folder.name:
                return model
            raise _damaged(record, f"is of another model, {model.name}")
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise _damaged(record, f"is not readable: {place}: {problem['msg']}") from error
    raise PlatformError(
        f"{folder} is not a model of this registry: it has no {RECORD}",
        tip=f"move {folder} elsewhere",
    )


def archive_of(folder: Path) -> Path:
    """The archive; its size is looked at, its content is not.

    Raises:
        PlatformError: it is damaged.
        StorageError: it could not be read.
    """
    model, archive = read(folder), folder / ARCHIVE
    size = archive.stat().st_size if archive.is_file() else 0
    if size != model.size:
        raise _damaged(archive, f"has {size} bytes, {model.size} are recorded")
    return archive


def require_whole(folder: Path) -> None:
    """Make sure that the archive is byte by byte the one that was stored.

    Raises:
        PlatformError: it is damaged.
        StorageError: it could not be read.
    """
    archive, recorded = archive_of(folder), read(folder).sha256
    with storage_errors("reading", archive):
        found = sha256(archive)
    if found != recorded:
        raise _damaged(archive, f"has the SHA-256 {found}, {recorded} is recorded")


def _damaged(path: Path, how: str) -> PlatformError:
    return PlatformError(
        f"{path} {how}: it is damaged",
        tip=f"move {path.parent} elsewhere and train or upload the model again",
    )
