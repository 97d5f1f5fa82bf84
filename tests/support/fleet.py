"""Several daemons on one database, killed and stalled at random, and witnesses of what they did.

Each daemon is a real process with a witness that writes down, with the clock that all processes of
a machine share, when it took up a cycle, and when it made a model the champion.
"""

import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from support.daemons import Household
from support.fake_training import FakeTraining
from support.waiting import wait_until
from support.warm_processes import processes
from support.worlds import MUST_PASS, utterances

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.files import write_atomically
from retrainer.cli.run import keep_running
from retrainer.domain.cycle import PromotionReason, Trigger
from retrainer.ports import Lease, Platform
from retrainer.store.engine import make_engine, reading
from retrainer.store.run_store import SqlRunStore
from retrainer.store.tables import cycles, outbox, promotions, requests
from retrainer.testing.rasa import write_project

LEASE = 2.0
SCHEDULE = '[assistants.{name}.schedule]\nevery = "1s"\n'
GENERAL = (
    '[notifiers.team]\ntype = "console"\non = ["promoted", "failed", "abandoned", "skipped"]\n'
)
_END = 120


@dataclass(frozen=True, slots=True)
class Witness:
    """One line of what was seen; `token` is the fencing token, `at` in seconds of the machine."""

    what: str
    at: float
    process: int
    assistant: str
    cycle: int
    token: int
    owner: str = ""
    model: str = ""

    def write(self, file: Path) -> None:
        """Add it, as one piece."""
        line = json.dumps([getattr(self, name) for name in self.__slots__]) + "\n"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, line.encode())
        os.close(descriptor)


def read_witnesses(file: Path) -> list[Witness]:
    """All that was seen, in order."""
    lines = file.read_text().splitlines() if file.exists() else []
    return sorted((Witness(*json.loads(line)) for line in lines), key=lambda seen: seen.at)


class _WitnessStore(SqlRunStore):
    """Writes down who took which cycle, and what this thread works on."""

    def __init__(self, engine: sa.Engine, clock: Any, file: Path) -> None:
        super().__init__(engine, clock)
        self._file = file
        self.at_work = threading.local()

    def begin(self, assistant: str, trigger: Trigger | None, **more: Any) -> Lease:
        lease = super().begin(assistant, trigger, **more)
        self.at_work.lease = lease
        self.saw("took")
        return lease

    def saw(self, what: str, model: str = "") -> None:
        lease: Lease = self.at_work.lease
        seen = Witness(
            what,
            time.monotonic(),
            os.getpid(),
            lease.cycle.assistant,
            lease.cycle.number,
            lease.cycle.resumed,
            lease.owner,
            model,
        )
        seen.write(self._file)


class _WitnessRegistry(EmbeddedRegistry):
    """Writes down who is about to change the champion, and who did."""

    store: _WitnessStore

    def activate(self, name: str, *, expected: str | None) -> None:
        self.store.saw("activates", name)
        super().activate(name, expected=expected)
        if self._found != name:  # what it looked at under its lock, however long it was stalled
            self.store.saw("activated", name)

    def active(self) -> str | None:
        self._found = super().active()
        return self._found


@dataclass(frozen=True)
class _FleetApplication(FakeTraining):
    @cached_property
    def store(self) -> _WitnessStore:  # type: ignore[override]
        return _WitnessStore(self.engine, self.clock, self.config.parent / "witness.log")

    def platform(self, name: str) -> Platform:
        registry = _WitnessRegistry(self.state_dir / "assistants" / name / "registry")
        registry.store = self.store
        return registry


def fleet_daemon(config: Path, environment: Mapping[str, str], log: Path) -> None:
    """Be one daemon of the fleet, until it is told to stop."""
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(sink, stream)
    os.environ.update(environment)
    keep_running(lambda: _FleetApplication.from_config(config))


@dataclass(frozen=True, slots=True)
class Blow:
    """What happened to a daemon: when, and which cycles it was at."""

    kind: str
    at: float
    process: int
    cycles: tuple[tuple[int, int], ...]


