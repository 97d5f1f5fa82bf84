"""A daemon whose Rasa worker is killed at a step, or that is killed while its worker works."""

import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from support.crash_points import Crash, CrashingApplication, Plot
from support.waiting import assert_gone
from support.worker_double import write_interpreter

from retrainer.adapters.rasa_client import RasaClient
from retrainer.cli.run import keep_running
from retrainer.ports import ModelDescription
from retrainer.testing.rasa import FakeRasa

#: Steps for which Rasa is asked something.
ASKING = ("validate", "split", "train", "evaluate")
_LONGEST = 30


class _Client(RasaClient):
    def describe(self, archive: Path) -> ModelDescription:
        return FakeRasa().describe(archive)  # the models are those of the double


@dataclass(frozen=True)
class _WorkerApplication(CrashingApplication):
    def rasa(self, name: str, *, folder: Path | None = None) -> RasaClient:  # type: ignore[override]
        """The real client of a double."""
        kept = folder or self.state_dir / "assistants" / name
        log = kept / "cycles" / f"rasa-{os.getpid()}.log"
        python = write_interpreter(self.config.parent)
        return _Client(python=python, cache=kept / "rasa-cache", log=log)


def run_daemon_with_worker(
    config: Path, environment: Mapping[str, str], victim: str, step: str, moment: str
) -> None:
    """Be a daemon; the `victim`, it or its worker, is killed there.

    `inside` a step for which Rasa is asked something, that is while the worker is at work.
    """
    log = os.open(config.parent / "daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(environment)
    busy = config.parent / "busy"

    def kill() -> None:
        killed = [os.getpid()] if victim == "daemon" else _children()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        assert_gone(killed)

    def kill_when_busy() -> None:
        busy.unlink(missing_ok=True)

        def wait() -> None:
            end = time.monotonic() + _LONGEST
            while not busy.exists() and time.monotonic() < end:
                time.sleep(0.01)
            kill()

        threading.Thread(target=wait, daemon=True).start()

    is_busy = moment == "inside" and step in ASKING
    moment = "before" if moment == "inside" else moment
    plot = Plot(Crash(step, moment), kill_when_busy if is_busy else kill)
    loaded = _WorkerApplication.from_config(config)
    keep_running(lambda: replace(loaded, plot=plot))


def _children() -> list[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def workers_of(folder: Path) -> list[int]:
    """Worker processes that work for the household in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            ended = b"State:\tZ" in (process / "status").read_bytes()
        except OSError:
            continue
        if not ended and f"RASA_CACHE_DIRECTORY={folder}/".encode() in environment:
            found.append(int(process.name))
    return found
