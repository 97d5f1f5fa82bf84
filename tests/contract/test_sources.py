"""The contract of sources, on the fake and on the directory source."""

from pathlib import Path

import pytest
from contract.source_contract import PROJECT, SourceContract

from retrainer.adapters.directory_source import DirectorySource
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