@dataclass
class Fleet:
    """So many daemons that look after the assistants of a household."""

    folder: Path
    database: str
    size: int = 3
    assistants: Sequence[str] = ("bank", "cafe", "shop", "zoo")
    training_seconds: float = 0.1
    chance: random.Random = field(default_factory=random.Random)
    blows: list[Blow] = field(default_factory=list)

    def __post_init__(self) -> None:
        more = SCHEDULE if self.size else ""
        self._versions = Counter[str]()
        general = GENERAL
        self.home = Household(
            self.folder, self.assistants, database=self.database, lease=f"{LEASE:g}s"
        )
        self._write_config(general, more)
        self.engine = make_engine(self.database)
        self._daemons: list[Any] = []
        self._numbers: dict[int, int] = {}

    @property
    def witness(self) -> Path:
        """What the daemons saw."""
        return self.folder / "witness.log"

    def start(self) -> None:
        """Start all."""
        self._daemons = [self._started() for _ in range(self.size)]

    def harass(self, *, until: int, seconds: float, pause: tuple[float, float]) -> None:
        """Kill and stall daemons, and bring new data, until so many cycles have ended."""
        end = time.monotonic() + seconds
        while self.ended() < until:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.ended()} of {until} cycles in {seconds:g} s")
            for name in self.assistants:
                self._bring_data(name)
            self._wait(self.chance.uniform(*pause))
            victim = self.chance.randrange(self.size)
            if self.chance.random() < 0.5:
                self._kill(victim)
            else:
                self._stall(victim)

    def settle(self) -> None:
        """Let all go on, stop them, and let one without a schedule do what is left."""
        for daemon in self._daemons:
            with suppress(ProcessLookupError):
                os.kill(daemon.pid, signal.SIGCONT)
            log = self.folder / f"daemon-{self._numbers[daemon.pid]}.log"
            wait_until(
                lambda log=log: log.exists() and "leads" in log.read_text(),  # type: ignore[misc]
                seconds=_END,
            )
            daemon.terminate()
        for daemon in self._daemons:
            daemon.join(_END)
            assert daemon.exitcode == 0, f"a daemon ended with {daemon.exitcode}"
        self._write_config(GENERAL, "")
        last = self._started()
        try:
            wait_until(lambda: not self._is_open(), seconds=_END)
        finally:
            last.terminate()
            last.join(_END)

    def close(self) -> None:
        """End every daemon, however it is."""
        for daemon in self._daemons:
            daemon.kill()
            daemon.join()
        self.engine.dispose()

    def ended(self) -> int:
        """How many cycles have ended."""
        query = sa.select(sa.func.count()).where(cycles.c.ended_at.is_not(None))
        with reading(self.engine) as connection:
            return connection.scalar(query.select_from(cycles)) or 0

    def _write_config(self, general: str, more: str) -> None:
        parts = [f"[daemon]\ncycles_at_once = {len(self.assistants)}"]
        self.home.general = general
        self.home.write_config()
        text = self.home.config.read_text()
        text = text.replace("[daemon]", parts[0])
        text += "".join(more.format(name=name) for name in self.assistants)
        self.home.config.write_text(text)

    def _started(self) -> Any:
        number = len(list(self.folder.glob("daemon-*.log"))) + 1
        environment = {
            **self.home.environment,
            "FAKE_TRAINING_SECONDS": str(self.training_seconds),
        }
        process = processes.Process(
            target=fleet_daemon,
            args=(self.home.config, environment, self.folder / f"daemon-{number}.log"),
        )
        process.start()
        self._numbers[process.pid] = number
        return process

    def _bring_data(self, name: str) -> None:
        """Other data than any before; never half of it."""
        self._versions[name] += 1
        version = self._versions[name]
        aside = write_project(self.folder / "aside", utterances(25 + version % 30), MUST_PASS)
        rows = json.loads((aside / "data" / "nlu.json").read_text())
        rows[0]["text"] += f" {version}"
        write_atomically(self.folder / name / "data" / "nlu.json", json.dumps(rows).encode())

    def _wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def _kill(self, victim: int) -> None:
        daemon = self._daemons[victim]
        daemon.kill()
        self._note("kill", daemon.pid)
        daemon.join(_END)
        self._wait(self.chance.uniform(0.0, LEASE))
        self._daemons[victim] = self._started()

    def _stall(self, victim: int) -> None:
        daemon = self._daemons[victim]
        os.kill(daemon.pid, signal.SIGSTOP)
        self._note("stall", daemon.pid)
        self._wait(self.chance.uniform(1.5 * LEASE, 3 * LEASE))
        os.kill(daemon.pid, signal.SIGCONT)

    def _note(self, kind: str, process: int) -> None:
        at = time.monotonic()
        query = sa.select(cycles.c.number, cycles.c.resumed, cycles.c.owner).where(
            cycles.c.ended_at.is_(None)
        )
        with reading(self.engine) as connection:
            rows = connection.execute(query).all()
        held = tuple(
            (row.number, row.resumed) for row in rows if row.owner.split("/")[3:4] == [str(process)]
        )
        self.blows.append(Blow(kind, at, process, held))

    def _is_open(self) -> bool:
        open_rows = (  # in the order in which one becomes the other
            sa.select(requests.c.number).where(requests.c.cycle.is_(None)),
            sa.select(cycles.c.number).where(cycles.c.ended_at.is_(None)),
            sa.select(outbox.c.number).where(outbox.c.delivered_at.is_(None)),
        )
        with reading(self.engine) as connection:
            return any(connection.scalar(query.limit(1)) for query in open_rows)


