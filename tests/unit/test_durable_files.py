"""What was written before a power cut is there after it, and what was deleted is not."""

import os
from pathlib import Path

import pytest
from support.power_cut import Disk, Loss, switch_on

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.files import sync_folder, sync_tree, write_atomically
from retrainer.adapters.folders import discard, exclusive, publish, unfinished


@pytest.fixture
def disk(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    disk = Disk(tmp_path)
    with disk.watching():
        yield disk


def test_a_power_cut_loses_what_was_not_synced(tmp_path, disk):
    """The picture that the other tests rely on: contents and names count only once synced."""
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "old").rename(tmp_path / "moved")
    assert disk.left(Loss.ALL) == {"old": b"old"}
    assert disk.left(Loss.CONTENTS) == {"new": b"", "moved": b"old"}
    sync_folder(tmp_path)
    assert disk.left(Loss.ALL) == {"new": b"", "moved": b"old"}
    with (tmp_path / "new").open("rb") as file:
        os.fsync(file.fileno())
    (tmp_path / "moved").unlink()
    assert disk.left(Loss.ALL) == {"new": b"new", "moved": b"old"}
    switch_on(tmp_path, disk.left(Loss.ALL))
    assert {path.name for path in tmp_path.iterdir()} == {"new", "moved"}


@pytest.mark.parametrize("loss", [Loss.ALL, Loss.CONTENTS])
def test_an_atomic_write_stays_with_the_folders_above_it(tmp_path, disk, loss):
    """A file in a folder that nobody finds any more would be as good as lost."""
    write_atomically(tmp_path / "a" / "b" / "c.json", b"content")
    assert disk.left(loss)["a/b/c.json"] == b"content"
    write_atomically(tmp_path / "a" / "b" / "c.json", b"other")
    assert disk.left(loss)["a/b/c.json"] == b"other"


@pytest.mark.parametrize("loss", [Loss.ALL, Loss.CONTENTS])
def test_what_is_published_stays_and_what_is_discarded_goes(tmp_path, disk, loss):
    """A folder is there under its name with all that is in it, or not at all."""
    store = tmp_path / "store"
    with exclusive(store), unfinished(store) as copy:
        (copy / "data").mkdir()
        (copy / "data" / "file").write_bytes(b"content")
        publish(copy, store / "versions" / "one")
    assert disk.left(loss)["store/versions/one/data/file"] == b"content"
    with exclusive(store):
        discard(store / "versions" / "one", store)
    assert not [name for name in disk.left(loss) if name.startswith("store/versions/one")]


def test_an_artifact_that_was_deleted_stays_deleted(tmp_path, disk):
    """The record of a model that is gone must not come back without it."""
    artifacts = FolderArtifacts(tmp_path / "records")
    artifacts.write("models/one/manifest.json", b"{}")
    artifacts.delete("models/one")
    assert "records/models/one" not in disk.left(Loss.ALL)


def test_a_tree_is_synced_as_a_whole(tmp_path, disk):
    """What a child process wrote is made durable by us: files, folders and what is in those."""
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "below" / "file").write_bytes(b"content")
    sync_tree(tmp_path / "tree")
    sync_folder(tmp_path)
    assert disk.left(Loss.ALL)["tree/below/file"] == b"content"


def test_half_of_an_atomic_write_goes_with_the_next_one(tmp_path):
    """A process that was killed while it wrote leaves a hidden file, for no longer than that."""
    for name in (".c.json.half", ".other.json.half"):
        Path(tmp_path, name).write_bytes(b"hal")
    write_atomically(tmp_path / "c.json", b"content")
    assert {path.name for path in tmp_path.iterdir()} == {"c.json", ".other.json.half"}
