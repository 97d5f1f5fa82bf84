"""An assistant's project in a folder of this machine."""

import os
import re
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from retrainer.adapters.files import digest_of
from retrainer.adapters.plain_files import Tally, copy, require_bounded, require_within, unreadable
from retrainer.domain.cycle import Origin
from retrainer.errors import ProjectError
from retrainer.ports import DataSeen

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

    counts_examples = False

    class Options(BaseModel):
        """Options of `type = "directory"`."""

        model_config = ConfigDict(extra="forbid", frozen=True)

        path: Path
        """The project's folder; relative to the config file."""

        include: Patterns = PROJECT_FILES
        """Patterns of the files to take, relative to `path`."""

        exclude: Patterns = ()
        """Patterns of the files to leave out of those."""

        linked_folders: tuple[Path, ...] = ()
        """Folders outside of `path` that links in it may lead to; relative to the config file."""

    @classmethod
    def from_options(cls, options: Options, *, folder: Path, cache: Path) -> Self:
        """The source that the options describe; a relative `path` starts at `folder`."""
        path = folder / options.path.expanduser()
        linked = (folder / each.expanduser() for each in options.linked_folders)
        return cls(
            path,
            include=options.include,
            exclude=options.exclude,
            within=(path, *linked),
            state=tuple(cache.parents)[:2],
        )

    def __init__(
        self,
        path: Path,
        *,
        include: tuple[str, ...] = PROJECT_FILES,
        exclude: tuple[str, ...] = (),
        within: tuple[Path, ...] = (),
        state: tuple[Path, ...] = (),
    ) -> None:
        """A link that leads out of the folders `within` is refused; empty: out of `path`.

        `state` are folders of our own, which `look` passes over where they lie in the project.
        """
        self._path, self._include, self._exclude = path, include, exclude
        self._within = tuple(folder.resolve() for folder in within or (path,))
        real = path.resolve()
        self._state = {folder.resolve() for folder in state} - {real, *real.parents}

    def look(self) -> DataSeen:
        """Names, sizes and times of the files, without reading one; counts nothing.

        A file that was written again with the same content looks like another one.

        Raises:
            ProjectError: the folder is missing, not readable or holds no file of a project.
        """
        files, seen = self._found(frozenset(self._state), Tally(str(self._path))), []
        for name in files:
            try:
                status = (self._path / name).stat()
            except OSError as error:
                raise unreadable(self._path / name, error) from error
            seen.append((name, status.st_size, status.st_mtime_ns))
        return DataSeen(digest_of(*seen))

    def pull(self, into: Path) -> tuple[Origin, ...]:
        """Write the project's files below the empty folder `into`; returns the project's path.

        Raises:
            ProjectError: the folder is missing or holds no file of a project; one of the files is
                not readable, no file or elsewhere; or there is too much of them.
            StorageError: a file could not be written.
        """
        # The folder of all snapshots may lie in the project, and must not be taken up in it.
        skip = frozenset({into.resolve(), into.resolve().parent})
        tally = Tally(str(self._path))
        files = self._found(skip, tally)
        require_bounded(self._path, files)
        for name in files:
            copy(self._path / name, into / name, name, self._within, tally)
        return (Origin(str(self._path)),)

    def _found(self, skip: frozenset[Path], tally: Tally) -> list[str]:
        """As `_files`, at least one.

        Raises:
            ProjectError: the folder is missing, not readable or holds no file of a project.
        """
        if not self._path.is_dir():
            found = "is not a folder" if self._path.exists() else "does not exist"
            raise ProjectError(
                f"the project's folder {self._path} {found}",
                tip="correct source.path of this assistant in the config",
            )
        try:
            files = self._files(skip, tally)
        except OSError as error:
            raise unreadable(Path(error.filename or self._path), error) from error
        if not files:
            raise ProjectError(
                f"0 files in the project's folder {self._path} match, at least 1 is needed: "
                f"looked for {', '.join(self._include)}",
                tip="correct source.path or source.include of this assistant in the config",
            )
        return files

    def _files(self, skip: frozenset[Path], tally: Tally) -> list[str]:
        """The names of the files to take, relative to the project, in order."""

        @cache
        def below(start: str) -> tuple[str, ...]:
            folder = self._path / start
            above = frozenset(folder.resolve().parents)
            return tuple(_walk(folder, start, skip, above, self._within, tally))

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
    folder: Path,
    name: str,
    skip: frozenset[Path],
    above: frozenset[Path],
    within: tuple[Path, ...],
    tally: Tally,
) -> Iterator[str]:
    """The names of all files below a folder, links followed, hidden folders left out.

    Each begins with `name`, that of the folder; `above` are the real folders that it is in.
    """
    real = folder.resolve()
    if real in above:
        raise ProjectError(
            f"{folder} is a link to {real}, a folder that it lies in: a loop without an end",
            tip=f"remove the link {folder}, or leave it out with source.exclude",
        )
    require_within(folder, within, real)
    tally.folder(name or ".", real)
    if real in skip:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            below = f"{name}/{entry.name}" if name else entry.name
            tally.name(below)
            if not entry.is_dir():
                yield below
            elif not entry.name.startswith("."):
                yield from _walk(folder / entry.name, below, skip, above | {real}, within, tally)


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
