"""Faults of the machine, and of what people put on it: clock, processes, configuration, plugins."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from support.daemons import ROOT
from support.fault_scenes import Scene, scene
from support.fault_suffering import Fault
from support.waiting import wait_until

from retrainer.store.tables import assistants, requests

HOUR = 3600.0
_AHEAD = "by a clock that was ahead"


@contextmanager
def shaken_machine(folder: Path) -> Iterator[tuple[Scene, Sequence[Fault]]]:
    """A daemon on a machine whose clock, threads and plugins fail."""
    plugin = folder.with_name("plugin")
    path = {"PYTHONPATH": f"{_write_plugin(plugin)}:{ROOT}:{ROOT / 'tests'}"}
    texts = {
        "more": '[assistants.shop.schedule]\nevery = "1h"',
        "general": '[notifiers.other]\ntype = "buggy"\n',
    }
    with scene(folder, training_seconds=1.5, environment=path, **texts) as it:
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
                Fault(
                    *("notifier with a bug", partial(_buggy, plugin), "a fault of its own code"),
                    *("at last", False),
                    ended=lambda it: it.clock.pass_time(HOUR),
                ),
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


_PLUGIN = """
from pathlib import Path
from pydantic import BaseModel

class Buggy:
    class Options(BaseModel):
        pass

    @classmethod
    def from_options(cls, options, **given):
        return cls()

    def notify(self, report):
        if Path(__file__).with_name("bug").exists():
            raise KeyError("bug")
"""


def _write_plugin(folder: Path) -> Path:
    """Install a notifier `buggy`, which has a bug as long as there is a file `bug` beside it."""
    about = folder / "buggy-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: buggy\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[retrainer.notifiers]\nbuggy = buggy:Buggy\n")
    (folder / "buggy.py").write_text(_PLUGIN)
    return folder


@contextmanager
def _buggy(plugin: Path, _: Scene) -> Iterator[None]:
    bug = plugin / "bug"
    bug.touch()
    yield
    bug.unlink()
