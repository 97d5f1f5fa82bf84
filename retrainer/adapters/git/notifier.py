"""Writes a promotion back to a git repository: its figures, the model's digest, and tags."""

import json
import logging
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field

from retrainer.adapters.files import storage_errors
from retrainer.adapters.git.commit import GitCommit, next_tags
from retrainer.adapters.git.dvc import Dvc
from retrainer.adapters.git.faults import PushRaced
from retrainer.adapters.git.remote import GitOptions, GitRemote, require_inside, require_reference
from retrainer.adapters.git.repository import GitRepository
from retrainer.adapters.temporary import TemporaryFolder
from retrainer.domain.cycle import Status
from retrainer.errors import NotificationError, ProjectError, RetrainerError
from retrainer.ports import CycleReport, Fetch, Renderer

_log = logging.getLogger(__name__)

#: Tries to be the first to push.
_TRIES = 4
_METRICS, _MODEL, _PIPELINE, _ARCHIVE = "metrics.json", "model.json", "dvc.yaml", "model.tar.gz"


class GitNotifier:
    """A `Notifier` that commits each promotion, and tags it as GTO reads it.

    A promotion is written once, however often it is told of. One that is older than what is
    written already is left alone, since only the newest model may stand there.
    """

    class Options(GitOptions):
        """Options of `type = "git"`."""

        branch: Annotated[str, AfterValidator(require_reference)] = ""
        """Branch to commit to; empty: the default branch."""

        folder: Annotated[str, AfterValidator(require_inside)] = "models/{assistant}"
        """Folder in the repository that is written to."""

        message: str = Field(default="Promote {model}", pattern=r"\S")
        """First line of the commit's message; {assistant}, {model} and {cycle} are filled in."""

        author_name: str = Field(default="retrainer", pattern=r"^[^<>\x00-\x1f]+$")
        """Author of the commits."""

        author_email: str = Field(default="retrainer@localhost", pattern=r"^[^<>\x00-\x1f]+$")
        """Address of that author."""

        tag: bool = True
        """Whether a promotion is tagged as a new version: ASSISTANT@v0.0.1, counting up."""

        stage: str = Field(
            default="champion", pattern=r"^([a-zA-Z0-9]([a-zA-Z0-9/_-]*[a-zA-Z0-9])?)?$"
        )
        """Stage that the version is tagged with, as ASSISTANT#champion#1; empty: none."""

        dvc_push: bool = False
        """Whether the model's archive is added to DVC and pushed to its storage."""

        dvc: str = "dvc"
        """The DVC program, used with `dvc_push`."""

        dvc_remote: str = Field(default="", pattern=r"^([^\s-]\S*)?$")
        """Name of the DVC remote to push to; empty: the project's default."""

    @classmethod
    def from_options(
        cls, options: Options, *, folder: Path, render: Renderer, fetch: Fetch
    ) -> Self:
        """The notifier that the options describe; relative paths start at `folder`."""
        return cls(options, GitRemote.from_options(options, folder=folder), render, fetch)

    def __init__(self, options: Options, remote: GitRemote, render: Renderer, fetch: Fetch) -> None:
        self._options, self._remote, self._render, self._fetch = options, remote, render, fetch

    def notify(self, report: CycleReport) -> None:
        """Commit and push a promotion; any other end of a cycle, or a second time, does nothing.

        Raises:
            NotificationError: it could not be pushed; nothing of it was.
        """
        if report.cycle.status is not Status.COMPLETED or not report.state.promoted:
            return
        try:
            with _scratch() as scratch:
                repository = GitRepository.made(self._remote, scratch / "repository")
                for left in reversed(range(_TRIES)):
                    try:
                        self._push(repository, report, scratch)
                        break
                    except PushRaced:
                        if not left:
                            raise
        except RetrainerError as error:
            raise NotificationError(error.message, tip=error.tip) from None

    def _push(self, repository: GitRepository, report: CycleReport, scratch: Path) -> None:
        """One attempt, on top of what the branch has now."""
        branch, parent = self._branch(repository)
        commit = GitCommit(repository, parent, self._folder(report), scratch)
        if not _is_newer(report, commit.read(_MODEL)):
            _log.info("cycle %s is in %s already", report.cycle.number, self._remote.place)
            return
        files = {_METRICS: _json(_metrics(report)), _MODEL: _json(_model(report))}
        if commit.read_anywhere(".dvc/config") is None:
            if self._options.dvc_push:
                raise ProjectError(
                    f"{self._remote.place} is no DVC project, so no model can be pushed with DVC",
                    tip="`dvc init` and `dvc remote add` in it, or set dvc_push to false",
                )
        elif commit.read(_PIPELINE) is None:
            files[_PIPELINE] = f"metrics:\n  - {_METRICS}\n"
        if self._options.dvc_push:
            files |= self._add_to_dvc(commit, report, scratch)
        made = commit.write(files, self._message(report), self._author(report))
        tags = []
        if self._options.tag:
            tags = next_tags(repository, report.cycle.assistant, self._options.stage)
            commit.tag(tags, made, self._message(report), self._author(report))
        names = [f"{made}:{branch}", *(f"refs/tags/{tag}" for tag in tags)]
        atomic = ["--atomic"] if tags else []
        repository.git("push", "--quiet", *atomic, "origin", *names, doing="pushing")

    def _branch(self, repository: GitRepository) -> tuple[str, str | None]:
        """The branch's full name and its commit; None in a repository that is empty."""
        wanted = self._options.branch
        there = repository.find(wanted)
        if there is None and repository.listed("refs/heads/*"):
            raise repository.without(wanted)
        if there is None:
            return f"refs/heads/{wanted or 'main'}", None
        if there.kind != "branch":
            raise ProjectError(
                f"{there.short} of {self._remote.place} is a tag, a branch is needed",
                tip="correct `branch` of this notifier in the config",
            )
        return there.name, repository.fetch(there.name, depth=1)

    def _add_to_dvc(self, commit: GitCommit, report: CycleReport, scratch: Path) -> dict[str, str]:
        """Push the model's archive with DVC; returns the files that stand for it in git."""
        root = scratch / "dvc-project"
        shutil.rmtree(root, ignore_errors=True)
        folder = root / commit.folder
        folder.mkdir(parents=True)
        (root / ".dvc").mkdir(exist_ok=True)
        config = commit.read_anywhere(".dvc/config") or ""
        (root / ".dvc" / "config").write_text(config, encoding="utf-8")
        archive = self._fetch(report.cycle.assistant, report.cycle.challenger)
        shutil.copyfile(archive, folder / _ARCHIVE)
        dvc = Dvc(
            executable=self._options.dvc,
            root=root,
            cache=scratch / "dvc",
            remote=self._options.dvc_remote,
            timeout=self._options.timeout,
        )
        dvc.isolate(with_git=False)
        added = dvc.push(folder / _ARCHIVE)
        ignored = (commit.read(".gitignore") or "").splitlines()
        lines = dict.fromkeys([*ignored, f"/{_ARCHIVE}"])
        return {
            added.name: added.read_text(encoding="utf-8"),
            ".gitignore": "".join(f"{line}\n" for line in lines),
        }

    def _folder(self, report: CycleReport) -> str:
        return self._options.folder.replace("{assistant}", report.cycle.assistant)

    def _message(self, report: CycleReport) -> str:
        subject = self._options.message
        for name, value in (
            ("{assistant}", report.cycle.assistant),
            ("{model}", report.cycle.challenger),
            ("{cycle}", str(report.cycle.number)),
        ):
            subject = subject.replace(name, value)
        return f"{subject}\n\n{self._render(report).summary}\n"

    def _author(self, report: CycleReport) -> dict[str, str]:
        at = f"{int((report.ended_at or report.cycle.started_at).timestamp())} +0000"
        return {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (
                ("NAME", self._options.author_name),
                ("EMAIL", self._options.author_email),
                ("DATE", at),
            )
        }


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for the time of one delivery."""
    with storage_errors("writing below", Path(gettempdir())), TemporaryFolder("git") as folder:
        yield folder


def _is_newer(report: CycleReport, written: str | None) -> bool:
    """Whether the promotion is younger than the one that is written."""
    try:
        there = datetime.fromisoformat(json.loads(written or "{}")["cycle"]["started_at"])
        newer = report.cycle.started_at > there
    except (ValueError, TypeError, LookupError):  # somebody else's, or none: it is replaced
        newer = True
    return newer


def _metrics(report: CycleReport) -> dict[str, float]:
    """The challenger's figures, as `dvc metrics diff` compares them."""
    evaluation = report.state.evaluation
    if evaluation is None:
        return {}
    measured = evaluation.challenger
    figures = {name: v for name, v in sorted(measured.metrics.items()) if math.isfinite(v)}
    return {**figures, "examples": measured.examples}


def _model(report: CycleReport) -> dict[str, Any]:
    state, cycle = report.state, report.cycle
    model, snapshot, verdict = state.model, state.snapshot, state.verdict
    return {
        "assistant": cycle.assistant,
        "model": cycle.challenger,
        "replaces": state.promoted[0] if state.promoted else None,
        "sha256": model and model.sha256,
        "size": model and model.size,
        "rasa_version": model and model.rasa_version,
        "trained_at": model and _utc(model.trained_at),
        "snapshot": snapshot and {"digest": snapshot.digest, "origin": snapshot.origin},
        "policy": verdict and verdict.policy,
        "verdict": verdict and verdict.outcome,
        "cycle": {"number": cycle.number, "started_at": _utc(cycle.started_at)},
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
