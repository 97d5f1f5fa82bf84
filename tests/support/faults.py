"""The faults of the fault matrix, each real, and the scenes in which they strike."""

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from support.fault_scenes import Fault, Scene, Suffered, scene, suffer
from support.outside_faults import names, rasa_x_platform, slack_and_git
from support.own_postgres import OwnPostgres, own_postgres
from support.postgres_proxy import PostgresProxy
from support.waiting import wait_until

from retrainer.domain.cycle import Status
from retrainer.store.tables import assistants, requests

HOUR = 3600.0
_GIVES_WAY = "tried again in"
_AHEAD = "by a clock that was ahead"
_OVER = "it is over, all goes on"


@dataclass(frozen=True)
class Group:
    """Faults that one daemon suffers one after the other; `enter` makes its scene."""

    name: str
    faults: Sequence[str]
    enter: Callable[[Path], AbstractContextManager[tuple[Scene, Sequence[Fault]]]]

    def suffer(self, folder: Path, seconds: Callable[[str], float]) -> Iterator[Suffered]:
        """Each fault in turn, for so many seconds each."""
        with self.enter(folder) as (it, faults):
            assert [fault.name for fault in faults] == list(self.faults)
            for fault in faults:
                yield suffer(it, fault, seconds(fault.name))


# --- PostgreSQL ------------------------------------------------------------------------------------


