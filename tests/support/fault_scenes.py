"""A real daemon at work, to which something bad may happen, and a look at what it has done."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from support.daemons import ROOT, DaemonProcess, Household, daemon
from support.shifted_clock import Shift
from support.slack_server import WEBHOOK_PATH, SlackServer, slack
from support.waiting import wait_until

from retrainer.domain.cycle import Status
from retrainer.ports import Request
from retrainer.store.engine import make_engine, reading
from retrainer.store.tables import cycles, outbox, requests

#: Seconds after its end in which a fault has to be over for good: the longest pause between two
#: looks, the lease of a cycle that was cut off, the cycle, and a busy machine.
RECOVERY = 120.0
_PAUSE = 0.2
NOTIFIER = """
[notifiers.team]
type = "slack"
webhook_url = "{url}"
timeout = 2.0
"""


@dataclass
class Scene:
    """A daemon at work, what it looks after, and whom it tells."""

    home: Household
    running: DaemonProcess
    slack: SlackServer
    clock: Shift
    #: Where the log is; its reader may be in trouble.
    log: Path
    #: Brings data of so many examples for each intent.
    bring: Callable[[int], object]
    examples: int = 25
    asked: list[Request] = field(default_factory=list)
    #: What the faults so far excuse: ends of cycles, and trainings that had to be repeated.
    ends: set[Status] = field(default_factory=lambda: {Status.COMPLETED, Status.SKIPPED})
    excused: set[str] = field(default_factory=set)
    #: What the daemon was started with.
    running_environment: Mapping[str, str] = field(default_factory=dict)

    def ask(self) -> None:
        """Bring new data, and ask for a cycle of it."""
        self.examples += 1
        self.bring(self.examples)
        self.asked.append(self.home.ask())

    def reload(self) -> None:
        """Let the daemon read its configuration again."""
        words = "the configuration was read again"
        before = self.log.read_text().count(words)
        self.running.signal(signal.SIGHUP)
        wait_until(lambda: self.log.read_text().count(words) > before, seconds=30)

    def lines(self) -> list[dict[str, str]]:
        """What the daemon has logged so far."""
        return self.running.lines()

    def settle(self, seconds: float = RECOVERY) -> None:
        """Wait until all that was asked for is done and told.

        Raises:
            AssertionError: the daemon ended, or that takes longer.
        """
        end = time.monotonic() + seconds
        while self.lives and (still := self._open()):
            log = self.log.read_text(errors="replace")
            assert time.monotonic() < end, f"not settled in {seconds} s: {still}\n{log}"
            time.sleep(_PAUSE)
        assert self.lives, f"it ended: {self.log.read_text(errors='replace')}"

    @property
    def lives(self) -> bool:
        """Whether the process is the one that was started."""
        return self.running.process.poll() is None

    def _open(self) -> dict[str, object]:
        """What is still to be done."""
        queries = {  # in the order in which one becomes the next
            "pending": sa.select(requests.c.number).where(requests.c.cycle.is_(None)),
            "running": sa.select(cycles.c.number).where(cycles.c.status == Status.RUNNING),
            "untold": sa.select(outbox.c.cycle).where(outbox.c.delivered_at.is_(None)),
        }
        found = {}
        for name, query in queries.items():
            with self.reading() as connection:
                found[name] = connection.scalars(query).all()
        return {name: numbers for name, numbers in found.items() if numbers}

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A look into the database, past whatever stands between it and the daemon."""
        with reading(self._engine) as connection:
            yield connection

    def leave(self) -> None:
        """Give back what the looks into the database took."""
        self._engine.dispose()

    @cached_property
    def _engine(self) -> sa.Engine:
        url = self.home.database or f"sqlite:///{self.home.folder}/state/retrainer.db"
        return make_engine(url)

    def status(self) -> "Answer":
        """What `retrainer status` says, as the daemon's own surroundings have it."""
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "retrainer", "--config", str(self.home.config), "status"],
            env=self.running_environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Answer(done.returncode, done.stdout + done.stderr, time.monotonic() - began)


@dataclass(frozen=True)
class Answer:
    """How a command ended, what it said, and in how many seconds."""

    code: int
    text: str
    seconds: float


@contextmanager
def scene(
    folder: Path,
    *,
    database: str = "",
    seen_as: str = "",
    webhook: Callable[[str], str] = str,
    training_seconds: float = 0.0,
    log: Path | None = None,
    bring: Callable[[int], object] | None = None,
    environment: Mapping[str, str] | None = None,
    **household: Any,
) -> Iterator[Scene]:
    """A daemon at work in the folder.

    `database` is the URL for the test, `seen_as` the same for the daemon; empty: SQLite. `bring`
    brings data of so many examples for each intent; None: into the assistant's folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with slack() as server:
        url = webhook(server.url) + WEBHOOK_PATH
        general = NOTIFIER.format(url=url) + household.pop("general", "")
        home = Household(folder, database=database, general=general, **household)
        clock = Shift(folder / "clock")
        environment = {**(environment or {}), "FAKE_CLOCK": str(clock.file)}
        if seen_as:
            environment["RETRAINER_DATABASE"] = seen_as
        with daemon(home, training_seconds=training_seconds, environment=environment) as running:
            surroundings = {
                **{k: v for k, v in os.environ.items() if not k.startswith("RETRAINER_")},
                "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
                **home.environment,
                **environment,
            }
            running.log = log or running.log
            it = Scene(
                *(home, running, server, clock, running.log),
                bring or partial(home.write_data, "shop"),
                running_environment=surroundings,
            )
            running.wait_for("this daemon leads", 60)
            yield it
            assert it.lives
            it.leave()
