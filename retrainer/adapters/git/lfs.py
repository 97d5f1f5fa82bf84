"""Files that git has only a pointer of: their data is in Git LFS."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retrainer.adapters.files import sha256, storage_errors
from retrainer.adapters.git.faults import GitFailed
from retrainer.adapters.git.repository import GitRepository
from retrainer.adapters.plain_files import MAXIMUM_FILE
from retrainer.errors import ProjectError

_POINTER = re.compile(
    rb"version https://(?:git-lfs|hawser)\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n"
)
#: A pointer is smaller, by its specification.
_LARGEST = 1024
_FEW = 3
_SIZE = re.compile(rb"^size (\d{1,18})$", re.MULTILINE)


@dataclass(frozen=True)
class Pointer:
    """A file that is a pointer, the SHA-256 of its data, and the bytes that it announces."""

    file: Path
    oid: str
    size: int


def pointers_below(folder: Path) -> tuple[Pointer, ...]:
    """The files below a folder that are pointers instead of data."""
    found = []
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.stat().st_size < _LARGEST:
            content = file.read_bytes()
            match = _POINTER.match(content)
            if match:
                size = _SIZE.search(content)
                found.append(Pointer(file, match[1].decode(), int(size[1]) if size else 0))
    return tuple(found)


def fill(
    pointers: tuple[Pointer, ...], names: Mapping[Path, str], repository: GitRepository, commit: str
) -> None:
    """Put the data where the pointers are; `names` are the files' paths in the repository.

    Raises:
        ProjectError: git-lfs is missing, or the data is.
        ServerError: the server did not send it.
    """
    listed = ", ".join(names[pointer.file] for pointer in pointers[:_FEW])
    more = f" and {len(pointers) - _FEW} more" if len(pointers) > _FEW else ""
    what = f"{repository.remote.place}: {listed}{more}: a pointer of Git LFS instead of data"
    try:
        repository.git("lfs", "version")
    except GitFailed:
        raise ProjectError(
            f"{what}, and git-lfs is not installed",
            tip="install git-lfs (on Debian: apt-get install git-lfs), or leave the files out with "
            "source.exclude",
        ) from None
    for pointer in pointers:
        _require_bounded(names[pointer.file], pointer.size)
    paths = [names[pointer.file] for pointer in pointers]
    # Its patterns know no quoting; without one it fetches all that the commit has.
    plain = all(not set(path) & set(",*?[]\\!") for path in paths)
    include = [f"--include={','.join(f'/{path}' for path in paths)}"] if plain else []
    reason = "the server does not have it"
    try:
        repository.git("lfs", "fetch", *include, "origin", commit, doing="fetching from Git LFS")
    except GitFailed as error:
        reason = error.message
    for pointer in pointers:
        oid = pointer.oid
        data = repository.folder / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        if not data.is_file() or sha256(data) != oid:
            raise ProjectError(
                f"{what}, and the data of {names[pointer.file]} was not fetched: {reason}",
                tip="`git lfs push --all` from a clone that has it, or leave it out with "
                "source.exclude",
            )
        _require_bounded(names[pointer.file], data.stat().st_size)
        with storage_errors("writing", pointer.file):
            shutil.copyfile(data, pointer.file)


def _require_bounded(name: str, size: int) -> None:
    if size > MAXIMUM_FILE:
        raise ProjectError(
            f"{name} has {size} bytes in Git LFS, at most {MAXIMUM_FILE} may be",
            tip="leave it out with source.exclude",
        )
