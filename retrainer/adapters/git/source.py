"""An assistant's project in a git repository, with what it keeps in Git LFS and DVC."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from retrainer.adapters.directory_source import PROJECT_FILES, DirectorySource, Patterns
from retrainer.adapters.folders import discard, exclusive, publish, unfinished
from retrainer.adapters.git.dvc import Dvc, root_of
from retrainer.adapters.git.faults import GitFailed
from retrainer.adapters.git.lfs import fill, pointers_below
from retrainer.adapters.git.remote import GitOptions, GitRemote, require_inside, require_reference
from retrainer.adapters.git.repository import COMMIT, GitRepository, Reference, local_name, some_of
from retrainer.domain.cycle import Origin
from retrainer.errors import ProjectError
from retrainer.ports import DataSeen

#: Seconds to wait for another process that uses the cache, beside what an exchange may take.
_PATIENCE = 60.0
#: Characters of a commit's subject that are kept.
_LONGEST = 300


@dataclass(frozen=True)
class _Found:
    """The commit to take, what it was asked for as, and what people should know of it."""

    commit: str
    details: dict[str, str]


class GitSource:
    """A `DataSource` of one commit, fetched into a cache.

    The cache is a repository with a few commits of history. It can be deleted at any time, and is
    made anew when it is damaged or of another address.
    """

    counts_examples = False

    class Options(GitOptions):
        """Options of `type = "git"`."""

        revision: Annotated[str, AfterValidator(require_reference)] = ""
        """Branch, tag or full commit; empty: the default branch."""

        folder: Annotated[str, AfterValidator(require_inside)] = ""
        """The project's folder in the repository; empty: all of it."""

        include: Patterns = PROJECT_FILES
        """Patterns of the files to take, relative to `folder`."""

        exclude: Patterns = ()
        """Patterns of the files to leave out of those."""

        depth: int = Field(default=50, ge=0)
        """Commits of the history to fetch, so that a rewritten one is noticed; 0: all."""

        submodules: bool = False
        """Whether submodules are fetched too."""

        dvc: str = "dvc"
        """The DVC program, used where the project has data in DVC; empty: never."""

        dvc_remote: str = Field(default="", pattern=r"^([^\s-]\S*)?$")
        """Name of the DVC remote to fetch from; empty: the project's default."""

        dvc_imports: bool = False
        """Whether DVC may fetch from wherever else the repository says: `dvc import`, `import-url`."""

    @classmethod
    def from_options(cls, options: Options, *, folder: Path, cache: Path) -> Self:
        """The source that the options describe; relative paths start at `folder`."""
        return cls(options, GitRemote.from_options(options, folder=folder), cache)

    def __init__(self, options: Options, remote: GitRemote, cache: Path) -> None:
        self._options, self._remote, self._cache = options, remote, cache

    def look(self) -> DataSeen:
        """The commit that the branch or tag stands for, as the server says; counts nothing.

        What lies in Git LFS and DVC follows from it. A full commit is the same for ever.

        Raises:
            ProjectError: there is no such branch; or git is missing.
            ServerError: the server cannot be reached, or refuses.
        """
        name = self._options.revision
        if COMMIT.fullmatch(name):
            return DataSeen(name)
        repository = GitRepository(self._remote, self._cache / "repository")
        there = repository.find(name)
        if there is None:
            raise repository.without(name)
        return DataSeen(there.commit)

    def pull(self, into: Path) -> tuple[Origin, ...]:
        """Write the project's files below the empty folder `into`; returns the commit.

        Raises:
            ProjectError: there is no such branch or folder, no project in it, or not all of its
                data; or git, git-lfs or DVC is missing.
            ServerError: the server cannot be reached, or refuses.
            StorageError: a file could not be written.
        """
        wait = self._options.timeout + _PATIENCE
        with exclusive(self._cache, wait=wait), unfinished(self._cache) as work_tree:
            repository, fresh = self._repository()
            try:
                found = self._check_out(repository, work_tree)
            except GitFailed:
                if fresh:
                    raise
                discard(repository.folder, self._cache)
                with unfinished(self._cache) as other:
                    repository, _ = self._repository()
                    return self._take(repository, self._check_out(repository, other), other, into)
            return self._take(repository, found, work_tree, into)

    # --- the commit ----------------------------------------------------------------------------

    def _repository(self) -> tuple[GitRepository, bool]:
        """The cache, and whether it is new; the caller holds its lock."""
        repository = GitRepository(self._remote, self._cache / "repository")
        if repository.is_usable():
            return repository, False
        if repository.folder.exists():
            discard(repository.folder, self._cache)
        with unfinished(self._cache) as made:
            GitRepository.made(self._remote, made)
            publish(made, repository.folder)
        return repository, True

    def _check_out(self, repository: GitRepository, work_tree: Path) -> _Found:
        found = self._fetched(repository)
        repository.check_out(found.commit, work_tree)
        if self._options.submodules:
            repository.check_out_submodules(work_tree)
        return found

    def _fetched(self, repository: GitRepository) -> _Found:
        """The commit, with all of its files in the cache; one that is there is not fetched."""
        name, depth = self._options.revision, self._options.depth
        if COMMIT.fullmatch(name):
            commit = repository.commit_of(local_name(name)) or repository.fetch(name, depth=depth)
            return _Found(commit, {})
        there = repository.find(name)
        if there is None:
            raise repository.without(name)
        before = repository.commit_of(local_name(there.name))
        if before == there.commit:
            return _Found(before, {there.kind: there.short})
        commit = repository.fetch(there.name, depth=depth)
        return _Found(
            commit, {there.kind: there.short, **self._rewritten(repository, there, before, commit)}
        )

    def _rewritten(
        self, repository: GitRepository, there: Reference, before: str | None, commit: str
    ) -> dict[str, str]:
        """What to say when the commit of the last time is not in the branch's history any more."""
        if before is None or there.kind != "branch" or repository.is_ancestor(before, commit):
            return {}
        depth = self._options.depth
        among = f"the last {depth} commits" if depth else "its history"
        return {"history": f"rewritten: {before[:12]}, pulled before, is not among {among}"}

    # --- its files -----------------------------------------------------------------------------

    def _take(
        self, repository: GitRepository, found: _Found, work_tree: Path, into: Path
    ) -> tuple[Origin, ...]:
        options, root = self._options, work_tree / self._options.folder
        self._require_folder(root, work_tree)
        project = DirectorySource(
            root, include=options.include, exclude=options.exclude, within=(work_tree,)
        )
        details = dict(found.details)
        dvc_root = root_of(root, work_tree) if options.dvc else None
        if dvc_root is not None:
            details |= self._pull_data(dvc_root, root, work_tree, project)
        try:
            project.pull(into)
        except ProjectError as error:
            raise self._in_words_of_git(error, root, found.commit) from None
        if pointers := pointers_below(into):
            within = PurePosixPath(options.folder)
            names = {p.file: str(within / p.file.relative_to(into).as_posix()) for p in pointers}
            fill(pointers, names, repository, found.commit)
        return (self._origin(repository, found.commit, details),)

    def _pull_data(
        self, dvc_root: Path, root: Path, work_tree: Path, project: DirectorySource
    ) -> dict[str, str]:
        options = self._options
        dvc = Dvc(
            executable=options.dvc,
            root=dvc_root,
            cache=self._cache / "dvc",
            remote=options.dvc_remote,
            timeout=options.timeout,
            imports=options.dvc_imports,
        )

        def wanted(path: str) -> bool:
            """Whether the project takes it; DVC names paths below its own root."""
            inside, real = dvc_root / path, Path(os.path.realpath(dvc_root / path))
            if not real.is_relative_to(work_tree.resolve()):
                return False  # by a link that leads out of it, where nothing is written
            if root.is_relative_to(inside):
                return True
            return inside.is_relative_to(root) and project.may_take(
                inside.relative_to(root).as_posix()
            )

        dvc.isolate()
        dvc.pull(wanted)
        return dvc.parameters()

    def _in_words_of_git(self, error: ProjectError, root: Path, commit: str) -> ProjectError:
        """What is wrong with the project, without the folder that it was written to."""
        where = f"{self._remote.place} at {commit[:12]}"
        message = error.message.replace(f"{root}/", "").replace(str(root), where)
        holds = f"; it holds {some_of(_entries(root))}" if message.startswith("0 files") else ""
        return ProjectError(
            f"{message}{holds}" if where in message else f"{where}: {message}",
            tip=error.tip
            and error.tip.replace(f"{root}/", "").replace("source.path", "source.folder"),
        )

    def _require_folder(self, root: Path, work_tree: Path) -> None:
        if root.is_dir() and root.resolve().is_relative_to(work_tree.resolve()):
            return
        there = next(p for p in root.parents if p.is_dir())
        if not there.resolve().is_relative_to(work_tree.resolve()):
            there = work_tree
        raise ProjectError(
            f"{self._remote.place} has no folder {self._options.folder}; "
            f"{there.relative_to(work_tree) if there != work_tree else 'it'} holds "
            f"{some_of(_entries(there))}",
            tip="correct source.folder of this assistant in the config",
        )

    def _origin(self, repository: GitRepository, commit: str, details: dict[str, str]) -> Origin:
        said = repository.git(
            "log", "-1", "--no-show-signature", "--format=%an%x00%ct%x00%s", commit
        )
        author, seconds, subject = said.rstrip("\n").split("\0")
        branch = details.get("branch") or details.get("tag")
        below = f":{self._options.folder}" if self._options.folder else ""
        return Origin(
            place=f"{self._remote.place}{f'#{branch}' if branch else ''}{below}",
            revision=commit,
            author=_line(author),
            at=_moment(seconds),
            details={**details, "subject": _line(subject)} if subject else details,
        )


def _line(text: str) -> str:
    """What strangers wrote, on one line that does nothing to a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_LONGEST])


def _moment(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):  # a commit may bear any number
        return None


def _entries(folder: Path) -> list[str]:
    return sorted(p.name + "/" * p.is_dir() for p in folder.iterdir() if p.name != ".git")
