"""How long a program takes, how much memory, and what the figures are held against.

The measuring process stays small on purpose (standard library alone): Linux counts the memory of
a parent among its child's until the child runs its own program.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = Path(__file__).resolve().parent
#: Everything that the benchmarks write.
FOLDER = REPOSITORY / "build" / "bench"

RETRAINER = Path(sys.executable).with_name("retrainer")
#: How often each side runs; the fastest run counts, being the one least disturbed by others.
REPETITIONS = 2
#: Seconds that one program may take.
_LIMIT = 3600.0
_MEGABYTE = 1 << 10  # of the kilobytes that the kernel counts in


@dataclass(frozen=True, slots=True)
class Run:
    """A program that ran: `seconds` on the clock, peak `megabytes` of its largest process."""

    seconds: float
    megabytes: float
    output: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result: ours beside Rasa's, and the target.

    `limit` is of the ratio ours/theirs, or of our own figure where `absolute`; None: no target.
    """

    name: str
    ours: float
    unit: str
    theirs: float | None = None
    limit: float | None = None
    absolute: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours as a share of theirs."""
        return None if self.theirs is None else self.ours / self.theirs

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None where there is none."""
        if self.limit is None:
            return None
        observed = self.ours if self.absolute else self.ratio
        return observed is not None and observed <= self.limit


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison: its figures, and what a reader has to know to believe them."""

    title: str
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    #: Why it was not made.
    skipped: str | None = None


def rasa_python() -> Path:
    """Rasa's interpreter: as RETRAINER_RASA__PYTHON or ..._ENVIRONMENT says, else `make`'s."""
    if given := os.environ.get("RETRAINER_RASA__PYTHON"):
        return Path(given)
    environment = os.environ.get("RETRAINER_RASA__ENVIRONMENT") or REPOSITORY / ".venv-rasa"
    return Path(environment) / "bin" / "python"


def environment() -> dict[str, str]:
    """The same for both sides: `rasa` on PATH, byte code cached, no telemetry."""
    unwanted = {"PYTHONDONTWRITEBYTECODE", "RETRAINER_CONFIG"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {
        "PATH": f"{rasa_python().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "RETRAINER_RASA__PYTHON": str(rasa_python()),
        "RASA_TELEMETRY_ENABLED": "false",
        "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def measure(
    command: Sequence[str | Path],
    *,
    folder: Path,
    extra: Mapping[str, str] | None = None,
    exit_codes: Sequence[int] = (0,),
) -> Run:
    """Run a program to its end in `folder`; its output goes to a log beside it, too.

    Ends the benchmark when the program ends with another exit code.
    """
    words = [str(word) for word in command]
    log = FOLDER / "last-command.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        started = time.perf_counter()
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment() | dict(extra or {}),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watchdog = threading.Timer(_LIMIT, _kill, [process.pid])
        watchdog.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            watchdog.cancel()
            _kill(process.pid)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    output = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode not in exit_codes:
        last = "\n".join(output.rstrip().splitlines()[-30:])
        sys.exit(f"{' '.join(words)}\nended with {process.returncode}:\n{last}")
    return Run(seconds, usage.ru_maxrss / _MEGABYTE, output)


def best(runs: Sequence[Run]) -> float:
    """Seconds of the fastest run."""
    return min(run.seconds for run in runs)


def say(text: str) -> None:
    """What goes on, on standard error; the result alone goes to standard output."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stderr.flush()


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
