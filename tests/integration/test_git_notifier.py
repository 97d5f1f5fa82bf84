"""Promotions written back to real repositories, read by real DVC and GTO."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support import cycle_reports
from support.git_servers import TOKEN, GitHttp, Upstream, isolate, ssh_server

from retrainer.adapters.git.notifier import GitNotifier
from retrainer.errors import NotificationError
from retrainer.ports import CycleReport
from retrainer.reports.message import render

BESIDE = Path(sys.executable).parent
FOLDER = "models/helpdesk"
Notify = Callable[..., None]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home of its own for git, ssh, DVC and GTO."""
    variables = isolate(tmp_path / "home") | {
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def upstream(tmp_path: Path, environment: dict[str, str]) -> Upstream:
    """A repository with a project."""
    upstream = Upstream(tmp_path / "server", environment=environment)
    upstream.commit({"config.yml": "language: en\n"})
    return upstream


@pytest.fixture
def notify(tmp_path: Path, upstream: Upstream) -> Notify:
    """Delivers a report as the outbox does."""
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"the model")

    def delivered(report: CycleReport, **options: object) -> None:
        chosen = GitNotifier.Options.model_validate({"url": str(upstream.bare), **options})
        GitNotifier.from_options(
            chosen, folder=tmp_path, render=render, fetch=lambda _assistant, _model: archive
        ).notify(report)

    return delivered


def promotion(number: int = 7, f1: float = 0.8391) -> CycleReport:
    """A promotion of the night of this number."""
    report = cycle_reports.promoted()
    night = timedelta(days=number - 7)
    cycle = replace(report.cycle, number=number, started_at=report.cycle.started_at + night)
    assert report.ended_at
    state = replace(
        report.state,
        promoted=(report.cycle.challenger, cycle.challenger),
        evaluation=cycle_reports.evaluation(f1=f1),
    )
    return replace(report, cycle=cycle, state=state, ended_at=report.ended_at + night)


def tags(upstream: Upstream) -> set[str]:
    return set(upstream.git("tag", at=upstream.bare).split())