@dataclass(frozen=True)
class Findings:
    """What became of it; every violation is a sentence."""

    cycles: int
    promotions: int
    kills: int
    stalls: int
    takeovers: tuple[float, ...]
    violations: tuple[str, ...]

    def __str__(self) -> str:
        waits = sorted(self.takeovers)
        middle = f"{waits[len(waits) // 2]:.2f} s" if waits else "-"
        longest = f"{waits[-1]:.2f} s" if waits else "-"
        return (
            f"cycles {self.cycles}, promotions {self.promotions}, kills {self.kills}, stalls "
            f"{self.stalls}, takeovers {len(waits)}: half within {middle}, all within {longest} "
            f"(lease {LEASE:g} s); violations {len(self.violations)}"
        )


def judge(fleet: Fleet) -> Findings:
    """Look at what the database, the registries and the witnesses say."""
    seen = read_witnesses(fleet.witness)
    with reading(fleet.engine) as connection:
        cycle_rows = connection.execute(sa.select(cycles)).mappings().all()
        request_rows = connection.execute(sa.select(requests)).mappings().all()
        ledger = connection.execute(sa.select(promotions).order_by(promotions.c.number)).all()
        told = connection.scalars(sa.select(outbox.c.cycle)).all()
    takeovers, late = _takeovers(fleet, seen)
    violations = [
        *_of_requests(request_rows, cycle_rows),
        *_of_promotions(fleet, ledger, seen),
        *_of_fencing(seen),
        *late,
        *(f"cycle {row['number']} was not told" for row in cycle_rows if row["number"] not in told),
        *(
            f"cycle {row['number']} ended as {row['status']}: {row['error']}"
            for row in cycle_rows
            if row["status"] not in {"completed", "skipped"}
        ),
    ]
    kinds = Counter(blow.kind for blow in fleet.blows)
    return Findings(
        len(cycle_rows),
        len(ledger),
        kinds["kill"],
        kinds["stall"],
        takeovers,
        tuple(violations),
    )


def _of_requests(
    request_rows: Sequence[sa.RowMapping], cycle_rows: Sequence[sa.RowMapping]
) -> list[str]:
    """Each fire time is one request, each request has one cycle, each cycle a request."""
    found = [f"request {row['number']} has no cycle" for row in request_rows if not row["cycle"]]
    times = Counter((row["assistant"], row["fire_time"]) for row in request_rows)
    found += [
        f"{name}: {times_} requests for {at}" for (name, at), times_ in times.items() if times_ > 1
    ]
    answered = {row["cycle"] for row in request_rows}
    found += [
        f"nobody asked for cycle {row['number']}"
        for row in cycle_rows
        if row["number"] not in answered
    ]
    return found


def _of_promotions(fleet: Fleet, ledger: Sequence[Any], seen: Sequence[Witness]) -> list[str]:
    """One row a change of the champion, one change a cycle, and the last one serves."""
    found = []
    for name in fleet.assistants:
        rows = [row for row in ledger if row.assistant == name]
        models = [row.model for row in rows]
        changes = [
            each.model for each in seen if each.what == "activated" and each.assistant == name
        ]
        found += [f"{model} was promoted twice" for model, n in Counter(models).items() if n > 1]
        found += [
            f"{model} was made active twice" for model, n in Counter(changes).items() if n > 1
        ]
        found += [
            f"{row.model}: a change from {row.previous} on the ledger, but {before.model} served"
            for before, row in itertools.pairwise(rows)
            if row.previous != before.model
        ]
        found += [f"{r.model}: {r.reason}" for r in rows if r.reason != PromotionReason.GATE]
        unseen = set(changes) - set(models)
        found += [f"{model} was made active and is not on the ledger" for model in unseen]
        serves = EmbeddedRegistry(
            fleet.folder / "state" / "assistants" / name / "registry"
        ).active()
        if serves != (models[-1] if models else None):
            found.append(f"{name}: {serves} serves, the ledger ends with {models[-1:]}")
    return found


def _of_fencing(seen: Sequence[Witness]) -> list[str]:
    """Nobody begins to change the champion for a cycle that another has taken up since."""
    newest: dict[int, int] = {}
    found = []
    for each in seen:
        if each.what == "took":
            newest[each.cycle] = max(each.token, newest.get(each.cycle, 0))
        elif each.what == "activates" and each.token < newest.get(each.cycle, 0):
            found.append(
                f"cycle {each.cycle}: {each.model} was activated with token {each.token}, "
                f"{newest[each.cycle]} had it"
            )
    return found


def _takeovers(fleet: Fleet, seen: Sequence[Witness]) -> tuple[tuple[float, ...], list[str]]:
    """Seconds from each blow until another daemon took up what the victim was at."""
    waits, late = [], []
    for blow in fleet.blows:
        for cycle, token in blow.cycles:
            taken = (
                s.at for s in seen if s.what == "took" and s.cycle == cycle and s.token > token
            )
            at = min(taken, default=None)
            if at is None:
                continue  # the victim woke, and ended it or went on
            waits.append(at - blow.at)
            if waits[-1] > 2 * LEASE:
                late.append(
                    f"cycle {cycle} was taken up {waits[-1]:.2f} s after the {blow.kind}, "
                    f"at most {2 * LEASE:g} s are allowed"
                )
    return tuple(waits), late
