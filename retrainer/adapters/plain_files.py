"""Files that others put there: opened only if they are what they seem, and not without a limit.

A folder or a repository may hold a link to a secret of this machine, a pipe that nobody writes to,
or more than the disk can take.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from retrainer.adapters.files import storage_errors
from retrainer.errors import ProjectError

#: Limits of a project. The largest that are known have some hundred files and 50 MB.
MAXIMUM_FILE = 256 * 1000**2
MAXIMUM_SIZE = 2 * 1000**3
MAXIMUM_FILES = 20_000
#: Folders below each other, and names that are looked at to find the files.
MAXIMUM_DEPTH = 50
MAXIMUM_NAMES = 200_000
#: Ways, by links, to the same folder: forty folders that each have two links to the next are a
#: million million.
MAXIMUM_WAYS = 100

_CHUNK = 1 << 20


class Tally:
    """Counts what comes from one place, up to the limits."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._files = self._size = self._names = 0
        self._ways: Counter[Path] = Counter()

    def name(self, name: str) -> None:
        """A name that is looked at, with the folders above it.

        Raises:
            ProjectError: that is one too many, or too deep.
        """
        self._names += 1
        if self._names > MAXIMUM_NAMES:
            raise _too_much(self._place, f"more than {MAXIMUM_NAMES} files and folders", None)
        if name.count("/") > MAXIMUM_DEPTH:
            raise _too_much(
                self._place, f"{name:.200}: more than {MAXIMUM_DEPTH} folders deep", name
            )

    def folder(self, name: str, real: Path) -> None:
        """A folder that is entered, and where it really is.

        Raises:
            ProjectError: too many ways lead there.
        """
        self._ways[real] += 1
        if self._ways[real] > MAXIMUM_WAYS:
            what = f"{name:.200}: more than {MAXIMUM_WAYS} ways, by links, to {real}"
            raise _too_much(self._place, what, name)

    def file(self, name: str) -> None:
        """A file that is taken.

        Raises:
            ProjectError: that is one too many.
        """
        self._files += 1
        if self._files > MAXIMUM_FILES:
            raise _too_much(self._place, f"more than {MAXIMUM_FILES} files to take", name)

    def content(self, name: str, more: int, size: int) -> None:
        """So many bytes `more` of a file, which now has `size`.

        Raises:
            ProjectError: that is too many.
        """
        self._size += more
        if size > MAXIMUM_FILE:
            what = f"{name}: {size} bytes or more, at most {MAXIMUM_FILE} may be in one file"
            raise _too_much(self._place, what, name)
        if self._size > MAXIMUM_SIZE:
            raise _too_much(self._place, f"more than {MAXIMUM_SIZE} bytes to take", name)


def copy(source: Path, target: Path, name: str, within: Sequence[Path], tally: Tally) -> None:
    """Copy a file byte by byte; `name` is how people know it.

    Raises:
        ProjectError: it is no file, leads out of the folders `within`, is not readable or too large.
        StorageError: it could not be written.
    """
    tally.file(name)
    with _opened(source, within) as file:
        tally.content(name, 0, os.fstat(file.fileno()).st_size)
        with storage_errors("writing", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            written = target.open("xb")
        size = 0
        with written:
            while piece := _piece(file, source):
                size += len(piece)
                tally.content(name, len(piece), size)
                with storage_errors("writing", target):
                    written.write(piece)


def require_bounded(folder: Path, names: Sequence[str]) -> None:
    """Look at what files say of themselves, before the disk is filled with the half of them.

    Raises:
        ProjectError: they are too many or too large.
    """
    tally = Tally(str(folder))
    for name in names:
        tally.file(name)
        with suppress(OSError):  # which copying it tells of
            size = (folder / name).stat().st_size
            tally.content(name, size, size)


def require_plain(folder: Path) -> None:
    """Make sure that below a folder there are ordinary files alone, within the limits.

    Raises:
        ProjectError: there is something else, or too much.
    """
    tally = Tally("what the source brought")
    for root, folders, files in os.walk(folder):
        for entry in (*folders, *files):
            path = Path(root, entry)
            name = path.relative_to(folder).as_posix()
            tally.name(name)
            status = path.lstat()
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise ProjectError(f"the source brought {name!r}, which is not an ordinary file")
            if stat.S_ISREG(status.st_mode):
                tally.file(name)
                tally.content(name, status.st_size, status.st_size)


def require_within(path: Path, within: Sequence[Path], real: Path | None = None) -> None:
    """Make sure that a path leads to a place in one of the folders; `real` is that place, if known.

    Raises:
        ProjectError: it leads elsewhere.
    """
    place = real or Path(os.path.realpath(path))  # bears a loop of links
    if within and not any(place.is_relative_to(folder) for folder in within):
        raise ProjectError(
            f"{path} is a link that leads out of the project, to {place}",
            tip="remove the link, or leave it out with source.exclude; in a source of the type "
            '"directory", source.linked_folders says where else links may lead',
        )


def unreadable(path: Path, error: OSError) -> ProjectError:
    """What to raise for a file or folder that cannot be read."""
    broken = path.is_symlink() and not os.path.exists(path)  # noqa: PTH110 - bears a loop of links
    reason = "it is a link that leads nowhere" if broken else error.strerror
    return ProjectError(
        f"{path} is not readable: {reason}",
        tip="make it readable for this user, or leave it out with source.exclude",
    )


@contextmanager
def _opened(path: Path, within: Sequence[Path]) -> Iterator[BinaryIO]:
    """The file, open; where it really is and what it is was looked at after it had been opened."""
    try:
        str(path).encode()
        _require_ordinary(path, path.stat())  # even opening a device may do something
        require_within(path, within)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except UnicodeEncodeError as error:
        raise ProjectError(
            f"the name of {str(path)!r} is not UTF-8", tip="rename the file"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        _require_ordinary(path, os.fstat(descriptor))
        known = Path(f"/proc/self/fd/{descriptor}")
        if known.is_symlink():  # it may have been replaced since it was looked at
            require_within(path, within, known.readlink())
        yield file


def _require_ordinary(path: Path, status: os.stat_result) -> None:
    """A pipe or a device is refused, since reading one may never end."""
    if not stat.S_ISREG(status.st_mode):
        raise ProjectError(
            f"{path} is not an ordinary file, and nothing else can be copied",
            tip="remove it, or leave it out with source.exclude",
        )


def _piece(file: BinaryIO, path: Path) -> bytes:
    try:
        return file.read(_CHUNK)
    except OSError as error:
        raise unreadable(path, error) from error


def _too_much(place: str, what: str, name: str | None) -> ProjectError:
    example = f", such as {name.rpartition('/')[0] or name}" if name else ""
    return ProjectError(
        f"{place} holds {what}"
        if "at most" in what
        else f"{place} holds {what}, which is too much",
        tip=f"leave out what is no training data, with source.exclude or source.include{example}",
    )
