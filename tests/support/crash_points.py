"""A daemon that is killed, or whose power is cut, at an exact point of a cycle's life.

A life has more steps than a cycle: `begin`, those of the cycle, `finish` (tidying up, the end in the
record) and `tell` (people). Each has three moments: `before` it, once it is known to begin; `inside`,
after half of what it does to files and database; and `after` it, before that is recorded.
"""

import json
import os
import pickle
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa
from support.fake_training import FakeTraining
from support.power_cut import Disk, Loss

import retrainer
from retrainer.cli.run import keep_running
from retrainer.domain.cycle import Promotion, State, Status, Trigger
from retrainer.pipeline.steps import CYCLE
from retrainer.ports import CycleReport, Lease, Notifier, PendingNotification
from retrainer.store.run_store import SqlRunStore

STEPS = ("begin", *(step.name for step in CYCLE), "finish", "tell")
MOMENTS = ("before", "inside", "after")
#: Which renewal of the lease in a step is the fence; the first is the heartbeat's.
_FENCE = 2
#: What a power cut does not touch: SQLite's files (see `power_cut`), and the test's own record.
SPARED = frozenset({"retrainer.db", "retrainer.db-wal", "retrainer.db-shm", "trainings.log"})
_PACKAGE = str(Path(retrainer.__file__).parent)
#: What changes a file system, as Python reports it before it happens.
_CHANGES = frozenset(
    ["os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"]
)


class Kind(StrEnum):
    """How it ends."""

    KILLED = "kill -9"
    STALLED = "stopped, until somebody wakes it"
    POWER = "power cut, all unsynced lost"
    POWER_CONTENTS = "power cut, unsynced contents lost"
    POWER_SOME = "power cut, some of the unsynced lost"

    @property
    def loss(self) -> Loss | None:
        """What of the unsynced changes is lost; None: nothing."""
        return _LOSSES.get(self)


_LOSSES = {
    Kind.POWER: Loss.ALL,
    Kind.POWER_CONTENTS: Loss.CONTENTS,
    Kind.POWER_SOME: Loss.SOME,
}


@dataclass(frozen=True)
class Effort:
    """What a step does: changes of files and database, and calls of functions."""

    changes: int = 0
    calls: int = 0


