"""The faults of the fault matrix, each real, and the scenes in which they strike."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support.disk_faults import full_disks, log_pipe
from support.fault_scenes import Scene, scene
from support.fault_suffering import Fault, Suffered, suffer
from support.machine_faults import shaken_machine
from support.outside_faults import names, rasa_x_platform, slack_and_git
from support.own_postgres import OwnPostgres, own_postgres
from support.postgres_proxy import PostgresProxy

_GIVES_WAY = "tried again in"
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
            "notifier with a bug",
        ),
        shaken_machine,
    ),
    Group("disks", ("disk full: database, artifact store", "disk full: log"), full_disks),
    Group("Slack and git", (*names("Slack"), *names("git")), slack_and_git),
    Group("Rasa X", names("Rasa X"), rasa_x_platform),
    Group("log", ("reader of the log stuck", "reader of the log gone"), log_pipe),
)
