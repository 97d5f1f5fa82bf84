"""The contract of sources, on the fake and on each real adapter."""

from pathlib import Path

import pytest
from contract.source_contract import PROJECT, SourceContract
from support.git_servers import Upstream, isolate

from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.git.source import GitSource
from retrainer.ports import DataSource
from retrainer.testing.sources import FakeSource


class TestFakeSource(SourceContract):
    """The fake that other tests rely on."""

    @pytest.fixture
    def source(self) -> DataSource:
        """A fake with the project."""
        return FakeSource(PROJECT)

    @pytest.fixture
    def empty_source(self) -> DataSource:
        """A fake with nothing."""
        return FakeSource({})


class TestDirectorySource(SourceContract):
    """The source that copies a folder, as wiring makes it."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> DataSource:
        """A folder with the project, and with files that are none of it."""
        notes = {"README.md": "-", "models/old.tar.gz": "-", "data/.nlu.yml.swp": "-"}
        for name, text in {**PROJECT, **notes}.items():
            path = tmp_path / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        return DirectorySource.from_options(
            DirectorySource.Options(path=Path("project")), folder=tmp_path, cache=tmp_path / "cache"
        )

    @pytest.fixture
    def empty_source(self, tmp_path: Path) -> DataSource:
        """A folder with nothing."""
        (tmp_path / "empty").mkdir()
        return DirectorySource(tmp_path / "empty")


class TestGitSource(SourceContract):
    """The source that takes a commit of a repository, as wiring makes it."""

    @pytest.fixture
    def upstream(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upstream:
        """A repository, and a git without the user's settings."""
        for name, value in isolate(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        return Upstream(tmp_path / "server")

    @staticmethod
    def _source(upstream: Upstream, here: Path, **options: str) -> DataSource:
        chosen = GitSource.Options.model_validate({"url": str(upstream.bare), **options})
        return GitSource.from_options(chosen, folder=here, cache=here / "cache")

    @pytest.fixture
    def source(self, upstream: Upstream, tmp_path: Path) -> DataSource:
        """A repository with the project in a folder, and with files that are none of it."""
        notes = {"README.md": "-", "bot/models/old.tar.gz": "-", "bot/data/.nlu.yml.swp": "-"}
        upstream.commit({**{f"bot/{name}": text for name, text in PROJECT.items()}, **notes})
        return self._source(upstream, tmp_path, folder="bot")

    @pytest.fixture
    def empty_source(self, upstream: Upstream, tmp_path: Path) -> DataSource:
        """A repository without a commit."""
        return self._source(upstream, tmp_path)
