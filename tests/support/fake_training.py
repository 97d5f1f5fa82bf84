"""The daemon as a real process, in which Rasa alone is a stand-in, for speed.

Run as a program (CONFIG), it is `retrainer run` with models that are trained in no time:
FAKE_TRAINING_SECONDS says in how much, FAKE_TRAINING_DEAF that it cannot be cut off. Each training that begins is a line of the file
`trainings.log` in the state folder.

FAKE_CLOCK is the file of a `support.shifted_clock.Shift`. SIGUSR1 takes the possibility to start
threads, SIGUSR2 gives it back. An assistant NAME is out of order while there is a file
`broken-NAME` beside the config.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from support.shifted_clock import ShiftedClock

from retrainer.adapters.clock import SystemClock
from retrainer.cli.run import keep_running
from retrainer.errors import ConfigurationError, RasaWorkerDied
from retrainer.pipeline.world import Assistant
from retrainer.ports import ProgressListener, Project
from retrainer.testing.rasa import FakeRasa, find_project
from retrainer.wiring import Application
from retrainer.wiring.assistant import assistant_of

DEAF = "FAKE_TRAINING_DEAF"
SECONDS = "FAKE_TRAINING_SECONDS"
CLOCK = "FAKE_CLOCK"
#: Bytes of a thread's stack for which no machine has room.
_TOO_LARGE = 1 << 46


class SlowRasa(FakeRasa):
    """Takes its time to train, writes down that it did, and can be cut off as the real one can."""

    def __init__(self, log: Path, seconds: float) -> None:
        super().__init__()
        self._log, self._seconds = log, seconds
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Cut the training off, unless it was made deaf to that."""
        if DEAF not in os.environ:
            self._cancelled.set()

    def train(
        self,
        project: Project,
        name: str,
        into: Path,
        progress: ProgressListener,
        **variant: Any,
    ) -> Path:
        """Train, after a while."""
        if not (into / f"{name}.tar.gz").exists():
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a") as log:
                log.write(f"{name}\n")
            if self._cancelled.wait(self._seconds):
                raise RasaWorkerDied("the Rasa worker was killed by SIGKILL")
        return super().train(project, name, into, progress, **variant)


@dataclass(frozen=True)
class FakeTraining(Application):
    """The application with a SlowRasa; everything else of it is real."""

    @cached_property
    def clock(self) -> SystemClock:
        """The system's, as the test has shifted it."""
        return ShiftedClock(Path(os.environ[CLOCK])) if CLOCK in os.environ else SystemClock()

    def rasa(self, name: str, *, folder: Path | None = None) -> SlowRasa:  # type: ignore[override]
        """The stand-in."""
        del name, folder
        seconds = float(os.environ.get(SECONDS, "0"))
        return SlowRasa(self.state_dir / "trainings.log", seconds)

    def assistant(self, name: str) -> Assistant:
        """As configured; without looking for an interpreter."""
        if (broken := self.config.with_name(f"broken-{name}")).exists():
            raise _error(broken.read_text())
        settings = self.settings.assistants[name]
        return assistant_of(name, settings, self.policy(name), "3.6.21")

    def project_finder(self, name: str) -> Callable[[Path], Project]:
        """The layout of the stand-in's projects."""
        del name
        return find_project


def _error(words: str) -> Exception:
    """What is wrong with a broken assistant, as retrainer would say it or as a plugin may."""
    return ConfigurationError(words, tip="mend it") if "config" in words else KeyError(words)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda *_: threading.stack_size(_TOO_LARGE))
    signal.signal(signal.SIGUSR2, lambda *_: threading.stack_size(0))
    keep_running(lambda: FakeTraining.from_config(Path(sys.argv[1])))