@contextmanager
def _postgres(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
    with own_postgres() as server, PostgresProxy(server.socket) as proxy:
        at = {"database": server.url, "seen_as": server.url_at(proxy.port)}
        with scene(folder, training_seconds=1.5, **at) as it:
            yield (
                it,
                (
                    Fault(
                        *("Postgres restarted", partial(_stopped, server), _GIVES_WAY, _OVER),
                        closed=True,
                        status=1,
                    ),
                    Fault(
                        *("Postgres unreachable", partial(_cut_off, proxy), _GIVES_WAY, _OVER),
                        status=1,
                    ),
                    Fault(
                        *("Postgres out of connections", partial(_full, server, proxy)),
                        *("too many clients", _OVER),
                        closed=True,
                        status=1,
                    ),
                    Fault(
                        *("commits whose answer is lost", partial(_failing_over, proxy)),
                        "whether this was written is not known",
                    ),
                ),
            )


@contextmanager
def _stopped(server: OwnPostgres, _: Scene) -> Iterator[None]:
    server.stop()
    yield
    server.start()


@contextmanager
def _cut_off(proxy: PostgresProxy, _: Scene) -> Iterator[None]:
    proxy.cut_off()
    yield
    proxy.heal()


@contextmanager
def _full(server: OwnPostgres, proxy: PostgresProxy, _: Scene) -> Iterator[None]:
    proxy.close_door()
    with server.full():
        proxy.open_door()
        yield


@contextmanager
def _failing_over(proxy: PostgresProxy, _: Scene) -> Iterator[None]:
    proxy.lose_commits(every=5)
    yield
    proxy.lose_commits(every=0)


# --- SQLite ----------------------------------------------------------------------------------------


@contextmanager
def _sqlite(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
    with scene(folder, training_seconds=1.5) as it:
        yield (
            it,
            (
                Fault(
                    *("SQLite locked by another program", _locked),
                    *("locked by another program", _OVER),
                    closed=True,
                ),
                Fault(
                    *("state folder gone", _gone),
                    "cannot be opened",
                    _OVER,
                    closed=True,
                    retrains=True,
                ),
            ),
        )


@contextmanager
def _locked(it: Scene) -> Iterator[None]:
    other = sqlite3.connect(it.home.folder / "state" / "retrainer.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.rollback()
    other.close()


@contextmanager
def _gone(it: Scene) -> Iterator[None]:
    state, away = it.home.folder / "state", it.home.folder / "away"
    state.rename(away)
    yield
    # What was made there meanwhile is not what was there.
    shutil.rmtree(state, ignore_errors=True)
    away.rename(state)


# --- the machine -----------------------------------------------------------------------------------


@contextmanager
def _machine(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
    hourly = '[assistants.shop.schedule]\nevery = "1h"'
    with scene(folder, training_seconds=1.5, more=hourly) as it:
        yield (
            it,
            (
                Fault("clock set back an hour", partial(_wrong, -1), ended=_an_hour_later),
                Fault(
                    *("clock a day ahead", partial(_wrong, 24), _AHEAD), silent=True, ended=_noticed
                ),
                Fault("daemon stopped for longer than its lease", _asleep, closed=True),
                Fault("no thread left", _without_threads, "no further thread"),
                Fault(
                    "assistant whose configuration is wrong", partial(_broken, "config"), "config"
                ),
                Fault("assistant with a bug", partial(_broken, "bug"), "this is a bug"),
            ),
        )


@contextmanager
def _wrong(hours: int, it: Scene) -> Iterator[None]:
    it.clock.set(hours=hours)
    yield
    it.clock.set()


def _noticed(it: Scene) -> None:
    """The daemon sees that the clock was ahead, and then the schedule goes on."""
    wait_until(lambda: _settled(it) <= it.clock.now(), seconds=30)
    _an_hour_later(it)


def _an_hour_later(it: Scene) -> None:
    """The schedule goes on: the next hour has its cycle."""
    before = _ticks(it)
    it.clock.pass_time(HOUR)
    wait_until(lambda: _ticks(it) > before, seconds=30)


def _settled(it: Scene) -> datetime:
    with it.reading() as connection:
        found: datetime = connection.scalars(sa.select(assistants.c.due_after)).one()
        return found


def _ticks(it: Scene) -> int:
    with it.reading() as connection:
        made = sa.select(sa.func.count()).where(requests.c.fire_time.is_not(None))
        return int(connection.scalar(made) or 0)


@contextmanager
def _asleep(it: Scene) -> Iterator[None]:
    it.running.signal(signal.SIGSTOP)
    yield
    it.running.signal(signal.SIGCONT)


@contextmanager
def _without_threads(it: Scene) -> Iterator[None]:
    it.running.signal(signal.SIGUSR1)
    yield
    it.running.signal(signal.SIGUSR2)


@contextmanager
def _broken(how: str, it: Scene) -> Iterator[None]:
    broken = it.home.folder / "broken-shop"
    broken.write_text(f"the {how} of it is wrong")
    yield
    broken.unlink()


# --- disks and logs --------------------------------------------------------------------------------


@contextmanager
def _disks(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
    state, logs = folder / "state", folder / "logs"
    with ExitStack() as mounts:
        for disk, megabytes in ((state, 16), (logs, 1)):
            mounts.enter_context(_disk(disk, megabytes))
        (folder / "daemon-2.log").symlink_to(logs / "daemon.log")
        with scene(folder, training_seconds=1.5) as it:
            yield (
                it,
                (
                    Fault(
                        *("disk full: database, artifact store", partial(_filled, state)),
                        *("full", _OVER),
                        closed=True,
                        allowed=(Status.FAILED, Status.ABANDONED),
                        retrains=True,
                    ),
                    Fault(
                        *("disk full: log", partial(_filled, logs), "are lost"),
                        silent=True,
                        ended=_another_cycle,
                    ),
                ),
            )


@contextmanager
def _disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A small disk of its own at the folder; its root has the right to mount one."""
    folder.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True
    )
    try:
        yield
    finally:
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


def _another_cycle(it: Scene) -> None:
    """Only with the next line it can be said that some before it are missing."""
    it.settle()
    it.ask()


@contextmanager
def _log_pipe(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
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


GROUPS = (
    Group(
        "PostgreSQL",
        (
            "Postgres restarted",
            "Postgres unreachable",
            "Postgres out of connections",
            "commits whose answer is lost",
        ),
        _postgres,
    ),
    Group("SQLite", ("SQLite locked by another program", "state folder gone"), _sqlite),
    Group(
        "machine",
        (
            "clock set back an hour",
            "clock a day ahead",
            "daemon stopped for longer than its lease",
            "no thread left",
            "assistant whose configuration is wrong",
            "assistant with a bug",
        ),
        _machine,
    ),
    Group("disks", ("disk full: database, artifact store", "disk full: log"), _disks),
    Group("Slack and git", (*names("Slack"), *names("git")), slack_and_git),
    Group("Rasa X", names("Rasa X"), rasa_x_platform),
    Group("log", ("reader of the log stuck", "reader of the log gone"), _log_pipe),
)
