"""One case of the crash matrix: a shop whose daemon ends somewhere, and what must be true after.

Each case is a folder and a database of its own, copied from an original that has a champion.
"""

import pickle
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from support.crash_points import (
    MOMENTS,
    SPARED,
    STEPS,
    Crash,
    Effort,
    Kind,
    read_efforts,
    run_daemon,
    told_of,
)
from support.daemons import Household
from support.databases import postgres_copy, postgres_engine, url_of
from support.power_cut import switch_on
from support.waiting import wait_until
from support.warm_processes import processes

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.folders import exclusive
from retrainer.domain.cycle import PromotionReason, Status
from retrainer.domain.reuse import Uses
from retrainer.domain.verdict import Outcome
from retrainer.pipeline.records import read_uses
from retrainer.store.engine import make_engine, reading
from retrainer.store.history import list_cycles
from retrainer.store.ledger import newest_first
from retrainer.store.tables import cycles, outbox, requests, steps

TIMEOUT = 60
LEADS = "this daemon leads"
TELLS = '[notifiers.team]\ntype = "console"\non = ["promoted", "failed", "abandoned"]\n'
POINTS = tuple(product(STEPS, MOMENTS))
#: What a training, and telling people, have come to when the process dies there.
_TRAINED = POINTS.index(("train", "after"))
_TOLD = POINTS.index(("tell", "inside"))


@dataclass(frozen=True)
class Shop:
    """An assistant with a champion, and with better data than that was trained on."""

    home: Household
    engine: sa.Engine

    @property
    def state(self) -> Path:
        """The folder of what is kept of the assistant."""
        return self.home.folder / "state" / "assistants" / "shop"

    @property
    def told(self) -> list[str]:
        """What people were told, a line each."""
        file = told_of(self.home.config)
        return file.read_text().splitlines() if file.exists() else []

    def start(self, *arguments: object, **options: object) -> Any:
        """Start a daemon; `arguments` as of `run_daemon`."""
        (self.home.folder / "tmp").mkdir(exist_ok=True)
        environment = {**self.home.environment, "TMPDIR": str(self.home.folder / "tmp")}
        process = processes.Process(
            target=run_daemon,
            args=(self.home.config, environment, *arguments),
            kwargs=options,
        )
        process.start()
        return process

    def crash(self, crash: Crash, kind: Kind, seed: int = 0) -> None:
        """Run a daemon until it dies there, and switch the machine on again."""
        process = self.start(crash, kind, seed)
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
        assert process.exitcode == -signal.SIGKILL, self.log
        if kind.loss is not None:
            left = pickle.loads((self.home.folder / "left.pickle").read_bytes())
            switch_on(self.home.folder / "state", left, spared=SPARED)

    def settle(self, **options: object) -> None:
        """Run a daemon until nothing is left to do, then stop it."""
        process, before = self.start(**options), self.log.count(LEADS)

        def happened() -> bool:
            return (self.log.count(LEADS) > before and self.is_settled) or not process.is_alive()

        try:
            wait_until(happened, seconds=TIMEOUT)
            process.terminate()
            process.join(TIMEOUT)
        finally:
            process.kill()
        assert process.exitcode == 0, self.log

    @property
    def is_settled(self) -> bool:
        """Whether nothing runs, nothing is asked for, and people were told."""
        open_rows = (  # in the order in which one becomes the other
            sa.select(requests.c.number).where(requests.c.cycle.is_(None)),
            sa.select(cycles.c.number).where(cycles.c.ended_at.is_(None)),
            sa.select(outbox.c.number).where(outbox.c.delivered_at.is_(None)),
        )
        with reading(self.engine) as connection:
            return not any(connection.scalar(query.limit(1)) for query in open_rows)

    @property
    def log(self) -> str:
        """What the daemons logged."""
        file = self.home.folder / "daemon.log"
        return file.read_text() if file.exists() else ""


@contextmanager
def _database(dialect: str, folder: Path) -> Iterator[tuple[str, sa.Engine]]:
    """An empty database; its URL, empty for the one in the state folder, and an engine."""
    if dialect == "sqlite":
        engine = make_engine(f"sqlite:///{folder}/state/retrainer.db")
        yield "", engine
        engine.dispose()
    else:
        with postgres_engine() as engine:
            yield url_of(engine), engine


