"""Model archives for tests: small, and as wrong as wanted."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from retrainer.domain.cycle import Model

METADATA = b'{"trained_at": "2026-01-02T03:04:05", "rasa_open_source_version": "3.6.21"}'


def member(name: str, content: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    """One member of an archive; `attributes` are those of `tarfile.TarInfo`."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, content


def write_archive(path: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]] = ()) -> Path:
    """Write an archive as Rasa does, with these members besides `metadata.json`."""
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member("metadata.json", METADATA)[0], io.BytesIO(METADATA))
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def write_model(
    folder: Path, name: str, content: bytes | None = None, *, day: int = 1
) -> tuple[Model, Path]:
    """A file in the place of a trained model, and its description; its name makes its content."""
    content = name.encode() * 100 if content is None else content
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:8]}.tar.gz"
    path.write_bytes(content)
    model = Model(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        rasa_version="3.6.21",
        trained_at=datetime(2026, 1, day, 3, 4, 5, tzinfo=UTC),
        training_seconds=1.5,
    )
    return model, path


def write_rasa_model(
    folder: Path, name: str, content: bytes | None = None, *, day: int = 1
) -> tuple[Model, Path]:
    """As `write_model`, but the archive is one of Rasa's, as far as it can be seen."""
    content = name.encode() * 100 if content is None else content
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:8]}.tar.gz"
    at = datetime(2026, 1, day, 3, 4, 5, tzinfo=UTC)
    metadata = {
        "trained_at": at.replace(tzinfo=None).isoformat(),
        "rasa_open_source_version": "3.6.21",
        "model_id": hashlib.sha256(name.encode()).hexdigest()[:32],
    }
    with tarfile.open(path, "w:gz") as archive:
        for info, kept in (
            member("metadata.json", json.dumps(metadata).encode()),
            member("components/weights", content),
        ):
            archive.addfile(info, io.BytesIO(kept))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Model(name, digest, path.stat().st_size, "3.6.21", at, 1.5), path
