"""What killed processes leave in temporary folders, and who deletes it."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from retrainer.adapters.temporary import TemporaryFolder
from retrainer.rasa_worker import training_cache

HOLD = """
import sys
from retrainer.adapters.temporary import TemporaryFolder
folder = TemporaryFolder("test")
(folder.path / "content").write_text("x")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The system's temporary folder, for this test alone."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before, tempfile.tempdir = tempfile.tempdir, None
    yield tmp_path
    tempfile.tempdir = before


def age(folder: Path) -> None:
    earlier = time.time() - 120
    os.utime(folder, (earlier, earlier))


def test_what_a_killed_process_left_is_swept(place):
    """A folder goes with the next of its kind once its process is dead, and never before."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        held = Path(process.stdout.readline().strip())
        age(held)
        with TemporaryFolder("test") as own:
            assert {path.name for path in place.iterdir()} == {held.name, own.name}
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert (held / "content").exists()
    with TemporaryFolder("other"):
        assert held.exists()
    with TemporaryFolder("test") as own:
        assert list(place.iterdir()) == [own]
    assert list(place.iterdir()) == []


def test_what_is_new_or_not_ours_is_left(place):
    """A folder that is being made has no lock yet; links and files of that name are others'."""
    new = Path(tempfile.mkdtemp(prefix="retrainer-test-"))
    file, link = place / "retrainer-test-file", place / "retrainer-test-link"
    file.write_text("")
    age(file)
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("")
    link.symlink_to(elsewhere)
    age(elsewhere)
    with TemporaryFolder("test"):
        assert new.exists()
        assert file.exists()
        assert (elsewhere / "kept").exists()


def test_results_that_no_training_finished_are_swept(tmp_path, monkeypatch):
    """What Rasa's cache does not know is deleted when it is a day old, and nothing else."""
    monkeypatch.setenv("RASA_CACHE_DIRECTORY", str(tmp_path))
    training_cache.sweep()  # there is no cache yet
    with closing(sqlite3.connect(tmp_path / "cache.db")) as database, database:
        database.execute("CREATE TABLE cache_entry (result_location TEXT)")
        rows = [(str(tmp_path / "known"),), (None,)]
        database.executemany("INSERT INTO cache_entry VALUES (?)", rows)
    for name in ("known", "left"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text("x")
    hour = 3600.0
    training_cache.sweep(time.time() + 23 * hour)
    assert (tmp_path / "left").exists()
    training_cache.sweep(time.time() + 25 * hour)
    assert {path.name for path in tmp_path.iterdir()} == {"cache.db", "known"}


def test_a_cache_that_is_broken_is_left_alone(tmp_path, monkeypatch):
    """Whatever is wrong with it, Rasa says; nothing is deleted."""
    monkeypatch.setenv("RASA_CACHE_DIRECTORY", str(tmp_path))
    (tmp_path / "cache.db").write_text("no database at all")
    (tmp_path / "left").mkdir()
    training_cache.sweep(time.time() + 1e9)
    assert (tmp_path / "left").exists()
