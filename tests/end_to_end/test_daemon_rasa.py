"""The daemon with real Rasa, and what `retrainer status` says of it, from its start to its end."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.commands import TIMEOUT, Workplace, kill_all, utterances
from support.waiting import assert_gone, wait_until

pytestmark = [pytest.mark.end_to_end, pytest.mark.rasa]


class Running:
    """A `retrainer run` of a workplace, whose log goes to a file."""

    def __init__(self, place: Workplace, process: subprocess.Popen[str]) -> None:
        self.place, self.process = place, process

    def status(self) -> str:
        """What a person sees."""
        return self.place.run("status").out

    def wait_for(self, words: str) -> str:
        """Wait until the status holds these words."""
        seen = [""]

        def said() -> bool:
            assert self.process.poll() is None, "the daemon has ended"
            seen[0] = self.status()
            return words in seen[0]

        wait_until(said, seconds=TIMEOUT)
        return seen[0]

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT)


@contextmanager
def daemon(place: Workplace) -> Iterator[Running]:
    """The daemon, ended as a whole when the test is over."""
    process = place.start("run", "--log-format", "human")
    try:
        yield Running(place, process)
    finally:
        kill_all(process)


@pytest.fixture
def place(tmp_path: Path, rasa_python: Path) -> Workplace:
    return Workplace.make(tmp_path, rasa_python)


def test_the_life_of_a_daemon(place: Workplace):
    """Stopped in a training, killed in the next one, told to read its configuration, and stopped.

    Whatever happened, each cycle that was asked for is done once, and the status says how it is.
    """
    assert "none runs" in place.run("trigger", "shop").err + place.run("status").out
    with daemon(place) as first:
        told = first.wait_for("cycle 1: train")
        assert " leads, since" in told
        workers = place.workers()
        assert workers
        assert first.stop() == 0
        assert_gone(workers)
    assert "cycle 1 was interrupted at train" in place.run("status").out

    with daemon(place) as second:
        told = second.wait_for("cycle 1 of ")
        assert "PROMOTED" in told
        assert [row["resumed"] for row in place.history()] == [1]
        place.write(utterances(12))
        place.run("trigger", "shop", "--note", "two more colours")
        second.wait_for("cycle 2: train")
        workers = place.workers()
        os.kill(second.process.pid, signal.SIGKILL)
        assert_gone(workers)
    assert "gives no sign of life" in place.run("status").out

    with daemon(place) as third:
        third.wait_for("cycle 2 of ")
        config = place.folder / "retrainer.toml"
        schedule = '[assistants.shop.schedule]\ncron = "0 3 * * *"\n'
        config.write_text(config.read_text() + schedule)
        third.process.send_signal(signal.SIGHUP)
        third.wait_for("next")
        place.run("pause", "shop", "--reason", "holidays")
        assert "holidays" in third.status()
        assert third.stop() == 0
    champion = place.champion()
    rows = place.history()
    assert [row["status"] for row in rows] == ["completed", "completed"]
    assert [row["resumed"] for row in rows] == [1, 1]
    assert champion in {row["challenger"] for row in rows}


def test_a_rasa_worker_that_is_killed_costs_its_cycle_alone(place: Workplace):
    """The cycle fails and says so, the daemon lives, and the next cycle trains."""
    with daemon(place) as running:
        place.run("trigger", "shop")
        running.wait_for("cycle 1: train")
        for worker in place.workers():
            os.kill(worker, signal.SIGKILL)
        running.wait_for("cycle 1 of ")
        (row,) = place.history()
        assert (row["status"], row["failed_step"]) == ("failed", "train")
        assert "was killed by SIGKILL" in row["error"]
        place.run("trigger", "shop")
        assert "PROMOTED" in running.wait_for("cycle 2 of ")
        assert running.stop() == 0
