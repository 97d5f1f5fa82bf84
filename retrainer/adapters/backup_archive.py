"""Backups: one gzipped tar archive, whose first member says what all the others are.

An archive may come from anywhere, so it is taken for hostile: only what the manifest announces is
unpacked, with exactly the size and digest that it announces, and only if there is room for it all.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from retrainer.adapters.files import sha256, storage_errors, sync_folder
from retrainer.errors import BackupError

MANIFEST = "manifest.json"
#: Where a member may be: tables, and what is kept of each assistant.
_PLACES = re.compile(
    r"database/[a-z_]{1,63}\.jsonl"
    r"|assistants/[a-z0-9][a-z0-9_-]{0,62}/(registry|records|snapshots)/[^\0]+"
)
_LONGEST_NAME, _LARGEST_MANIFEST, _LARGEST_READ = 1000, 256 * 1000**2, 16 * 1000**2
_CHUNK = 1 << 20
#: Models are compressed already; the rest is small.
_COMPRESSION = 1
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError)
_TIP = "use another backup"


class Member(BaseModel):
    """A file of the archive: bytes, and 64 hexadecimal digits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """What a backup holds. `running` are the numbers of the cycles that it cut off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    retrainer: str = Field(max_length=64)
    made_at: AwareDatetime
    schema_revision: str = Field(pattern="^[0-9]{4}$")
    cycles: int = Field(ge=0)
    running: tuple[int, ...] = ()
    files: dict[str, Member] = Field(default_factory=dict)

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, Member]) -> dict[str, Member]:
        for name in files:
            parts = name.split("/")
            if (
                len(name) > _LONGEST_NAME
                or {"", ".", ".."} & set(parts)
                or not _PLACES.fullmatch(name)
            ):
                raise ValueError(f"{name[:200]!r} is not a place in a backup")
        return files

    @property
    def size(self) -> int:
        """Bytes of all files together, once unpacked."""
        return sum(member.size for member in self.files.values())


def pack(folder: Path, target: Path, manifest: Manifest) -> Manifest:
    """Write what is in the folder to the archive, durably; returns the manifest with its files.

    Raises:
        BackupError: a file cannot be in a backup.
        StorageError: it could not be written; an earlier archive of that name is still there.
    """
    with storage_errors("writing", target):
        paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
        files = {
            path.relative_to(folder).as_posix(): Member(
                size=path.stat().st_size, sha256=sha256(path)
            )
            for path in paths
        }
        try:
            whole = Manifest.model_validate(dict(manifest) | {"files": files})
        except ValidationError as error:
            raise BackupError(_first(error), tip="give that file another name") from error
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                _write(file, folder, whole)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
    return whole


def unpack(archive: Path, folder: Path) -> Manifest:
    """Unpack a backup into an empty folder, every file of it checked; returns its manifest.

    Raises:
        BackupError: it is missing, damaged, not safe, no backup or of a newer version.
        StorageError: it could not be read, or there is no room for it.
    """
    if not archive.is_file():
        raise BackupError(f"{archive} is not a file, a backup is needed")
    with (
        storage_errors("reading", archive),
        _broken(archive),
        gzip.open(archive) as stream,
        tarfile.open(fileobj=_Guarded(stream), mode="r:") as tar,  # type: ignore[call-overload]
    ):
        members: Iterator[tarfile.TarInfo] = iter(tar)
        manifest = _read_manifest(archive, tar, next(members, None))
        _require_room(manifest, folder)
        missing = dict(manifest.files)
        for member in members:
            announced = missing.pop(member.name, None)
            content = tar.extractfile(member) if member.isreg() else None
            if announced is None or content is None or member.size != announced.size:
                raise _unsafe(archive, f"{member.name[:200]!r}, and its manifest does not")
            _copy(archive, content, folder / PurePosixPath(member.name), announced)
        if len(stream.read(_CHUNK)) == _CHUNK:  # to the end, where the checksum is
            raise _unsafe(archive, "more than its manifest does")
    if missing:
        raise BackupError(f"{archive} is not whole: {min(missing)} is missing", tip=_TIP)
    return manifest


class _Guarded:
    """The unpacked bytes of an archive, never many at once: a header may ask for gigabytes."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if size > _LARGEST_READ:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)


def _write(file: IO[bytes], folder: Path, manifest: Manifest) -> None:
    with (
        gzip.GzipFile(fileobj=file, mode="wb", filename="", compresslevel=_COMPRESSION) as stream,
        tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as tar,
    ):
        content = manifest.model_dump_json().encode()
        tar.addfile(_member(MANIFEST, len(content), manifest.made_at), io.BytesIO(content))
        for name, member in manifest.files.items():
            with (folder / name).open("rb") as source:
                tar.addfile(_member(name, member.size, manifest.made_at), source)


def _member(name: str, size: int, at: datetime) -> tarfile.TarInfo:
    """Without owner or rights of this machine."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, int(at.astimezone(UTC).timestamp())
    return member


def _read_manifest(archive: Path, tar: tarfile.TarFile, first: tarfile.TarInfo | None) -> Manifest:
    content = tar.extractfile(first) if first is not None and first.isreg() else None
    if first is None or content is None or first.name != MANIFEST:
        raise BackupError(f"{archive} is no backup of retrainer: it has no {MANIFEST}", tip=_TIP)
    if first.size > _LARGEST_MANIFEST:
        raise _unsafe(archive, f"a manifest of {first.size} bytes")
    text = b"".join(iter(lambda: content.read(_CHUNK), b""))
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BackupError(
            f"{archive} cannot be restored by this version of retrainer: {_first(error)}",
            tip="it may be of a newer version: install that",
        ) from error


def _copy(archive: Path, content: IO[bytes], target: Path, announced: Member) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != announced.sha256:
        raise BackupError(
            f"{archive}: {target.name} has the SHA-256 {digest.hexdigest()}, "
            f"{announced.sha256} is recorded: the backup is damaged",
            tip=_TIP,
        )


def _require_room(manifest: Manifest, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if manifest.size > free:
        raise BackupError(
            f"the backup needs {manifest.size} bytes once unpacked, {free} are free in {folder}",
            tip="free space there, then try again",
        )


@contextmanager
def _broken(archive: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise BackupError(f"{archive} is not a whole backup: {error}", tip=_TIP) from error


def _unsafe(archive: Path, what: str) -> BackupError:
    return BackupError(f"{archive} is not safe to unpack: it holds {what}", tip=_TIP)


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"][:1])
    return f"{place}: {problem['msg']}"
