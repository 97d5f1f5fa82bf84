"""A real daemon at work, to which something bad happens, and what is demanded of it then.

    with scene(folder) as it:
        suffered = suffer(it, Fault("SQLite locked", strike, said="locked"), seconds=40)

Each fault strikes in the middle of a cycle. While it lasts, `retrainer status` is asked. When
it is over, all that was asked for has to be done, by the same process, in bounded time: no cycle,
training or promotion is lost or doubled, the right model serves, and people were told.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from itertools import pairwise
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
#: Lines of the log that a fault may add in a minute, beside those of the cycles.
LINES_A_MINUTE = 12
_PAUSE = 0.2
_LOUD = ("warning", "error", "critical")
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


@dataclass(frozen=True)
class Fault:
    """Something bad.

    `strike` makes it last as long as its block; `said` are words that the log has to have about it
    (empty: nothing needs to be said), `over` those about its end. With `closed` nobody can ask for
    a cycle meanwhile; `status` is the exit code of `retrainer status`, None where it is not asked.
    `silent` ones are
    told of afterwards at best. `ended` is called when the fault is over. `allowed` are the ends of
    cycles that it excuses beside a good one; one that `retrains` keeps models from being written.
    """

    name: str
    strike: Callable[[Scene], AbstractContextManager[object]]
    said: str = ""
    over: str = ""
    closed: bool = False
    status: int | None = 0
    silent: bool = False
    ended: Callable[[Scene], None] = lambda _: None
    allowed: tuple[Status, ...] = ()
    retrains: bool = False
    recovery: float = RECOVERY


@dataclass(frozen=True)
class Suffered:
    """What a fault came to; seconds of it, until all was well again, and of `retrainer status`."""

    fault: str
    lasted: float
    recovered: float
    lost: int
    doubled: int
    lines: int
    pauses: Sequence[float]
    status: str
    words: str


def suffer(scene: Scene, fault: Fault, seconds: float) -> Suffered:
    """Let the daemon suffer the fault for so long, and demand all of the above.

    Raises:
        AssertionError: it did not do what is demanded.
    """
    before, pid = len(scene.lines()), scene.running.pid
    begun = len(scene.home.trainings())
    scene.ask()
    wait_until(lambda: len(scene.home.trainings()) > begun, seconds=60)
    began = time.monotonic()
    with fault.strike(scene):
        if not fault.closed:
            scene.ask()
        answer = None if fault.status is None else scene.status()
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))
        if fault.said and not fault.silent:
            wait_until(lambda: bool(_says(fault.said, scene.lines()[before:])), seconds=60)
        lasted = time.monotonic() - began
    fault.ended(scene)
    over = time.monotonic()
    if fault.closed:
        scene.ask()
    scene.settle(fault.recovery)
    recovered = time.monotonic() - over
    assert scene.running.pid == pid
    status = _require_status(fault, answer)
    if fault.over:
        wait_until(lambda: bool(_says(fault.over, scene.lines()[before:])), seconds=30)
    lines = scene.lines()[before:]
    loud = [line for line in lines if line["level"] in _LOUD]
    words = _require_words(fault, lines)
    assert len(loud) <= LINES_A_MINUTE * (1 + (lasted + recovered) / 60), loud
    lost, doubled = losses(scene, fault.allowed, retrains=fault.retrains)
    assert not lost + doubled, f"{fault.name}: {lost + doubled}"
    return Suffered(
        fault.name,
        lasted,
        recovered,
        len(lost),
        len(doubled),
        len(loud),
        _pauses(lines),
        status,
        words,
    )


def _require_words(fault: Fault, lines: Sequence[Mapping[str, str]]) -> str:
    """The line about the fault; what it says to do is on it."""
    if not fault.said:
        return ""
    about = _says(fault.said, lines)
    said = [line["message"] for line in lines]
    assert about, f"nobody said {fault.said!r}: {said}"
    assert fault.silent or any(line.get("tip") for line in about if line["level"] in _LOUD), about
    return about[0]["message"]


def _says(words: str, lines: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return [line for line in lines if words in line["message"]]


def _require_status(fault: Fault, answer: Answer | None) -> str:
    """What `retrainer status` did, in a few words."""
    if answer is None:
        return ""
    assert answer.code == fault.status, answer
    assert "Traceback" not in answer.text, answer
    assert answer.seconds < 60, answer
    assert answer.text if answer.code == 0 else "tip: " in answer.text, answer
    return f"exit {answer.code} in {answer.seconds:.1f} s"


def _pauses(lines: Sequence[Mapping[str, str]]) -> tuple[float, ...]:
    """Seconds between the tries to use what is away."""
    times = [
        datetime.fromisoformat(line["time"]).timestamp()
        for line in lines
        if "tried again in" in line["message"] and "assistant" not in line
    ]
    return tuple(round(b - a, 1) for a, b in pairwise(times))


def losses(
    scene: Scene, allowed: Sequence[Status] = (), *, retrains: bool = False
) -> tuple[list[str], list[str]]:
    """What was lost, and what was done twice, as sentences."""
    scene.ends |= set(allowed)
    rows = sorted(scene.home.cycles(), key=lambda row: row.cycle.number)
    lost = [
        f"cycle {row.cycle.number} is {row.cycle.status}: {row.error}"
        for row in rows
        if row.cycle.status not in scene.ends
    ]
    with scene.reading() as connection:
        made = connection.execute(sa.select(requests)).mappings().all()
    answered = {row["number"] for row in made if row["cycle"] is not None}
    lost += [f"{r} was never answered" for r in scene.asked if r.number not in answered]
    doubled = _twice("training of", scene.home.trainings())
    scene.excused |= set(doubled if retrains else ())
    doubled = [sentence for sentence in doubled if sentence not in scene.excused]
    doubled += _twice("requests of", [row["fire_time"] for row in made if row["fire_time"]])
    app = scene.home.application()
    try:
        ledger = app.store.promotions("shop")[::-1]
        champion = app.platform("shop").active()
    finally:
        app.engine.dispose()
    doubled += _twice("promotion of", [promotion.model for promotion in ledger])
    promoted = [row.cycle.challenger for row in rows if row.promoted]
    if [promotion.model for promotion in ledger] != promoted:
        lost.append(f"promotions: {promoted} were made, {ledger} are on the ledger")
    if [p.previous for p in ledger] != [None, *promoted][: len(ledger)]:
        lost.append(f"the ledger has a gap: {ledger}")
    if champion != promoted[-1]:
        lost.append(f"{champion} serves instead of {promoted[-1]}")
    told = json.dumps(scene.slack.messages)
    lost += [
        f"nobody was told of {row.cycle.challenger}"
        for row in rows
        if row.promoted and row.cycle.challenger not in told
    ]
    return lost, doubled


def _twice(what: str, found: Sequence[object]) -> list[str]:
    return [f"{what} {each}: {n} times" for each, n in Counter(map(str, found)).items() if n > 1]


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
