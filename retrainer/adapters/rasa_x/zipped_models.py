"""Models as the Rasa Platform of 2018 takes them: the files of the model's folder, zipped."""

import gzip
import hashlib
import io
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from retrainer.adapters.files import storage_errors
from retrainer.adapters.model_archive import (
    MAXIMUM_MEMBERS,
    maximum_size,
    require_safe_archive,
    require_safe_name,
)
from retrainer.errors import ModelArchiveError

_BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError),
    *(RuntimeError, OverflowError),
)
#: Bytes of the list of a zip file's members, which is held in memory.
_MAXIMUM_LIST = 4 * 1000**2


def zip_archive(archive: Path, into: Path) -> None:
    """Write the archive's files as a zip file, one piece at a time.

    Raises:
        ModelArchiveError: the archive is not a whole, safe model of plain files.
        StorageError: it could not be read or written.
    """
    require_safe_archive(archive)
    with (
        storage_errors("writing", into),
        tarfile.open(archive) as source,
        zipfile.ZipFile(into, "w") as target,
    ):
        for member in source:
            if member.isdir():
                continue
            file = source.extractfile(member) if member.isreg() else None
            if file is None:
                raise ModelArchiveError(
                    f"{archive} holds the link {member.name!r}, which a zip file cannot hold"
                )
            info = zipfile.ZipInfo(str(PurePosixPath(member.name)))
            info.file_size, info.compress_type = member.size, zipfile.ZIP_DEFLATED
            with target.open(info, "w") as copy:
                shutil.copyfileobj(file, copy)


def unzip_archive(zipped: Path, into: Path) -> None:
    """Write the files of a zip file as the archive of a model, one piece at a time.

    Raises:
        ModelArchiveError: it is not a whole, safe model.
        StorageError: it could not be read or written.
    """
    try:
        with (
            storage_errors("reading", zipped),
            _Bounded(zipped) as file,
            zipfile.ZipFile(file) as source,
        ):
            _require_bounded(zipped, source)
            with storage_errors("writing", into):
                _copy(source, into)
    except _BROKEN_ZIP as error:
        raise ModelArchiveError(f"{zipped} is not a whole zip file: {error}") from error
    require_safe_archive(into)


def contents(archive: Path) -> str:
    """The digest of the archive's files, however they are packed; 64 hexadecimal digits.

    Raises:
        ModelArchiveError: the archive is not a whole, safe model.
        StorageError: it could not be read.
    """
    require_safe_archive(archive)
    lines = []
    with storage_errors("reading", archive), tarfile.open(archive) as source:
        for member in source:
            file = source.extractfile(member) if member.isreg() else None
            if file is not None:
                digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
                lines.append(f"{PurePosixPath(member.name)}\0{digest}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


class _Bounded(io.FileIO):
    """A zip file of which no more is read at once than a list of members may have."""

    def __init__(self, zipped: Path) -> None:
        super().__init__(zipped)
        self._zipped = zipped

    def read(self, size: int | None = -1) -> bytes:
        whole = -1 if size is None else size
        if whole > _MAXIMUM_LIST:
            raise ModelArchiveError(
                f"{self._zipped} holds a list of members of {whole} bytes, at most "
                f"{_MAXIMUM_LIST} may be"
            )
        return super().read(_MAXIMUM_LIST if whole < 0 else whole)


def _require_bounded(zipped: Path, source: zipfile.ZipFile) -> None:
    """Make sure of what it says of itself; `zipfile` unpacks no more than that."""
    size, members = sum(info.file_size for info in source.infolist()), len(source.infolist())
    limit = maximum_size(zipped)
    if size > limit or members > MAXIMUM_MEMBERS:
        raise ModelArchiveError(
            f"{zipped} holds {members} files of {size} bytes, at most {MAXIMUM_MEMBERS} files of "
            f"{limit} bytes may be"
        )
    for info in source.infolist():
        require_safe_name(zipped, info.filename)


def _copy(source: zipfile.ZipFile, into: Path) -> None:
    """Equal zip files become equal archives: no time of day is in them."""
    with (
        into.open("wb") as file,
        gzip.GzipFile("", "wb", 1, fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as target,
    ):
        for info in source.infolist():
            if info.is_dir():
                continue
            member = tarfile.TarInfo(info.filename)
            member.size, member.mode = info.file_size, 0o644
            with source.open(info) as content:
                _add(target, member, content)


def _add(target: tarfile.TarFile, member: tarfile.TarInfo, content: IO[bytes]) -> None:
    try:
        target.addfile(member, content)
    except OSError as error:
        if error.errno is None:  # tarfile's own: the content ended early
            raise zipfile.BadZipFile(f"{member.name}: {error}") from error
        raise
