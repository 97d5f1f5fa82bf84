"""Data in DVC, with real DVC and a storage in a folder."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from contract.source_contract import files_below
from support.git_servers import Upstream, isolate

from retrainer.adapters.git.source import GitSource
from retrainer.domain.cycle import Origin
from retrainer.errors import ProjectError, RetrainerError, ServerError

DVC = Path(sys.executable).with_name("dvc")
PROJECT = {"config.yml": "language: en\n", "domain.yml": "intents: []\n"}
DATA = {"data/nlu.yml": "nlu: []\n", "data/many/a.yml": "a", "data/many/b.yml": "b"}
PIPELINE = """\
stages:
  train:
    cmd: "true"
    params:
    - epochs
    - settings/more.json:
"""


def dvc(upstream: Upstream, *words: str) -> None:
    subprocess.run([DVC, *words], cwd=upstream.clone, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose training data is in DVC, made once; DVC takes a second a command."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in isolate(folder / "home").items():
            environment.setenv(name, value)
        environment.setenv("DVC_NO_ANALYTICS", "1")
        environment.setenv("DVC_SITE_CACHE_DIR", str(folder / "site"))
        upstream = Upstream(folder / "server")
        upstream.commit(
            {**PROJECT, "params.yaml": "epochs: 5\n", "settings/more.json": '{"lr": 0.5}'}
        )
        dvc(upstream, "init", "--quiet")
        dvc(upstream, "remote", "add", "--quiet", "--default", "store", str(folder / "store"))
        for name, text in {**DATA, "model.bin": "a large model"}.items():
            (upstream.clone / name).parent.mkdir(parents=True, exist_ok=True)
            (upstream.clone / name).write_text(text)
        dvc(upstream, "add", "--quiet", "data/nlu.yml", "data/many", "model.bin")
        dvc(upstream, "push", "--quiet")
        upstream.commit({"dvc.yaml": PIPELINE})
    return folder


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own for git and DVC."""
    for name, value in isolate(tmp_path / "home").items():
        monkeypatch.setenv(name, value)


def pull(prepared: Path, tmp_path: Path, **options: object) -> tuple[Origin, dict[str, str]]:
    into = tmp_path / "into"
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    url = prepared / "server" / "bank.git"
    chosen = GitSource.Options.model_validate({"url": str(url), "dvc": str(DVC), **options})
    source = GitSource.from_options(chosen, folder=tmp_path, cache=tmp_path / "cache")
    (origin,) = source.pull(into)
    return origin, files_below(into)


def test_the_data_comes_and_the_parameters_are_recorded(prepared: Path, tmp_path: Path):
    """Files and folders of the project come from DVC's storage, and nothing else does."""
    origin, files = pull(prepared, tmp_path)
    assert files == {**PROJECT, **DATA}
    assert origin.details["params.yaml"] == "epochs=5"
    assert origin.details["settings/more.json"] == "lr=0.5"
    stored = [p for p in (tmp_path / "cache" / "dvc").rglob("*") if p.is_file()]
    assert b"a large model" not in [path.read_bytes() for path in stored]
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["gitconfig"]
    again = pull(prepared, tmp_path)
    assert again == (origin, files)


def test_data_that_is_not_stored_is_named(prepared: Path, tmp_path: Path):
    """Somebody forgot `dvc push`, or the storage is elsewhere."""
    (prepared / "store").rename(prepared / "away")
    try:
        with pytest.raises(
            ProjectError, match=r"DVC: fetching the data failed.*data/nlu\.yml"
        ) as e:
            pull(prepared, tmp_path)
    finally:
        (prepared / "away").rename(prepared / "store")
    assert "dvc push" in (e.value.tip or "")


def test_an_unknown_remote(prepared: Path, tmp_path: Path):
    """It is named, with the option."""
    with pytest.raises(ProjectError, match="remote 'none' doesn't exist") as failed:
        pull(prepared, tmp_path, dvc_remote="none")
    assert "dvc_remote" in (failed.value.tip or "")


def test_dvc_is_not_installed(prepared: Path, tmp_path: Path):
    """It is said what for it is needed, and how to do without; then only git's files come."""
    with pytest.raises(ProjectError, match="has data in DVC, and no-dvc could not be") as failed:
        pull(prepared, tmp_path, dvc="no-dvc")
    assert "install dvc" in (failed.value.tip or "")
    assert pull(prepared, tmp_path, dvc="")[1] == PROJECT


def test_a_storage_that_hangs_is_cut_off(prepared: Path, tmp_path: Path):
    """With all that DVC started."""
    slow = tmp_path / "dvc"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(ServerError, match="took longer than 1 s"):
        pull(prepared, tmp_path, dvc=str(slow), timeout=1)


@pytest.mark.parametrize(
    "broken", [{".dvc/config": "[[[x"}, {".dvc/config": "", "dvc.yaml": "stages: 5\n"}]
)
def test_a_broken_project(prepared: Path, tmp_path: Path, broken: dict[str, str]):
    """What is wrong is said, by DVC itself or before it is asked."""
    clone = Upstream(tmp_path / "server")
    clone.commit({**PROJECT, "data/nlu.yml.dvc": "outs: []\n", **broken})
    with pytest.raises(RetrainerError, match=r"DVC: .* failed: .*dvc.yaml|\.dvc/config holds"):
        pull(prepared, tmp_path, url=str(clone.bare))


def test_a_project_cannot_lead_dvc_elsewhere(prepared: Path, tmp_path: Path):
    """Its `.dvc` is a folder of its own, or nothing is written into it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    clone = Upstream(tmp_path / "server")
    (clone.clone / ".dvc").symlink_to(outside)
    clone.commit({**PROJECT, "data/nlu.yml.dvc": "outs: []\n"})
    with pytest.raises(ProjectError, match="is not a folder"):
        pull(prepared, tmp_path, url=str(clone.bare))
    assert list(outside.iterdir()) == []


def test_data_is_never_written_through_a_link(prepared: Path, tmp_path: Path):
    """A folder of the project that leads out of it gets nothing of what DVC has stored."""
    outside = tmp_path / "outside"
    outside.mkdir()
    clone = Upstream(tmp_path / "server")
    (clone.clone / "data").symlink_to(outside)
    digest = hashlib.md5(DATA["data/nlu.yml"].encode()).hexdigest()
    out = f"path: data/nlu.yml\n      hash: md5\n      md5: {digest}\n      size: 8"
    clone.commit(
        {
            **PROJECT,
            ".dvc/config": f"[core]\nremote = s\n['remote \"s\"']\nurl = {prepared / 'store'}\n",
            "dvc.yaml": 'stages:\n  make:\n    cmd: "true"\n    outs: [data/nlu.yml]\n',
            "dvc.lock": f'schema: "2.0"\nstages:\n  make:\n    cmd: "true"\n    outs:\n    - {out}\n',
        }
    )
    with pytest.raises(RetrainerError, match=r"DVC|leads out of the project"):
        pull(prepared, tmp_path, url=str(clone.bare))
    assert list(outside.iterdir()) == []
