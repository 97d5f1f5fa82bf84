"""Content-addressed copies of a project."""

from pathlib import Path

import pytest

from retrainer.adapters.snapshots import FolderSnapshots
from retrainer.domain.cycle import Snapshot
from retrainer.errors import ProjectError, StorageError
from retrainer.testing.sources import FakeSource


@pytest.fixture
def snapshots(tmp_path: Path) -> FolderSnapshots:
    """A new store."""
    return FolderSnapshots(tmp_path / "snapshots")


def kept(tmp_path: Path) -> list[str]:
    """What is visible in the store's folder."""
    return sorted(p.name for p in (tmp_path / "snapshots").iterdir() if p.name != ".lock")


def test_a_snapshot_holds_what_was_pulled(snapshots: FolderSnapshots):
    """Names, origin and content are those of the source."""
    snapshot = snapshots.take(FakeSource({"b.yml": "2", "a/c.yml": "1"}, origin="here"))
    assert snapshot.files == ("a/c.yml", "b.yml")
    assert snapshot.origin == "here"
    assert (snapshots.folder(snapshot) / "a" / "c.yml").read_text() == "1"


def test_the_same_content_is_kept_once(snapshots: FolderSnapshots, tmp_path: Path):
    """A night on which nothing changed leaves nothing behind, whatever the origin is called."""
    first = snapshots.take(FakeSource({"a.yml": "1"}))
    again = snapshots.take(FakeSource({"a.yml": "1"}, origin="elsewhere"))
    assert first.digest == again.digest
    assert kept(tmp_path) == [first.digest]


def test_any_change_is_another_snapshot(snapshots: FolderSnapshots):
    """Content and names count, and neither can pass for the other."""
    variants = [{"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": ""}, {"a/b": "1"}, {"A": "1"}]
    digests = {snapshots.take(FakeSource(files)).digest for files in variants}
    assert len(digests) == len(variants)


def test_the_digest_is_for_ever(snapshots: FolderSnapshots):
    """Recorded digests stay comparable: the way to compute them never changes."""
    snapshot = snapshots.take(FakeSource({"config.yml": "language: en\n", "data/nlu.yml": "x"}))
    assert snapshot.digest == "cc7e69b16b698402403d7a1af632036400f07a728e7f5e36a0358704b13fcdfb"


@pytest.mark.parametrize("name", ["a.yml", "new.yml"])
def test_a_changed_snapshot_is_refused(snapshots: FolderSnapshots, name: str):
    """A verdict is never about other data than the recorded ones."""
    snapshot = snapshots.take(FakeSource({"a.yml": "1"}))
    (snapshots.folder(snapshot) / name).write_text("changed")
    with pytest.raises(StorageError, match="was changed"):
        snapshots.folder(snapshot)
    healed = snapshots.take(FakeSource({"a.yml": "1"}))
    assert (snapshots.folder(healed) / "a.yml").read_text() == "1"


def test_a_missing_snapshot_is_refused(snapshots: FolderSnapshots):
    """A snapshot that was deleted is named."""
    with pytest.raises(StorageError, match="is gone"):
        snapshots.folder(Snapshot("0" * 64, (), "nowhere"))


def test_sweep_keeps_what_is_named(snapshots: FolderSnapshots, tmp_path: Path):
    """Only snapshots are deleted, and only those that nobody needs."""
    taken = [snapshots.take(FakeSource({"a": str(n)})).digest for n in range(3)]
    (tmp_path / "snapshots" / "notes").mkdir()
    snapshots.sweep([taken[1]])
    assert kept(tmp_path) == sorted([taken[1], "notes"])


def test_a_failed_pull_leaves_nothing(snapshots: FolderSnapshots, tmp_path: Path):
    """What a failing source wrote is gone, and its error arrives as it is."""
    source = FakeSource({"a": "1"})
    source.failure = ProjectError("unreachable")
    with pytest.raises(ProjectError, match="unreachable"):
        snapshots.take(source)
    assert kept(tmp_path) == []


def test_leftovers_of_a_crash_are_swept(snapshots: FolderSnapshots, tmp_path: Path):
    """A half-written snapshot of a killed process is gone after the next one is taken."""
    (tmp_path / "snapshots" / ".unfinished-abc").mkdir(parents=True)
    snapshot = snapshots.take(FakeSource({"a": "1"}))
    assert kept(tmp_path) == [snapshot.digest]
