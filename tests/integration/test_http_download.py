"""Downloads: the whole file or none, in time and in little memory."""

import gc
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from support.children import python
from support.http_clients import failure
from support.http_server import LOST, SLOW, Exchange, http_server, sends
from support.waiting import wait_until

from retrainer.adapters.http.client import Http
from retrainer.errors import StorageError


@pytest.fixture
def server():
    """A server that says ok."""
    with http_server(sends(200, b"ok")) as running:
        yield running


@pytest.fixture
def http(server):
    """A client of it."""
    with Http(server.url) as client:
        yield client


def names(folder: Path) -> list[str]:
    """What is in the folder, hidden files too."""
    return [path.name for path in folder.iterdir()]


def test_a_download_replaces_the_file(server, http, tmp_path):
    """All of it, and nothing beside it."""
    into = tmp_path / "model.tar.gz"
    into.write_bytes(b"old and longer")
    server.answers = [sends(200, b"new", ETag='"1"')]
    answer = http.download("/x", into, limit=5, headers={"If-None-Match": '"0"'})
    assert (answer.status, answer.body, answer.headers["ETag"]) == (200, b"", '"1"')
    assert into.read_bytes() == b"new"
    assert names(tmp_path) == ["model.tar.gz"]
    assert server.asked[0].headers["If-None-Match"] == '"0"'


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 500])
def test_what_is_not_the_file_is_not_written(server, http, tmp_path, status):
    """An error is never taken for a model, and the earlier file stays."""
    into = tmp_path / "model.tar.gz"
    into.write_bytes(b"old")
    body = b"" if status in (204, 304) else b"no"
    server.answers = [sends(status, body)]
    answer = http.download("/x", into, limit=5)
    assert (answer.status, answer.body) == (status, body)
    assert into.read_bytes() == b"old"
    assert names(tmp_path) == ["model.tar.gz"]


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: lost.__name__)
def test_a_download_that_was_cut_off_begins_anew(server, http, tmp_path, lost):
    """A lost connection is one of the server, not of the disk, and half a file is none."""
    into = tmp_path / "file"
    server.answers = [lost, sends(200, b"new")]
    http.download("/x", into, limit=5)
    assert into.read_bytes() == b"new"
    assert len(server.asked) == 2


@pytest.mark.parametrize("slow", SLOW, ids=lambda slow: slow.__name__)
def test_a_download_that_was_given_up_leaves_nothing(server, http, tmp_path, slow):
    """The deadline holds, and the earlier file stays."""
    into = tmp_path / "file"
    into.write_bytes(b"old")
    server.answers = [slow]
    begun = time.monotonic()
    failure(http.download, "/x", into, limit=0.4)
    assert time.monotonic() - begun < 1.0
    assert into.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_download_that_was_given_up_stays_away_from_the_next(server, http, tmp_path):
    """An answer that comes after the deadline does not get into the file of the next try."""
    into, late = tmp_path / "file", threading.Event()

    def answers_late(exchange: Exchange) -> None:
        late.wait(20)
        exchange.send(200, b"late" * 1000)

    server.answers = [answers_late, sends(200, b"new")]
    failure(http.download, "/x", into, limit=0.3)
    http.download("/x", into, limit=5)
    late.set()
    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "http"], seconds=5)
    assert into.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_a_large_download_needs_little_memory(server, http, tmp_path):
    """A model of any size goes to disk a piece at a time."""

    def large(exchange: Exchange) -> None:
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
        for _ in range(1600):
            exchange.write(bytes(65536))

    server.answers = [large]
    gc.collect()
    tracemalloc.start()
    try:
        http.download("/x", tmp_path / "file", limit=60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "file").stat().st_size == 104857600
    assert peak < 10_000_000


def test_a_place_that_cannot_be_written_is_a_storage_error(server, http, tmp_path):
    """A full disk is no fault of the server; it is not even asked."""
    with pytest.raises(StorageError, match="missing/file failed: No such file"):
        http.download("/x", tmp_path / "missing" / "file", limit=5)
    assert server.asked == []


def test_a_full_disk_is_a_storage_error(server, tmp_path):
    """The download ends at once, is not tried again, and leaves nothing of itself."""
    server.answers = [sends(200, bytes(3_000_000))]
    code = """
import resource, sys
from pathlib import Path
from retrainer.adapters.http.client import Http
from retrainer.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
try:
    Http(URL).download("/x", Path(sys.argv[1]), limit=10)
except StorageError as error:
    print(error)
"""
    with python(f"URL = {server.url!r}\n{code}", tmp_path / "file") as child:
        said, errors = child.communicate(timeout=30)
    assert errors == ""
    assert said == f"writing {tmp_path / 'file'} failed: File too large\n"
    assert names(tmp_path) == []
    assert len(server.asked) == 1
