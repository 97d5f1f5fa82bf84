"""Model archives: whether one is whole, safe to unpack, and a Rasa model.

An archive may come from anywhere (an upload, a bucket, a disk that was full), and unpacking it is
left to Rasa, so everything is looked at before Rasa gets to see it, without unpacking a byte.
"""

import gzip
import json
import os
import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from retrainer.adapters.files import sha256, storage_errors, sync_folder
from retrainer.domain.cycle import Model
from retrainer.errors import ModelArchiveError

METADATA = "metadata.json"

#: Limits of what an archive may ask of the machine: bytes once unpacked, members, bytes of one
#: read (a header, or the metadata) and of all together, which are held in memory. The largest Rasa
#: models known unpack to a few gigabytes.
MAXIMUM_SIZE = 20 * 1000**3
MAXIMUM_MEMBERS = 10_000
_MAXIMUM_READ, _MAXIMUM_HEADERS = 16 * 1000**2, 32 * 1000**2
#: Bytes that `tarfile` goes back over what it has read. Going back further would unpack all anew.
_LOOK_BACK = 1 << 20
#: How many times its own size an archive may unpack to, where that is more than `FREE_SIZE` bytes.
#: Models unpack to three times theirs at most, zeros to a thousand times.
MAXIMUM_RATIO = 100
FREE_SIZE = 250 * 1000**2
#: What stands for another place on some system that a model may be served on, or in a terminal.
_ODD = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]|^[A-Za-z]:")

_TIP = "train or fetch the model again; `tar -tzf FILE` lists what an archive holds"
_BROKEN = (
    *(tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError),
    RecursionError,  # headers that each announce another one
)


def require_safe_archive(path: Path) -> None:
    """Make sure that an archive is a whole Rasa 3 model that stays inside its own folder.

    Raises:
        ModelArchiveError: it is missing, truncated, damaged, no gzipped tar or no Rasa 3 model; or
            it holds a path that leads elsewhere, a device, or more than the limits above.
        StorageError: it could not be read.
    """
    read_metadata(path)


def read_metadata(path: Path) -> dict[str, Any]:
    """The `metadata.json` of a Rasa 3 model, as Rasa wrote it, once the archive is found safe.

    Raises:
        ModelArchiveError: as for `require_safe_archive`.
        StorageError: it could not be read.
    """
    if not path.is_file():
        raise ModelArchiveError(f"{path} is not a file, a model archive is needed", tip=_TIP)
    with storage_errors("reading", path):
        try:
            with gzip.open(path) as stream:
                return _inspect(path, _Bounded(path, stream))
        except _BROKEN as error:
            raise ModelArchiveError(
                f"{path} ({path.stat().st_size} bytes) is not a whole gzipped tar archive: {error}",
                tip=_TIP,
            ) from error


def require_described(model: Model, archive: Path) -> None:
    """Make sure that an archive is the one that `model` describes, byte by byte.

    Raises:
        ModelArchiveError: it is missing, or another one.
        StorageError: it could not be read.
    """
    if not archive.is_file():
        raise ModelArchiveError(f"{archive} is not a file, the archive of a model is needed")
    with storage_errors("reading", archive):
        require_digest(model, archive, sha256(archive))


def require_digest(model: Model, archive: Path, found: str) -> None:
    """Make sure that `found`, the SHA-256 of the archive or of a copy, is the described one.

    Raises:
        ModelArchiveError: it is another one.
    """
    if found != model.sha256:
        raise ModelArchiveError(
            f"{archive} has the SHA-256 {found}, {model.sha256} is recorded for "
            f"{model.name}: it was changed since it was trained",
            tip="run the cycle again",
        )


def maximum_size(path: Path) -> int:
    """How many bytes an archive of this size may unpack to.

    Raises:
        OSError: it cannot be looked at.
    """
    return min(MAXIMUM_SIZE, max(FREE_SIZE, MAXIMUM_RATIO * path.stat().st_size))


