"""Data that git has only a hash of: DVC fetches it from its own storage."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrainer.adapters.files import storage_errors
from retrainer.adapters.git.dvc_trust import require_harmless
from retrainer.adapters.git.remote import LARGEST_FILE
from retrainer.adapters.http.redaction import redacted
from retrainer.adapters.processes import ProcessFailed, ProcessTimedOut, proxies, run
from retrainer.errors import ProjectError, RetrainerError, ServerError

#: Parameters are shown to people, and kept with each cycle.
_LONGEST, _MOST_FILES = 1000, 20
_MARKS = ("dvc.yaml", "dvc.lock", "*.dvc")
_MISSING = re.compile(r"(?i)missing cache files|checkout failed|do not exist neither|missing-files")
_REMOTE = re.compile(r"(?i)no remote|remote '.*' (?:doesn't|does not) exist|remote not found")


@dataclass(frozen=True)
class Dvc:
    """The program `executable` for one work tree of git, at `root`.

    Its cache is in `cache`; `remote` is the name of its storage, empty for the default one; each
    of its commands may take `timeout` seconds. With `imports` the project may name other
    repositories and addresses to fetch from.
    """

    executable: str
    root: Path
    cache: Path
    remote: str
    timeout: float
    imports: bool = False

    def pull(self, wanted: Callable[[str], bool]) -> None:
        """Fetch the wanted files and folders, which are asked for by their path below `root`.

        Raises:
            ProjectError: DVC is not installed, or what is wanted is not in its storage.
            ServerError: the storage cannot be reached.
        """
        said = self("data", "status", "--json", doing="asking what it has")
        status: dict[str, Any] = _parsed(said)
        missing = {
            *status.get("not_in_cache", ()),
            *status.get("uncommitted", {}).get("deleted", ()),
        }
        targets = sorted(path.rstrip("/") for path in missing if wanted(path.rstrip("/")))
        if not targets:
            return
        remote = ("--remote", self.remote) if self.remote else ()
        self("pull", *remote, "--", *targets, doing="fetching the data")
        gone = [path for path in targets if not (self.root / path).exists()]
        if gone:
            raise ProjectError(f"DVC did not bring {', '.join(gone)}", tip=_PUSH)

    def parameters(self) -> dict[str, str]:
        """The parameters that the project names, file by file, as `name=value, ...`."""
        said = self("params", "diff", "--all", "--json", "HEAD", doing="reading the parameters")
        return {
            file: ", ".join(f"{name}={_shown(values)}" for name, values in named.items())[:_LONGEST]
            for file, named in list(_parsed(said).items())[:_MOST_FILES]
            if (self.root / file).resolve().is_relative_to(self.root.resolve())
        }

    def push(self, file: Path) -> Path:
        """Store a file of the project with DVC; returns FILE.dvc beside it, which stands for it.

        Raises:
            ProjectError: DVC is not installed, or the project has no such storage.
            ServerError: the storage cannot be reached.
        """
        added = file.with_name(f"{file.name}.dvc")
        self("add", "--quiet", "--", file, doing="adding the model")
        remote = ("--remote", self.remote) if self.remote else ()
        self("push", *remote, "--", added, doing="pushing the model")
        return added

    def isolate(self, *, with_git: bool = True) -> None:
        """Put DVC's cache where it belongs, whatever the project says.

        Without git there is no work tree around the project.

        Raises:
            ProjectError: the project's `.dvc` leads elsewhere, or tells DVC to do more than to
                fetch from the project's own storage.
        """
        require_harmless(self.root, imports=self.imports)
        local = self.root / ".dvc" / "config.local"
        with storage_errors("writing", local):
            local.unlink(missing_ok=True)
            local.write_text(
                "[core]\n    analytics = false\n    check_update = false\n    autostage = false\n"
                f"    no_scm = {'false' if with_git else 'true'}\n"
                f'[cache]\n    dir = "{self.cache.resolve()}"\n    type = reflink,hardlink,copy\n',
                encoding="utf-8",
            )

    def __call__(self, *words: str | Path, doing: str) -> str:
        """Run DVC on the project; returns its standard output."""
        try:
            return run(
                [self.executable, *words],
                timeout=self.timeout,
                environment={
                    **proxies(with_passwords=True),
                    "LC_ALL": "C.UTF-8",
                    "DVC_NO_ANALYTICS": "1",
                    "DVC_SITE_CACHE_DIR": str(self.cache.resolve().with_name("dvc-site")),
                    "GIT_TERMINAL_PROMPT": "0",
                    **{name: value for name, value in os.environ.items() if _of_storage(name)},
                },
                folder=self.root,
                largest_file=LARGEST_FILE,
            )
        except ProcessFailed as error:
            raise self._explained(error, doing) from None

    def _explained(self, error: ProcessFailed, doing: str) -> RetrainerError:
        if isinstance(error, ProcessTimedOut):
            return ServerError(
                f"DVC: {doing} took longer than {self.timeout:g} s",
                tip="is its storage up? `timeout` is the limit",
            )
        command, _, said = redacted(error.message).partition("\n")
        if "could not be started" in command:
            return ProjectError(
                f"the project has data in DVC, and {command}",
                tip='install dvc, name it with `dvc`, or set dvc to "" if the data that is '
                "needed is all in git",
            )
        _, _, words = said.partition("ERROR: ")
        told = f"DVC: {doing} failed: {' '.join((words or said).split('Is your cache')[0].split())}"
        if _MISSING.search(said):
            return ProjectError(
                f"{told} (its storage does not have it, or could not be reached)", tip=_PUSH
            )
        if _REMOTE.search(said):
            return ProjectError(told, tip="name one of `dvc remote list` with dvc_remote")
        return ServerError(told, tip="`dvc pull` in a clone shows more")


_PUSH = "`dvc push` from a clone that has the data"


def root_of(folder: Path, work_tree: Path) -> Path | None:
    """The root of the DVC project that a folder of the work tree belongs to; None without data."""
    for root in (folder, *folder.parents):
        if (root / ".dvc").is_dir():
            files = (path for mark in _MARKS for path in root.rglob(mark))
            return root if any(path.is_file() for path in files) else None
        if root == work_tree:
            return None
    return None


def _of_storage(variable: str) -> bool:
    """Whether a variable of our environment tells DVC how to get at its storage."""
    return variable.startswith(("AWS_", "AZURE_", "GOOGLE_")) or variable == "XDG_CONFIG_HOME"


def _parsed(said: str) -> dict[str, Any]:
    try:
        parsed = json.loads(said or "{}")
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ServerError(f"DVC answered {said[:200]!r}, an object of JSON is needed")
    return parsed


def _shown(values: object) -> str:
    value = values.get("new", values.get("old")) if isinstance(values, dict) else values
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