def run(program: str, *words: str, at: Path) -> str:
    done = subprocess.run(
        [BESIDE / program, *words], cwd=at, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_a_promotion_is_a_commit(upstream: Upstream, notify: Notify):
    """Figures and digest stand in the repository, beside what was there, and people read why."""
    before = upstream.head()
    notify(promotion(), author_name="Bot", author_email="bot@example.org")
    model = json.loads(upstream.show(f"{FOLDER}/model.json"))
    assert model["model"] == "helpdesk-20261121-010000-7"
    assert (model["sha256"], model["size"]) == ("c" * 64, 24_100_000)
    assert model["snapshot"]["digest"].startswith("3fa9c2d1e0ab")
    assert (model["rasa_version"], model["policy"], model["verdict"]) == (
        "3.6.21",
        "default",
        "promote",
    )
    metrics = json.loads(upstream.show(f"{FOLDER}/metrics.json"))
    assert metrics["f1_weighted"] == 0.8391
    assert metrics["examples"] == 116
    assert upstream.show("config.yml") == "language: en"
    said = upstream.git("log", "-1", "--format=%P|%an <%ae>|%s|%b", "main", at=upstream.bare)
    assert said.startswith(f"{before}|Bot <bot@example.org>|Promote helpdesk-20261121-010000-7|")
    assert "weighted F1 0.8123 -> 0.8391" in said
    assert tags(upstream) == {"helpdesk@v0.0.1", "helpdesk#champion#1"}
    for tag in tags(upstream):
        assert upstream.git("cat-file", "-t", tag, at=upstream.bare) == "tag"


def test_again_is_nothing(upstream: Upstream, notify: Notify):
    """However often the outbox delivers it, also after a later one: one commit, one version."""
    notify(promotion(7))
    notify(promotion(7))
    notify(promotion(8))
    head, known = upstream.head(), tags(upstream)
    notify(promotion(7))
    notify(promotion(8))
    assert (upstream.head(), tags(upstream)) == (head, known)
    assert upstream.git("rev-list", "--count", "main", at=upstream.bare) == "3"
    assert len(known) == 4


def test_the_same_delivery_makes_the_same_commit(upstream: Upstream, notify: Notify):
    """Nothing in a commit hangs on when it was made."""
    first = upstream.head()
    notify(promotion())
    made = upstream.head()
    upstream.git("update-ref", "refs/heads/main", first, at=upstream.bare)
    notify(promotion(), tag=False)
    assert upstream.head() == made


def test_somebody_pushes_meanwhile(upstream: Upstream, notify: Notify, tmp_path: Path):
    """Both pushes count."""
    script = tmp_path / "git"
    home = tmp_path / "home"
    script.write_text(
        f"""#!/bin/sh
case "$*" in *" push "*)
  if mkdir {tmp_path}/once 2>/dev/null; then
    export PATH="$PATH" HOME={home} GIT_CONFIG_GLOBAL={home}/gitconfig GIT_CONFIG_COUNT=0
    echo x > {upstream.clone}/other.txt
    git -C {upstream.clone} add . && git -C {upstream.clone} commit -qm other &&
    git -C {upstream.clone} push -q origin HEAD:main && git -C {upstream.clone} tag helpdesk@v0.0.1 &&
    git -C {upstream.clone} push -q origin --tags || exit 99
  fi
esac
exec git "$@"
"""
    )
    script.chmod(0o755)
    notify(promotion(), git=str(script))
    assert (tmp_path / "once").is_dir()
    assert upstream.show("other.txt") == "x"
    assert json.loads(upstream.show(f"{FOLDER}/model.json"))["cycle"]["number"] == 7
    assert tags(upstream) == {"helpdesk@v0.0.1", "helpdesk@v0.0.2", "helpdesk#champion#1"}


@pytest.mark.parametrize("hook", ["pre-receive", "update"])
def test_a_refused_push_leaves_nothing(upstream: Upstream, notify: Notify, hook: str):
    """Branch and tags come together or not at all, and what the server says is passed on."""
    file = upstream.bare / "hooks" / hook
    test = "true" if hook == "pre-receive" else 'case "$1" in refs/heads/*) true;; *) false;; esac'
    file.write_text(f"#!/bin/sh\nif {test}; then echo main is protected >&2; exit 1; fi\n")
    file.chmod(0o755)
    head = upstream.head()
    with pytest.raises(NotificationError, match=r"pushing failed.*main is protected"):
        notify(promotion())
    assert (upstream.head(), tags(upstream)) == (head, set())
    file.unlink()
    notify(promotion())
    assert len(tags(upstream)) == 2


def test_failures_are_notification_errors(notify: Notify, tmp_path: Path):
    """Each is clear, and for the outbox to try again."""
    notify(promotion(7))
    for options, message in (
        ({"branch": "mian"}, "no branch or tag 'mian'.*main"),
        ({"branch": "helpdesk@v0.0.1"}, "is a tag, a branch is needed"),
        ({"url": str(tmp_path / "none")}, "no such repository"),
        ({"git": "no-git"}, "could not be started"),
        ({"dvc_push": True}, "is no DVC project"),
        ({"folder": "config.yml/x"}, "adding config.yml/x/metrics.json failed"),
    ):
        with pytest.raises(NotificationError, match=message):
            notify(promotion(8), **options)


def test_other_branches_and_folders(upstream: Upstream, notify: Notify):
    """As configured; without tags if they are not wanted."""
    upstream.commit({}, branch="models")
    notify(
        promotion(), branch="models", folder="", tag=False, message="{cycle}: {assistant} [skip ci]"
    )
    assert json.loads(upstream.show("model.json", "models"))["cycle"]["number"] == 7
    assert (
        upstream.git("log", "-1", "--format=%s", "models", at=upstream.bare)
        == "7: helpdesk [skip ci]"
    )
    assert tags(upstream) == set()
    notify(promotion(8), branch="models", stage="")
    assert tags(upstream) == {"helpdesk@v0.0.1"}


def test_the_first_commit_of_a_repository(
    notify: Notify, tmp_path: Path, environment: dict[str, str]
):
    """A repository for models alone may be empty at first."""
    empty = Upstream(tmp_path / "other", "empty", environment)
    notify(promotion(), url=str(empty.bare))
    assert json.loads(empty.show(f"{FOLDER}/model.json"))["cycle"]["number"] == 7


@pytest.mark.parametrize("content", ["[]", "{", '{"cycle": {"started_at": 5}}', ""])
def test_a_file_of_somebody_else_is_replaced(upstream: Upstream, notify: Notify, content: str):
    """What is not ours does not stop a promotion."""
    upstream.commit({f"{FOLDER}/model.json": content})
    notify(promotion())
    assert json.loads(upstream.show(f"{FOLDER}/model.json"))["cycle"]["number"] == 7


def test_over_https(upstream: Upstream, notify: Notify, environment: dict[str, str]):
    """With a token; a wrong one is in no error."""
    upstream.git("config", "http.receivepack", "true", at=upstream.bare)
    with GitHttp(upstream.folder, environment) as server:
        url = f"{server.url}/bank.git"
        with pytest.raises(NotificationError, match="does not accept the token") as refused:
            notify(promotion(), url=url, token="glpat-OTHER")
        assert "OTHER" not in str(refused.value)
        notify(promotion(), url=url, token=TOKEN)
    assert len(tags(upstream)) == 2


def test_over_ssh(upstream: Upstream, notify: Notify, tmp_path: Path):
    """With a key."""
    with ssh_server(tmp_path / "ssh") as server:
        notify(
            promotion(),
            url=server.url(upstream.bare),
            key_file=server.key_file,
            known_hosts=server.known_hosts,
            ssh=["ssh", "-F", "none"],
        )
    assert len(tags(upstream)) == 2


def test_gto_reads_the_tags(upstream: Upstream, notify: Notify):
    """The registry of models, with nothing but git: every version, and which one is champion."""
    notify(promotion(7))
    notify(promotion(8))
    registry = run("gto", "show", "--repo", str(upstream.bare), "--json", at=upstream.bare)
    helpdesk = json.loads(registry)["helpdesk"]
    assert (helpdesk["version"], helpdesk["stage"]) == ("v0.0.2", {"champion": "v0.0.2"})


def test_dvc_shows_the_cycle(upstream: Upstream, notify: Notify, tmp_path: Path):
    """`dvc metrics diff` compares two promotions, `dvc pull` brings the promoted model."""
    run("dvc", "init", "--quiet", at=upstream.clone)
    store = str(tmp_path / "store")
    run("dvc", "remote", "add", "--quiet", "--default", "store", store, at=upstream.clone)
    upstream.commit({f"{FOLDER}/.gitignore": "*.tmp\n"})
    dvc = {"dvc": str(BESIDE / "dvc")}
    notify(promotion(7, f1=0.84), dvc_push=True, **dvc)
    with pytest.raises(NotificationError, match="remote 'none' doesn't exist"):
        notify(promotion(8, f1=0.86), dvc_push=True, dvc_remote="none", **dvc)
    notify(promotion(8, f1=0.86))
    upstream.git("pull", "--quiet")
    told = json.loads(run("dvc", "metrics", "diff", "--json", "HEAD~1", at=upstream.clone))
    assert told[f"{FOLDER}/metrics.json"]["f1_weighted"]["diff"] == pytest.approx(0.02)
    run("dvc", "pull", "--quiet", at=upstream.clone)
    assert (upstream.clone / FOLDER / "model.tar.gz").read_bytes() == b"the model"
    assert upstream.show(f"{FOLDER}/.gitignore") == "*.tmp\n/model.tar.gz"
    assert upstream.git("status", "--short") == ""
