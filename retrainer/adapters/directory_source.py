"""An assistant's project in a folder of this machine."""

import os
import re
import stat
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from retrainer.adapters.files import storage_errors
from retrainer.domain.cycle import Origin
from retrainer.errors import ProjectError

#: What belongs to a Rasa project. `*` and `?` stand for characters but `/`, `**` for any number of
#: folders, none of them for a leading dot; a folder's own name stands for all that is in it.
PROJECT_FILES = (
    "config.yml",
    "config.yaml",
    "domain.yml",
    "domain.yaml",
    "domain/**/*.yml",
    "domain/**/*.yaml",
    "data/**/*.yml",
    "data/**/*.yaml",
    "data/**/*.json",
    "data/**/*.txt",
    "components/**/*.py",
    "tests/**/*.yml",
    "tests/**/*.yaml",
    "must_pass.yml",
)


def _inside(pattern: str) -> str:
    path = PurePosixPath(pattern)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{pattern!r} must be a pattern relative to the project's folder")
    return pattern


#: Patterns of files, as an option.
Patterns = tuple[Annotated[str, AfterValidator(_inside)], ...]


class DirectorySource:
    """A `DataSource` that copies a project's files, byte by byte, from a folder."""

    class Options(BaseModel):
        """Options of `type = "directory"`."""

        model_config = ConfigDict(extra="forbid", frozen=True)

        path: Path
        """The project's folder; relative to the config file."""

        include: Patterns = PROJECT_FILES
        """Patterns of the files to take, relative to `path`."""

        exclude: Patterns = ()
        """Patterns of the files to leave out of those."""

    @classmethod
    def from_options(cls, options: Options, *, folder: Path, cache: Path) -> Self:
        """The source that the options describe; a relative `path` starts at `folder`."""
        del cache
        return cls(
            folder / options.path.expanduser(), include=options.include, exclude=options.exclude
        )

    def __init__(
        self,
        path: Path,
        *,
        include: tuple[str, ...] = PROJECT_FILES,
        exclude: tuple[str, ...] = (),
        within: Path | None = None,
    ) -> None:
        """With `within`, a link that leads out of that folder is refused."""
        self._path, self._include, self._exclude = path, include, exclude
        self._within = within and within.resolve()

    def pull(self, into: Path) -> tuple[Origin, ...]:
        """Write the project's files below the empty folder `into`; returns the project's path.

        Raises:
            ProjectError: the folder is missing or holds no file of a project, or one of the files
                is not readable.
            StorageError: a file could not be written.
        """
        if not self._path.is_dir():
            found = "is not a folder" if self._path.exists() else "does not exist"
            raise ProjectError(
                f"the project's folder {self._path} {found}",
                tip="correct source.path of this assistant in the config",
            )
        # The folder of all snapshots may lie in the project, and must not be taken up in it.
        skip = frozenset({into.resolve(), into.resolve().parent})
        try:
            files = self._files(skip)
        except OSError as error:
            raise _unreadable(Path(error.filename or self._path), error) from error
        if not files:
            raise ProjectError(
                f"0 files in the project's folder {self._path} match, at least 1 is needed: "
                f"looked for {', '.join(self._include)}",
                tip="correct source.path or source.include of this assistant in the config",
            )
        for name in files:
            _require_within(self._path / name, self._within)
            content = _read(self._path / name)
            target = into / name
            with storage_errors("writing", target):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        return (Origin(str(self._path)),)

    def _files(self, skip: frozenset[Path]) -> list[str]:
        """The names of the files to take, relative to the project, in order."""

        @cache
        def below(start: str) -> tuple[str, ...]:
            folder = self._path / start
            above = frozenset(folder.resolve().parents)
            return tuple(_walk(folder, start, skip, above, self._within))

        found: set[str] = set()
        for pattern in self._include:
            start, wildcard = _fixed_part(pattern)
            if (self._path / start).is_dir():
                wanted = _expression(pattern if wildcard else f"{pattern}/**")
                found.update(filter(wanted.fullmatch, below(start)))
            elif not wildcard and os.path.lexists(self._path / start):
                found.add(start)
        excluded = [_expression(p) for e in self._exclude for p in (e, f"{e}/**")]
        return sorted(name for name in found if not any(e.fullmatch(name) for e in excluded))

    def may_take(self, name: str) -> bool:
        """Whether the file of this name, or files in the folder of this name, could be taken."""
        parts = PurePosixPath(name).parts
        starts = [PurePosixPath(_fixed_part(pattern)[0]).parts for pattern in self._include]
        excluded = [_expression(p) for e in self._exclude for p in (e, f"{e}/**")]
        return not any(e.fullmatch(name) for e in excluded) and any(
            all(ours == theirs for ours, theirs in zip(parts, start, strict=False))
            for start in starts
        )


