"""Faults of disks and of whoever reads the log.

Where this user may mount nothing, a limit on the size of the daemon's files stands for full disks:
the system refuses its writes in the same places, for all files at once.
"""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from support.fault_scenes import Scene, scene
from support.fault_suffering import Fault

from retrainer.domain.cycle import Status

_OVER = "it is over, all goes on"


@contextmanager
def full_disks(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
    """A daemon whose state, and whose log, lie on small disks of their own."""
    state, logs = folder / "state", folder / "logs"
    with ExitStack() as mounts:
        mounted = [
            mounts.enter_context(_disk(disk, megabytes))
            for disk, megabytes in ((state, 16), (logs, 1))
        ]
        said = "the disk is full" if all(mounted) else "reading or writing failed"
        fill = _filled if all(mounted) else _limited
        (folder / "daemon-2.log").symlink_to(logs / "daemon.log")
        with scene(folder, training_seconds=1.5) as it:
            yield (
                it,
                (
                    Fault(
                        *("disk full: database, artifact store", partial(fill, state)),
                        *(said, _OVER),
                        silent=not all(mounted),  # the log is on the same disk
                        closed=True,
                        allowed=(Status.FAILED, Status.ABANDONED),
                        retrains=True,
                    ),
                    Fault(
                        *("disk full: log", partial(fill, logs), "are lost"),
                        silent=True,
                        ended=_another_cycle,
                        allowed=(Status.FAILED, Status.ABANDONED),
                        retrains=not all(mounted),
                    ),
                ),
            )


@contextmanager
def _disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A small disk of its own at the folder; False: only the folder, as none may be mounted."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def _filled(disk: Path, _: Scene) -> Iterator[None]:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        for size in (1 << 16, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    yield
    filler.unlink()


@contextmanager
def _limited(_: Path, it: Scene) -> Iterator[None]:
    before = resource.prlimit(it.running.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(it.running.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(it.running.pid, resource.RLIMIT_FSIZE, before)


def _another_cycle(it: Scene) -> None:
    """Only with the next line it can be said that some before it are missing."""
    it.settle()
    it.ask()


@contextmanager
def log_pipe(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
    """A daemon whose log is read by another program."""
    folder.mkdir(parents=True)
    pipe = folder / "daemon-2.log"
    os.mkfifo(pipe)
    reader = _Reader(pipe, folder / "kept.log")
    try:
        with scene(folder, training_seconds=1.5, log=reader.kept) as it:
            yield (
                it,
                (
                    Fault("reader of the log stuck", reader.stuck),
                    Fault(
                        *("reader of the log gone", reader.gone, "are lost"),
                        silent=True,
                        ended=_another_cycle,
                    ),
                ),
            )
    finally:
        reader.end()


class _Reader:
    """A program that reads the log from a pipe, and keeps it."""

    def __init__(self, pipe: Path, kept: Path) -> None:
        self.pipe, self.kept = pipe, kept
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.kept.open("ab") as kept:
            return subprocess.Popen(["cat", self.pipe], stdout=kept)

    @contextmanager
    def stuck(self, _: Scene) -> Iterator[None]:
        self._process.send_signal(signal.SIGSTOP)
        yield
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def gone(self, _: Scene) -> Iterator[None]:
        self.end()
        yield
        self._process = self._start()

    def end(self) -> None:
        self._process.kill()
        self._process.wait(10)
