"""Where the records of an assistant's models and cycles are kept."""

from pathlib import Path

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.errors import ConfigurationError
from retrainer.ports import ArtifactStore
from retrainer.settings import anchored


def artifact_store(config: Path, records: str | None, name: str, folder: Path) -> ArtifactStore:
    """The store of the assistant `name`: below `records`, a URL or path of the config file.

    Without `records` it is in `folder`, the assistant's own.

    Raises:
        ConfigurationError: the URL is not usable.
    """
    if records is None:
        return FolderArtifacts(folder / "records")
    if "://" not in records:
        return FolderArtifacts(anchored(config, Path(records)) / name)
    from retrainer.adapters.object_storage.artifacts import ObjectArtifacts
    from retrainer.adapters.object_storage.providers import Location
    from retrainer.adapters.object_storage.storage import ObjectStorage

    try:
        location = Location(f"{records.rstrip('/')}/{name}")
    except ConfigurationError as error:
        raise ConfigurationError(f"{config}: records: {error}", tip=error.tip) from None
    return ObjectArtifacts(ObjectStorage(location))