def _walk(
    folder: Path, name: str, skip: frozenset[Path], above: frozenset[Path], within: Path | None
) -> Iterator[str]:
    """The names of all files below a folder, links followed, hidden folders left out.

    Each begins with `name`, that of the folder; `above` are the real folders that it is in.
    """
    _require_within(folder, within)
    real = folder.resolve()
    if real in above:
        raise ProjectError(
            f"{folder} is a link to {real}, a folder that it lies in: a loop without an end",
            tip=f"remove the link {folder}, or leave it out with source.exclude",
        )
    if real in skip:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            below = f"{name}/{entry.name}" if name else entry.name
            if not entry.is_dir():
                yield below
            elif not entry.name.startswith("."):
                yield from _walk(folder / entry.name, below, skip, above | {real}, within)


def _require_within(path: Path, folder: Path | None) -> None:
    real = os.path.realpath(path)  # bears a loop of links
    if folder and not Path(real).is_relative_to(folder):
        raise ProjectError(
            f"{path} is a link that leads out of the project, to {real}",
            tip="remove the link, or leave it out with source.exclude",
        )


def _fixed_part(pattern: str) -> tuple[str, bool]:
    """The leading folders of a pattern that hold no wildcard, and whether one follows."""
    parts = PurePosixPath(pattern).parts
    fixed = list(takewhile(lambda part: not {"*", "?"} & set(part), parts))
    return "/".join(fixed), len(fixed) < len(parts)


def _expression(pattern: str) -> re.Pattern[str]:
    """What a pattern means, as a regular expression for whole names."""
    *folders, last = PurePosixPath(pattern).parts
    head = "".join("(?:(?!\\.)[^/]+/)*" if f == "**" else f"{_part(f)}/" for f in folders)
    tail = "(?:(?!\\.)[^/]+/)*(?!\\.)[^/]+" if last == "**" else _part(last)
    return re.compile(head + tail, re.DOTALL)


def _part(part: str) -> str:
    wildcards = {"*": "[^/]*", "?": "[^/]"}
    guard = "(?!\\.)" if part[0] in wildcards else ""
    return guard + "".join(wildcards.get(character) or re.escape(character) for character in part)


def _read(path: Path) -> bytes:
    """The content of a file; a pipe or a device is refused, since reading one may never end."""
    try:
        str(path).encode()
        if not stat.S_ISREG(path.stat().st_mode):
            raise ProjectError(
                f"{path} is not an ordinary file, and nothing else can be copied",
                tip="remove it, or leave it out with source.exclude",
            )
        return path.read_bytes()
    except UnicodeEncodeError as error:
        raise ProjectError(
            f"the name of {str(path)!r} is not UTF-8", tip="rename the file"
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ProjectError:
    broken = path.is_symlink() and not os.path.exists(path)  # noqa: PTH110 - bears a loop of links
    reason = "it is a link that leads nowhere" if broken else error.strerror
    return ProjectError(
        f"{path} is not readable: {reason}",
        tip="make it readable for this user, or leave it out with source.exclude",
    )
