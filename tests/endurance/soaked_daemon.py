"""The daemon of the soak; argument: CONFIG. Its stand-in for Rasa leaves a log, as Rasa does."""

import os
import sys
from pathlib import Path
from typing import Any

from support.fake_training import FakeTraining, SlowRasa

from retrainer.cli.run import keep_running
from retrainer.ports import ProgressListener, Project

_LINES = 200


class LoggingRasa(SlowRasa):
    """Writes a few kB into `worker_log` with each training."""

    def __init__(self, trainings: Path, worker_log: Path) -> None:
        super().__init__(trainings, 0.0)
        self._worker_log = worker_log

    def train(
        self,
        project: Project,
        name: str,
        into: Path,
        progress: ProgressListener,
        **variant: Any,
    ) -> Path:
        """Train, and say so at length."""
        self._worker_log.parent.mkdir(parents=True, exist_ok=True)
        with self._worker_log.open("a") as log:
            log.write("Epochs: 100%\n" * _LINES)
        return super().train(project, name, into, progress, **variant)


class Soaked(FakeTraining):
    """The application with such a Rasa."""

    def rasa(self, name: str, *, folder: Path | None = None) -> SlowRasa:
        """The stand-in, with the log that the real one would have."""
        kept = folder or self.state_dir / "assistants" / name
        stamp = self.clock.now().strftime("%Y%m%d-%H%M%S-%f")
        log = kept / "cycles" / f"rasa-{stamp}-{os.getpid()}.log"
        return LoggingRasa(self.state_dir / "trainings.log", log)


if __name__ == "__main__":
    keep_running(lambda: Soaked.from_config(Path(sys.argv[1])))