class _Bounded:
    """The unpacked bytes of an archive, as much of them as the limits allow."""

    def __init__(self, path: Path, stream: gzip.GzipFile) -> None:
        self._path, self._stream = path, stream
        self._headers = 0
        self.limit = maximum_size(path)

    def read(self, size: int) -> bytes:
        if size > _MAXIMUM_READ:
            raise _refused(self._path, f"a header of {size} bytes, at most {_MAXIMUM_READ} may be")
        self._headers += size
        if self._headers > _MAXIMUM_HEADERS:
            raise _refused(self._path, f"more than {_MAXIMUM_HEADERS} bytes of headers")
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        if position > self.limit:
            raise self.too_large(position)
        if position < self._stream.tell() - _LOOK_BACK:
            raise tarfile.ReadError(f"a header leads back to byte {position}")
        return self._stream.seek(position)

    def too_large(self, size: int) -> ModelArchiveError:
        what = f"{size} bytes or more once unpacked, at most {self.limit} may be"
        packed = self._path.stat().st_size
        ratio = f" in an archive of {packed}" if self.limit < MAXIMUM_SIZE else ""
        return _refused(self._path, what + ratio)

    def tell(self) -> int:
        return self._stream.tell()

    def require_end(self, position: int) -> None:
        """Read from `position` to the end, where the checksum is; only padding may be there.

        `tarfile` takes a damaged header for the end of the archive.
        """
        self.seek(position)
        while block := self._stream.read(1 << 20):
            if block.count(0) != len(block):
                raise tarfile.ReadError(f"damaged at byte {position} of the unpacked archive")
            if self.tell() > self.limit:
                raise self.too_large(self.tell())


class _Member(tarfile.TarInfo):
    """A member that is not sparse: a map of holes may take `tarfile` days to read."""

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError("a sparse file, which no model needs")


def publish(trained: Path, archive: Path) -> None:
    """Make the archive durable, then known under its name; one that has that name by now stays.

    Another process may have taken the cycle over and trained the same model: what is recorded of it
    has to stay true.
    """
    with trained.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(trained, archive)
    except FileExistsError:
        trained.unlink()
    except OSError:  # a file system without hard links
        trained.replace(archive)
    sync_folder(archive.parent)


def _inspect(path: Path, stream: _Bounded) -> dict[str, Any]:
    metadata: dict[str, Any] | None = None
    size = 0
    with tarfile.open(fileobj=stream, mode="r:", tarinfo=_Member) as archive:  # type: ignore[call-overload]
        for number, member in enumerate(archive, 1):
            _require_inside(path, member)
            size += member.size
            if size > stream.limit:
                raise stream.too_large(size)
            if number > MAXIMUM_MEMBERS:
                raise _refused(path, f"more than {MAXIMUM_MEMBERS} members")
            if PurePosixPath(member.name) == PurePosixPath(METADATA):
                metadata = _parse(path, archive, member)
        stream.require_end(archive.offset)
    if metadata is None:
        raise ModelArchiveError(
            f"{path} holds no {METADATA}, so it is not a model of Rasa 3", tip=_TIP
        )
    return metadata


def _require_inside(path: Path, member: tarfile.TarInfo) -> None:
    """Refuse what could be written or lead outside the folder that the archive is unpacked in.

    With neither a `..` nor a leading `/` in any name or link, no chain of links leads outside.
    """
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise _refused(path, f"{member.name!r}, which is a device, a pipe or of no known type")
    require_safe_name(path, member.name)
    if member.linkname:
        require_safe_name(path, member.linkname, f"{member.name!r} -> ")


def require_safe_name(path: Path, name: str, of: str = "") -> None:
    """Make sure that a name in an archive stays inside the folder that it is unpacked in.

    Raises:
        ModelArchiveError: it does not, or may not on every system.
    """
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise _refused(path, f"{of}{name!r}, which points outside its folder")
    if _ODD.search(name):
        raise _refused(path, f"{of}{name!r}, which means another place on some systems")


def _parse(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    if not member.isreg():
        raise ModelArchiveError(f"{path}: {METADATA} is not a file", tip=_TIP)
    if member.size > _MAXIMUM_READ:
        raise _refused(path, f"{METADATA} of {member.size} bytes, at most {_MAXIMUM_READ} may be")
    file = archive.extractfile(member)
    content = file.read() if file else b""
    try:
        metadata = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelArchiveError(f"{path}: {METADATA} is not JSON: {error}", tip=_TIP) from error
    if not isinstance(metadata, dict):
        raise ModelArchiveError(
            f"{path}: {METADATA} holds a {type(metadata).__name__}, an object is needed", tip=_TIP
        )
    return metadata


def _refused(path: Path, what: str) -> ModelArchiveError:
    return ModelArchiveError(f"{path} is not safe to unpack: it holds {what}", tip=_TIP)
