"""A commit made of a few files on top of another; nothing is ever checked out for it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from retrainer.adapters.git.repository import GitRepository


class GitCommit:
    """A commit to be, on top of `parent`, whose files lie in `folder`.

    Without a parent it is the first of its repository. `scratch` is a folder for files in between.
    """

    def __init__(
        self, repository: GitRepository, parent: str | None, folder: str, scratch: Path
    ) -> None:
        self._repository, self._parent, self._content = repository, parent, scratch / "content"
        self.folder = PurePosixPath(folder)

    def read(self, name: str) -> str | None:
        """A file of the folder, as the parent has it; None if it has none."""
        return self.read_anywhere(str(self.folder / name))

    def read_anywhere(self, path: str) -> str | None:
        """A file of the parent, by its path in the repository; None if it has none."""
        git = self._repository.git
        entry = git("ls-tree", "--full-tree", self._parent, "--", path) if self._parent else ""
        found = re.match(r"\d+ blob ([0-9a-f]+)\t", entry)
        return git("cat-file", "blob", found[1]) if found else None

    def write(self, files: Mapping[str, str], message: str, author: Mapping[str, str]) -> str:
        """The parent with these files in the folder; returns the new commit."""
        git = self._repository.git
        git("read-tree", self._parent or "--empty")
        for name, text in files.items():
            self._content.write_text(text, encoding="utf-8")
            blob = git("hash-object", "-w", "--no-filters", self._content).strip()
            path = self.folder / name
            words = ("--add", "--cacheinfo", f"100644,{blob},{path}")
            git("update-index", *words, doing=f"adding {path}")
        tree = git("write-tree").strip()
        parent = ("-p", self._parent) if self._parent else ()
        self._content.write_text(message, encoding="utf-8")
        words = ("commit-tree", tree, *parent, "-F", str(self._content))
        return git(*words, environment=author, doing="committing").strip()

    def tag(
        self, names: Sequence[str], commit: str, message: str, author: Mapping[str, str]
    ) -> None:
        """Tag the commit, with a message."""
        self._content.write_text(message, encoding="utf-8")
        for name in names:
            words = ("--annotate", "--no-sign", "--force", "-F", str(self._content), name, commit)
            self._repository.git("tag", *words, environment=author, doing="tagging")


def next_tags(repository: GitRepository, assistant: str, stage: str) -> list[str]:
    """The assistant's next version, and that it is in the stage now, as GTO reads them.

    Versions are `ARTIFACT@v0.0.1` and so on, stages `ARTIFACT#STAGE#1`, counted up.
    """
    artifact = assistant.rstrip("-_")  # GTO's names end with a letter or a digit
    listed = repository.listed(f"refs/tags/{artifact}@*", f"refs/tags/{artifact}#*")
    named = [name.removeprefix("refs/tags/") for name in listed]
    version = re.compile(rf"{re.escape(artifact)}@v(\d+)\.(\d+)\.(\d+)")
    versions = [tuple(map(int, m.groups())) for name in named if (m := version.fullmatch(name))]
    major, minor, patch = max(versions, default=(0, 0, 0))
    tags = [f"{artifact}@v{major}.{minor}.{patch + 1}"]
    if stage:
        counts = [int(m[1]) for name in named if (m := re.search(r"#(\d+)$", name))]
        tags.append(f"{artifact}#{stage}#{max(counts, default=0) + 1}")
    return tags
