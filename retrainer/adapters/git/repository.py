"""Git, run as a program on one repository of this machine."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Self

from retrainer.adapters.files import storage_errors
from retrainer.adapters.git.faults import GitFailed, ShallowRefused, explained
from retrainer.adapters.git.remote import LARGEST_FILE, GitRemote
from retrainer.adapters.plain_files import MAXIMUM_DEPTH, MAXIMUM_NAMES
from retrainer.adapters.processes import ProcessFailed, run
from retrainer.errors import ProjectError

#: Settings are given to git through the environment, which older ones do not read.
_OLDEST = (2, 31)
_MOST_NAMED = 10
#: Bytes of all files of a commit.
_LARGEST_WORK_TREE = 10 * 1000**3
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """A branch or tag of the server: its full name, and the commit that it stands for."""

    name: str
    commit: str

    @property
    def kind(self) -> str:
        """`branch` or `tag`."""
        return "tag" if self.name.startswith("refs/tags/") else "branch"

    @property
    def short(self) -> str:
        """The name as people say it."""
        return self.name.split("/", 2)[2]


@dataclass(frozen=True)
class GitRepository:
    """A repository in `folder`, whose `origin` is `remote`."""

    remote: GitRemote
    folder: Path

    @classmethod
    def made(cls, remote: GitRemote, folder: Path) -> Self:
        """A new one in an empty folder.

        Raises:
            ProjectError: git is missing or too old.
            StorageError: the disk is full.
        """
        repository = cls(remote, folder)
        version = re.search(r"(\d+)\.(\d+)", repository("--version", doing="asking git's version"))
        found = (int(version[1]), int(version[2])) if version else (0, 0)
        if found < _OLDEST:
            raise ProjectError(
                f"git is {'.'.join(map(str, found))}, {'.'.join(map(str, _OLDEST))} or newer is "
                "needed",
                tip="upgrade git, or name a newer one with `git`",
            )
        repository("init", "--quiet", "--bare", "--template=", folder, doing="making the cache")
        for key, value in (
            ("core.bare", "false"),  # files are checked out of it, elsewhere
            ("remote.origin.url", remote.url),
        ):
            repository.git("config", key, value)
        return repository

    def is_usable(self) -> bool:
        """Whether the folder is a repository of this remote, with no trace of a killed git."""
        if any(self.folder.glob("*.lock")) or not (self.folder / "HEAD").is_file():
            return False
        try:
            return self.git("config", "remote.origin.url").strip() == self.remote.url
        except GitFailed:
            return False

    def git(
        self, *words: str | Path, doing: str = "", environment: Mapping[str, str] | None = None
    ) -> str:
        """Run git on the repository; returns its standard output.

        `doing` says what for, in errors.

        Raises:
            ServerError: as `git_faults.explained` says.
        """
        place = ("--git-dir", self.folder)
        return self(*place, *words, doing=doing or f"git {words[0]}", environment=environment)

    def __call__(
        self,
        *words: str | Path,
        doing: str,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> str:
        """Run git; in `folder`, where that is given."""
        try:
            return run(
                [self.remote.git, *words],
                timeout=self.remote.timeout,
                environment={**self.remote.environment, **(environment or {})},
                folder=folder,
                largest_file=LARGEST_FILE,
            )
        except ProcessFailed as error:  # what it says may hold secrets
            raise explained(error, self.remote, doing) from None

    # --- the server ----------------------------------------------------------------------------

    def listed(self, *patterns: str) -> dict[str, str]:
        """Branches and tags of the server: full name -> commit. `HEAD` is the default branch's name.

        Patterns are as for `git ls-remote`.
        """
        said = self(  # from nowhere: the repository here may not be made yet, or be in use
            *("ls-remote", "--quiet", "--symref", "--", self.remote.url, *patterns),
            doing="asking for its branches",
            folder=Path("/"),
        )
        found: dict[str, str] = {}
        for line in said.splitlines():
            value, _, name = line.partition("\t")
            if value.startswith("ref: "):
                found["HEAD"] = value.removeprefix("ref: ")
            elif COMMIT.fullmatch(value):
                # `^{}` is the commit of an annotated tag, and comes after the tag itself.
                found[found.get(name, name).removesuffix("^{}")] = value
        return found

    def find(self, name: str) -> Reference | None:
        """The server's branch or tag of this short name, a branch first; empty: its default branch."""
        wanted = (f"refs/heads/{name}", f"refs/tags/{name}")
        listed = self.listed(*wanted, f"{wanted[1]}^{{}}") if name else self.listed("HEAD")
        for full in wanted if name else (listed.get("HEAD", ""),):
            if full in listed:
                return Reference(full, listed[full])
        return None

    def without(self, name: str) -> ProjectError:
        """What to raise for a name of no branch and no tag: those that it may be a slip of."""
        names = [
            Reference(full, "").short
            for full in self.listed("refs/heads/*", "refs/tags/*")
            if full.startswith("refs/")
        ]
        if not names:
            return ProjectError(
                f"{self.remote.place} has no branch and no tag",
                tip="push the project to it; or is url that of a web page?",
            )
        if not name:
            return ProjectError(
                f"{self.remote.place} has no default branch; it has {some_of(sorted(names))}",
                tip="name one of them in the config",
            )
        near = get_close_matches(name, names, n=_MOST_NAMED, cutoff=0.5)
        known = (
            f"it has {some_of(near)}, which is near" if near else f"it has {some_of(sorted(names))}"
        )
        return ProjectError(
            f"{self.remote.place} has no branch or tag {name!r}; {known}",
            tip="correct it in the config; a commit needs all of its 40 digits",
        )

    def fetch(self, name: str, *, depth: int) -> str:
        """Fetch a branch, tag or commit with so many commits of its history; 0: all of it.

        Returns:
            The commit. A server that sends only whole histories is asked for that.
        """
        try:
            self._fetch(f"+{name}:{local_name(name)}", f"--depth={depth}" if depth else "")
        except ShallowRefused:
            if not COMMIT.fullmatch(name):
                self._fetch(f"+{name}:{local_name(name)}")
            else:
                self._fetch("+refs/heads/*:refs/retrainer/heads/*")
                if self.commit_of(name):
                    self.git("update-ref", local_name(name), name)
        commit = self.commit_of(local_name(name))
        if commit is None:
            raise ProjectError(
                f"{self.remote.place} has no commit {name}",
                tip="name a branch, a tag, or the 40 digits of a commit that is in a branch",
            )
        return commit

    def _fetch(self, reference: str, limit: str = "") -> None:
        if not limit and (self.folder / "shallow").exists():
            limit = "--unshallow"
        words = ["fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head"]
        words += [limit] if limit else []
        self.git(*words, "origin", reference, doing="fetching")

    # --- what is here --------------------------------------------------------------------------

    def commit_of(self, name: str) -> str | None:
        """The commit that a name stands for here; None if there is none."""
        with suppress(GitFailed):
            return self.git("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}").strip()
        return None

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether one commit is known here to have come before another."""
        try:
            self.git("merge-base", "--is-ancestor", old, new)
        except GitFailed:
            return False
        return True

    def check_out(self, commit: str, into: Path) -> None:
        """Write a commit's files below an empty folder, which is a work tree from then on.

        Raises:
            ProjectError: there are too many of them, or they are too large.
        """
        self._require_bounded(commit)
        with storage_errors("writing below", into):
            (into / ".git").write_text(f"gitdir: {self.folder.resolve()}\n", encoding="utf-8")
            (self.folder / "index").unlink(missing_ok=True)
        words = ("checkout", "--quiet", "--force", "--detach", commit, "--")
        self(*words, doing="writing its files", folder=into)

    def _require_bounded(self, commit: str) -> None:
        """A few folders, each named ten times by the next, are billions of files once written."""
        words = ("ls-tree", "-r", "-l", "-z", "--full-tree", commit)
        entries = self.git(*words, doing="looking at the size of its files").split("\0")
        place, size = f"{self.remote.place} at {commit[:12]}", 0
        if len(entries) > MAXIMUM_NAMES:
            raise ProjectError(f"{place} has {len(entries)} files, at most {MAXIMUM_NAMES} may be")
        for entry in entries:
            words_of_it, _, name = entry.partition("\t")
            if name.count("/") > MAXIMUM_DEPTH:  # so deep that not even deleting it may succeed
                raise ProjectError(
                    f"{place} has {name!r:.200}: more than {MAXIMUM_DEPTH} folders deep"
                )
            length = words_of_it.rpartition(" ")[2]
            size += int(length) if length.isdecimal() else 0
            if size > _LARGEST_WORK_TREE:
                raise ProjectError(
                    f"{place} has more than {_LARGEST_WORK_TREE} bytes of files, up to {name!r:.200}",
                    tip="keep what is large in Git LFS or DVC",
                )

    def check_out_submodules(self, work_tree: Path) -> None:
        """Fetch the submodules of the commit that is checked out, and write their files."""
        doing = "fetching its submodules"
        if (work_tree / ".gitmodules").is_file():
            for words in (
                ("sync", "--recursive"),
                ("update", "--init", "--recursive", "--depth=1"),
            ):
                self("submodule", "--quiet", *words, doing=doing, folder=work_tree)


def local_name(name: str) -> str:
    """The name that a reference or commit of the server has here."""
    return "refs/retrainer/" + name.removeprefix("refs/")


def some_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return (", ".join(names[:_MOST_NAMED]) or "nothing") + more