@dataclass(frozen=True)
class Crash:
    """Where a process ends; `nth` is for `inside`: before which change or, without any, call."""

    step: str
    moment: str
    effort: Effort = field(default_factory=Effort)
    nth: int | None = None

    def at(self, changes: int, calls: int) -> bool:
        """Whether that is the moment inside the step."""
        if self.effort.changes > 1 or self.nth is not None:
            return changes == (self.nth or self.effort.changes // 2)
        return calls == max(1, self.effort.calls // 2)


class Plot:
    """What the daemon reaches, and what becomes of it there.

    With `count` what each step does is counted, into `efforts`.
    """

    def __init__(
        self,
        crash: Crash | None = None,
        strike: Callable[[], None] | None = None,
        *,
        count: bool = False,
    ) -> None:
        self.efforts: dict[str, Effort] = {}
        #: Held by the thread that is in one: a process that is stopped while another thread writes
        #: would lock everybody out of SQLite.
        self.transactions = threading.RLock()
        self._crash, self._strike = crash, strike
        self._step: str | None = None
        self._thread = 0
        self._changes = self._calls = self._renewals = 0
        if count or (crash is not None and crash.moment == "inside"):
            sys.addaudithook(self._audit)
            threading.setprofile(self._profile)

    def reached(self, moment: str, step: str) -> None:
        """A step begins, or has been done."""
        if moment == "before":
            self._step, self._thread = step, threading.get_ident()
            self._changes = self._calls = 0
            self._renewals = 0
        elif moment == "after" and self._step == step:
            self.efforts[step] = Effort(self._changes, self._calls)
            self._step = None
        if self._crash is not None and (self._crash.moment, self._crash.step) == (moment, step):
            self._end()

    def renewed(self) -> None:
        """The lease was renewed: as a step begins, and again as the fence before the promotion."""
        if self._is_inside():
            self._renewals += 1
            if self._step is not None and self._renewals == _FENCE:
                self.reached("fenced", self._step)

    def changed(self) -> None:
        """A file or the database is about to be changed."""
        if self._is_inside():
            self._changes += 1
            self._look()

    def _audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        writes = name == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if name in _CHANGES or writes:
            self.changed()

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        ours = frame.f_code.co_filename.startswith(_PACKAGE)
        if event == "call" and ours and self._is_inside():
            self._calls += 1
            self._look()

    def _is_inside(self) -> bool:
        return self._step is not None and threading.get_ident() == self._thread

    def _look(self) -> None:
        crash = self._crash
        if crash is None or (crash.step, crash.moment) != (self._step, "inside"):
            return
        if crash.at(self._changes, self._calls):
            self._end()

    def _end(self) -> None:
        self._step = self._crash = None
        if self._strike is not None:
            self._strike()


class WatchedRunStore(SqlRunStore):
    """Tells the plot of each step."""

    def __init__(self, engine: sa.Engine, clock: Any, plot: Plot) -> None:
        super().__init__(engine, clock)
        self._plot = plot

    def begin(self, assistant: str, trigger: Trigger | None, **more: Any) -> Lease:
        """As it is, and told of before and after."""
        self._plot.reached("before", "begin")
        lease = super().begin(assistant, trigger, **more)
        self._plot.reached("after", "begin")
        return lease

    def renew(self, lease: Lease, until: timedelta) -> None:
        """The lease is kept."""
        super().renew(lease, until)
        self._plot.renewed()

    def step_started(self, lease: Lease, step: str) -> None:
        """The step begins."""
        super().step_started(lease, step)
        self._plot.reached("before", step)

    def step_done(
        self,
        lease: Lease,
        step: str,
        before: State,
        after: State,
        promotion: Promotion | None = None,
    ) -> None:
        """The step is done; after the last one the ending begins."""
        self._plot.reached("after", step)
        super().step_done(lease, step, before, after, promotion)
        if step == CYCLE[-1].name:
            self._plot.reached("before", "finish")

    def finish(self, lease: Lease, status: Status, **more: Any) -> CycleReport:
        """The cycle has ended."""
        report = super().finish(lease, status, **more)
        self._plot.reached("after", "finish")
        return report

    def claim_notifications(
        self, notifier: str, *, owner: str, together: bool
    ) -> tuple[PendingNotification, ...]:
        """People are to be told."""
        claimed = super().claim_notifications(notifier, owner=owner, together=together)
        if claimed:
            self._plot.reached("before", "tell")
        return claimed

    def delivered(self, *numbers: int) -> None:
        """People were told."""
        super().delivered(*numbers)
        self._plot.reached("after", "tell")


class FileNotifier:
    """Tells people by a line of a file: which challenger, and how its cycle ended."""

    def __init__(self, file: Path, plot: Plot) -> None:
        self._file, self._plot = file, plot

    def notify(self, report: CycleReport) -> None:
        """Add the line."""
        with self._file.open("a") as file:
            file.write(f"{report.cycle.challenger} {report.cycle.status}\n")
        self._plot.changed()  # told, and not yet known to be


@dataclass(frozen=True)
class CrashingApplication(FakeTraining):
    """An application whose every step the plot hears of."""

    plot: Plot = field(default_factory=Plot)

    @cached_property
    def bare_engine(self) -> sa.Engine:  # type: ignore[override]
        """The real one, whose transactions the plot can keep away."""
        engine = super().bare_engine
        sa.event.listen(engine, "checkout", lambda *_: self.plot.transactions.acquire())
        sa.event.listen(engine, "checkin", lambda *_: self.plot.transactions.release())
        return engine

    @cached_property
    def store(self) -> SqlRunStore:  # type: ignore[override]
        """The real one."""
        engine = self.engine
        sa.event.listen(engine, "before_cursor_execute", self._statement)
        sa.event.listen(engine, "commit", lambda _: self.plot.changed())
        return WatchedRunStore(engine, self.clock, self.plot)

    @cached_property
    def notifiers(self) -> Mapping[str, Notifier]:  # type: ignore[override]
        """People who read a file."""
        return {"team": FileNotifier(told_of(self.config), self.plot)}

    def _statement(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            self.plot.changed()


def told_of(config: Path) -> Path:
    """The file that people read."""
    return config.parent / "told.log"


def run_daemon(
    config: Path,
    environment: Mapping[str, str],
    crash: Crash | None = None,
    kind: Kind = Kind.KILLED,
    seed: int = 0,
    *,
    count: bool = False,
) -> None:
    """Be a daemon, to the end or to the crash.

    `seed` is for what a power cut leaves to chance; `count` writes `efforts.json` beside the config.
    """
    log = os.open(config.parent / "daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(environment)
    disk, chance = None, random.Random(seed)
    if kind.loss is not None:
        disk = Disk(config.parent / "state", spared=SPARED)

    def strike() -> None:
        if disk is not None and kind.loss is not None:
            (config.parent / "left.pickle").write_bytes(pickle.dumps(disk.left(kind.loss, chance)))
        if kind is Kind.STALLED:
            with plot.transactions:
                os.kill(os.getpid(), signal.SIGSTOP)
                time.sleep(0.2)  # another thread may have taken the signal, and stop us in a moment
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    loaded = CrashingApplication.from_config(config)
    plot = Plot(crash, strike, count=count)
    with disk.watching() if disk else nullcontext():
        keep_running(lambda: replace(loaded, plot=plot))
    if count:
        efforts = {step: (done.changes, done.calls) for step, done in plot.efforts.items()}
        (config.parent / "efforts.json").write_text(json.dumps(efforts))


def read_efforts(config: Path) -> Mapping[str, Effort]:
    """What a counting daemon counted."""
    counted: dict[str, Sequence[int]] = json.loads((config.parent / "efforts.json").read_text())
    return {step: Effort(*numbers) for step, numbers in counted.items()}