@contextmanager
def originals(dialect: str) -> Iterator["Original"]:
    """What every case is a copy of, in memory where there is such a place.

    What is durable is reckoned, see `Disk`, so nothing is lost by that.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        folder = Path(made) / dialect
        folder.mkdir()
        with _database(dialect, folder) as (url, engine):
            home = Household(folder, database=url, general=TELLS)
            shop = Shop(home, engine)
            home.ask()
            shop.settle()
            kept = Path(shutil.copytree(folder, Path(made) / "kept", symlinks=True))
            found = Original(Shop(Household(kept, database=url, general=TELLS), engine), {})
            with found.copy("counted") as counted:
                counted.settle(count=True)
                check(counted, "tell", "after")
                found.efforts.update(read_efforts(counted.home.config))
            yield found


@dataclass(frozen=True)
class Original:
    """A shop with a champion, and what each step does when nothing disturbs it."""

    shop: Shop
    efforts: dict[str, Effort]

    @contextmanager
    def copy(self, name: str) -> Iterator[Shop]:
        """A copy of the shop, with more data and a request for a cycle."""
        source = self.shop.home.folder
        folder = source.with_name(name)
        shutil.copytree(source, folder, symlinks=True)
        with _copied(self.shop, folder) as (url, engine):
            home = Household(folder, database=url, general=TELLS)
            home.write_data("shop", 60)
            home.ask()
            yield Shop(home, engine)
        shutil.rmtree(folder)

    def play(self, crash: Crash, kind: Kind, seed: int = 0) -> None:
        """End a daemon there and let the next one make it good; AssertionError if it does not."""
        name = f"{crash.step}-{crash.moment}-{crash.nth}-{kind.name}-{seed}".lower()
        with self.copy(name) as shop:
            shop.crash(crash, kind, seed)
            shop.settle()
            check(shop, crash.step, crash.moment)


@contextmanager
def _copied(shop: Shop, folder: Path) -> Iterator[tuple[str, sa.Engine]]:
    if shop.home.database:
        with postgres_copy(shop.engine) as engine:
            yield url_of(engine), engine
    else:
        engine = make_engine(f"sqlite:///{folder}/state/retrainer.db")
        yield "", engine
        engine.dispose()


def check(shop: Shop, step: str, moment: str) -> None:
    """Nothing is lost, doubled or left, whatever happened at that point."""
    champion, challenger = _check_cycles(shop)
    _check_traces(shop, champion, challenger)
    point = POINTS.index((step, moment))
    trained = shop.home.trainings().count(challenger)
    assert trained == 1 or (trained == 2 and point <= _TRAINED), "trained again"
    told = shop.told[1:]
    assert set(told) == {f"{challenger} completed"}
    assert len(told) == 1 or (len(told) == 2 and point >= _TOLD), shop.told


def _check_cycles(shop: Shop) -> tuple[str, str]:
    """One cycle answered the request, once; returns the champion before and after."""
    with reading(shop.engine) as connection:
        answers = connection.scalars(sa.select(requests.c.cycle).order_by(requests.c.number)).all()
        done = sa.select(steps.c.name, steps.c.status).where(steps.c.cycle == answers[-1])
        recorded = [tuple(row) for row in connection.execute(done.order_by(steps.c.number))]
        ledger = newest_first(connection, "shop", None)[::-1]
    newest, first = list_cycles(shop.engine, limit=10)
    assert answers == [first.cycle.number, newest.cycle.number]
    assert recorded == [(name, "done") for name in STEPS[1:-2]]
    assert (newest.cycle.status, newest.promoted) == (Status.COMPLETED, True)
    assert newest.verdict is Outcome.PROMOTE
    assert newest.cycle.resumed <= 1
    assert (newest.champion, newest.challenger) == (first.challenger, newest.challenger)
    assert [(each.model, each.cycle) for each in ledger] == [
        (first.challenger, first.cycle.number),
        (newest.challenger, newest.cycle.number),
    ]
    assert {each.reason for each in ledger} == {PromotionReason.GATE}
    assert first.challenger is not None
    assert newest.challenger is not None
    return first.challenger, newest.challenger


def _check_traces(shop: Shop, champion: str, challenger: str) -> None:
    """What serves is whole and what the ledger says; nothing is left of the making of it."""
    registry = EmbeddedRegistry(shop.state / "registry")
    assert registry.active() == challenger
    registry.confirm(challenger)
    assert {model.name for model in registry.models()} == {champion, challenger}
    assert registry.damaged() == ()
    for folder in ("registry", "snapshots"):
        with exclusive(shop.state / folder):  # whoever is next sweeps what was left there
            pass
    assert not list((shop.state / "cycles").glob("*"))
    assert not list((shop.state / "records" / "cycles").glob("*"))
    records = {path.name for path in (shop.state / "records" / "models").iterdir()}
    assert records == {champion, challenger}
    uses = read_uses(FolderArtifacts(shop.state / "records")) or Uses()
    assert uses.last == challenger
    assert {number for _, number in uses.items.values()} == {1}, "the holdout was used once"
    hidden = [path for path in shop.state.rglob(".*") if path.name != ".lock"]
    assert not hidden, "left half-written"
    assert not list((shop.home.folder / "tmp").iterdir())
