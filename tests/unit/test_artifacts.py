"""Small files by name."""

from pathlib import Path

import pytest

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.errors import StorageError


@pytest.fixture
def artifacts(tmp_path: Path) -> FolderArtifacts:
    """A new store."""
    return FolderArtifacts(tmp_path / "artifacts")


def test_the_newest_content_is_read(artifacts: FolderArtifacts):
    """Writing again replaces, and reading gives the bytes as they were."""
    artifacts.write("manifests/one.json", b"1")
    artifacts.write("manifests/one.json", b"\0\xff")
    assert artifacts.read("manifests/one.json") == b"\0\xff"


def test_nothing_is_none(artifacts: FolderArtifacts):
    """What was never written is no error."""
    artifacts.write("one", b"1")
    assert artifacts.read("none") is None
    assert artifacts.read("one/below-a-file") is None


def test_delete_takes_files_and_folders(artifacts: FolderArtifacts):
    """A folder goes with all that is in it; deleting again does nothing."""
    for name in ("a/1", "a/b/2", "c"):
        artifacts.write(name, b"x")
    for _ in range(2):
        artifacts.delete("a")
        artifacts.delete("c")
        artifacts.delete("c/below-a-file")
    assert [artifacts.read(name) for name in ("a/1", "a/b/2", "c")] == [None, None, None]


@pytest.mark.parametrize("name", ["", ".", "/etc/passwd", "../x", "a/../../x", "a\0b"])
def test_no_name_leads_outside(artifacts: FolderArtifacts, name: str):
    """Names stay below the folder, the folder itself excluded."""
    for call in (artifacts.read, artifacts.delete, lambda n: artifacts.write(n, b"")):
        with pytest.raises(StorageError, match="is not the name"):
            call(name)


def test_what_cannot_be_written_is_an_error(artifacts: FolderArtifacts):
    """A file where a folder is needed is told as a storage error, the file untouched."""
    artifacts.write("a", b"1")
    with pytest.raises(StorageError, match="a/b"):
        artifacts.write("a/b", b"2")
    with pytest.raises(StorageError):
        artifacts.write("x" * 300, b"2")
    assert artifacts.read("a") == b"1"
