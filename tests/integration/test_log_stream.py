"""A log whose reader hangs, went away, or whose disk is full; and journald's."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import pytest
from support.waiting import wait_until

from retrainer.adapters.logs import configure

LOG = logging.getLogger("retrainer.test")
#: More than wait to be written and stand in a pipe together.
MANY = 5000
LONG = "x" * 200


@pytest.fixture
def logging_to() -> Iterator[Callable[..., Callable[[], None]]]:
    """Starts the log; what it returns ends it, with all written that can be."""
    undone: list[Callable[[], None]] = []

    def start(stream: TextIO, kind: str = "json", **given: Any) -> Callable[[], None]:
        undone.append(configure(kind, stream, **({"environment": {}} | given)))
        return undone[-1]

    yield start
    for undo in reversed(undone):
        undo()


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def log_many() -> float:
    """The seconds that it takes."""
    begun = time.monotonic()
    for number in range(MANY):
        LOG.info("%s %s", number, LONG)
    return time.monotonic() - begun


def test_a_reader_that_hangs_stops_nobody(tmp_path, logging_to):
    """Behind a stopped reader one line waits a second, the others none; then all goes on."""
    out = tmp_path / "out"
    with (
        out.open("wb") as kept,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=kept, text=True) as reader,
    ):
        assert reader.stdin is not None
        end = logging_to(reader.stdin)
        LOG.info("first")
        wait_until(lambda: out.stat().st_size > 0, seconds=10)
        reader.send_signal(signal.SIGSTOP)
        try:
            waited = log_many()
        finally:
            reader.send_signal(signal.SIGCONT)
        wait_until(lambda: f'"{MANY // 5} {LONG}"' in out.read_text(), seconds=10)
        LOG.info("last")
        end()
    first, *told, notice, last = objects(out.read_text())
    assert 0.9 < waited < 5
    assert (first["message"], last["message"]) == ("first", "last")
    assert [line["message"].split()[0] for line in told] == [str(n) for n in range(len(told))]
    assert notice["level"] == "warning"
    assert notice["message"] == (
        f"lines of the log that could not be written, and are lost: {MANY - len(told)}"
    )


def test_the_end_does_not_wait_for_a_reader_that_hangs():
    """A service that is told to stop ends, whatever became of the reader of its log."""
    code = (
        "import logging, sys\n"
        "from retrainer.adapters.logs import configure\n"
        "configure('json', sys.stderr)\n"
        f"for n in range({MANY}): logging.getLogger('retrainer').info('%s {LONG}', n)\n"
        "print('done', flush=True)\n"
    )
    begun = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as child:
        try:
            assert child.wait(30) == 0
        finally:
            child.kill()
        assert child.stdout is not None
        assert child.stdout.read() == b"done\n"
    assert time.monotonic() - begun < 15


def test_the_last_lines_before_the_end_are_written():
    """What was logged right before the end is not lost with it."""
    code = (
        "import logging, sys\n"
        "from retrainer.adapters.logs import configure\n"
        "configure('json', sys.stderr)\n"
        "for n in range(500): logging.getLogger('retrainer').info('%s', n)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=Path(__file__).parents[2],
    )
    assert [line["message"] for line in objects(done.stderr)] == [str(n) for n in range(500)]


def test_a_reader_that_went_away_stops_nobody(logging_to, capfd):
    """A closed pipe costs the log, and nothing else; no traceback is printed, no signal ends us."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as here:
        end = logging_to(here)
        os.close(reading)
        assert log_many() < 5
    LOG.info("into a closed file")
    end()
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_stops_nobody(logging_to, capfd):
    """A log that cannot be written is no reason to stop training."""
    with Path("/dev/full").open("w") as full:
        end = logging_to(full)
        assert log_many() < 5
        end()
    assert capfd.readouterr() == ("", "")


def test_a_line_that_was_cut_off_ends_before_the_next(tmp_path):
    """Of a full disk, half a line does not spoil the one that follows when there is room again."""
    path = tmp_path / "log"
    code = (
        "import logging, resource, signal, sys\n"
        "from retrainer.adapters.logs import configure\n"
        "log = logging.getLogger('retrainer')\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "def log_with(size, *words):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))\n"
        "    end = configure('json', sys.stderr)\n"
        "    for word in words: log.info(word)\n"
        "    return end\n"
        "end = log_with(1000, 'whole', 'y' * 2000, 'gone')\n"
        "import time; time.sleep(0.3)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "log.info('whole again')\n"
        "end()\n"
    )
    with path.open("w") as stream:
        subprocess.run(
            [sys.executable, "-c", code],
            stderr=stream,
            check=True,
            timeout=30,
            cwd=Path(__file__).parents[2],
        )
    whole, cut, notice, again = path.read_text().splitlines()
    assert json.loads(whole)["message"] == "whole"
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(cut)
    assert json.loads(notice)["message"].endswith("lost: 2")
    assert json.loads(again)["message"] == "whole again"


def test_journald_is_told_the_priority(logging_to):
    """Journald learns what is a warning, line by line, where JOURNAL_STREAM names this stream."""
    there, here = socket.socketpair()
    with there, here, here.makefile("w") as stream:
        found = os.fstat(here.fileno())
        journal = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        logging_to(stream, environment=journal)
        LOG.info("usual")
        LOG.error("bad")
        logging_to(stream, "human", environment=journal)
        LOG.warning("two\nlines")
        logging_to(stream, environment={"JOURNAL_STREAM": f"{found.st_dev}:1"})()
        logging_to(stream, environment={})
        LOG.warning("elsewhere")
        logging_to(stream)()
        lines = there.recv(65_536).decode().splitlines()
    assert [line[:3] for line in lines] == ["<6>", "<3>", "<4>", "<4>", '{"t']
    assert json.loads(lines[0][3:])["message"] == "usual"
    assert lines[3] == "<4>  lines"


def test_a_terminal_that_was_stopped_stops_nobody(logging_to):
    """Ctrl-S, or a frozen terminal program, holds up the screen and not the service."""
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal:
        end = logging_to(terminal, "auto")
        assert log_many() < 5
        assert b"0 xxx" in os.read(master, 1000)
        os.close(master)
        end()


def test_a_reload_leaves_no_thread_behind(logging_to, tmp_path):
    """However often the configuration is read again, one thread writes, to one descriptor."""
    with (tmp_path / "log").open("w") as stream:
        end = logging_to(stream)
        threads = threading.active_count()
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        for number in range(20):
            end = logging_to(stream)
            LOG.info("%s", number)
        wait_until(lambda: threading.active_count() == threads, seconds=10)
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
        end()
    assert [line["message"] for line in objects((tmp_path / "log").read_text())] == [
        str(number) for number in range(20)
    ]


def test_lines_of_many_threads_do_not_mix(tmp_path, logging_to):
    """Each line is whole, however many threads and however long the lines."""
    path = tmp_path / "log"
    with path.open("w") as stream:
        end = logging_to(stream)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: LOG.info("%s %s", n, "x" * 3900), range(400)))
        end()
    assert {line["message"].split()[0] for line in objects(path.read_text())} == {
        str(number) for number in range(400)
    }
