"""A process killed at any of its changes of files or database, many times over, without Rasa.

Real processes, real SIGKILL, real stores and registry; Rasa alone is a stand-in, for speed. Each
point is a cycle of its own: a child dies there, and another process has to make it good.
"""

import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.databases import DIALECTS, engine_of, url_of
from support.kill_points import Countdown
from support.warm_processes import processes
from support.worlds import MUST_PASS, POLICY, utterances

from retrainer.adapters.artifacts import FolderArtifacts
from retrainer.adapters.clock import SystemClock
from retrainer.adapters.directory_source import DirectorySource
from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.adapters.snapshots import FolderSnapshots
from retrainer.domain.cycle import PromotionReason, Status
from retrainer.domain.examples import MustPass
from retrainer.errors import PlatformError
from retrainer.pipeline.conclusion import EVENTS
from retrainer.pipeline.runner import run_cycle
from retrainer.pipeline.steps import CYCLE
from retrainer.pipeline.world import Assistant, World
from retrainer.ports import CycleReport, ProgressListener, Project
from retrainer.store.engine import make_engine, reading
from retrainer.store.owner import current_owner
from retrainer.store.run_store import SqlRunStore
from retrainer.store.tables import cycles, outbox, steps
from retrainer.testing.listeners import FakeListener
from retrainer.testing.rasa import FakeRasa, find_project, write_project

pytestmark = pytest.mark.end_to_end

STEPS = [step.name for step in CYCLE]
#: How many of the changes are points to die at, spread evenly.
POINTS = {"sqlite": 20, "postgresql": 12}
TIMEOUT = 60


class CountingRasa(FakeRasa):
    """Writes a line for each training that it begins."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log

    def train(
        self,
        project: Project,
        name: str,
        into: Path,
        progress: ProgressListener,
        **variant: Any,
    ) -> Path:
        if not (into / f"{name}.tar.gz").exists():
            with self._log.open("a") as log:
                log.write(f"{name}\n")
        return super().train(project, name, into, progress, **variant)


class UnconfirmedRegistry(EmbeddedRegistry):
    """A platform on which only one model can serve."""

    serving: str

    def confirm(self, name: str, *, must_pass: Sequence[MustPass] = ()) -> None:
        super().confirm(name, must_pass=must_pass)
        if name != self.serving:
            raise PlatformError(f"the server answers with {self.serving}")


@dataclass(frozen=True)
class Shop:
    """One assistant in a folder of its own; all of them share a database."""

    folder: Path
    url: str
    #: The only model that can serve; None: all can.
    serving: str | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def registry(self) -> EmbeddedRegistry:
        if self.serving is None:
            return EmbeddedRegistry(self.folder / "registry")
        registry = UnconfirmedRegistry(self.folder / "registry")
        registry.serving = self.serving
        return registry

    @property
    def trainings(self) -> list[str]:
        log = self.folder / "trainings"
        return log.read_text().splitlines() if log.exists() else []

    def finished_trainings(self) -> list[Path]:
        """Archives of challengers, wherever they are by now."""
        return [
            *self.folder.glob("cycles/*/*.tar.gz"),
            *self.folder.glob("registry/versions/*/*.tar.gz"),
        ][1:]

    def write(self, last: int) -> None:
        write_project(self.folder / "project", utterances(last), MUST_PASS)

    def world(self, engine: sa.Engine) -> World:
        return World(
            assistant=Assistant(
                self.name, POLICY, must_pass=("must_pass.json",), keep_age=timedelta(days=9999)
            ),
            clock=SystemClock(),
            source=DirectorySource(self.folder / "project", include=("*.json", "*.yml", "data/*")),
            snapshots=FolderSnapshots(self.folder / "snapshots"),
            find_project=find_project,
            rasa=CountingRasa(self.folder / "trainings"),
            platform=self.registry,
            artifacts=FolderArtifacts(self.folder / "records"),
            store=SqlRunStore(engine, SystemClock()),
            folder=self.folder / "cycles",
            listener=FakeListener(),
            notifiers={"team": frozenset(EVENTS)},
        )

    def run(self, engine: sa.Engine, *, dry_run: bool = False) -> CycleReport:
        return run_cycle(self.world(engine), owner=current_owner(), dry_run=dry_run)


def cycle_in_a_process(shop: Shop, dry_run: bool, until: int | None, total: Any) -> None:
    """Run a cycle in this process and die at the `until`-th change; tell how many there were."""
    engine = make_engine(shop.url)
    countdown = Countdown(until)
    countdown.watch(engine)
    shop.run(engine, dry_run=dry_run)
    total.value = countdown.count
    engine.dispose()


@dataclass
class Ground:
    """Where cycles of one kind are run and killed."""

    folder: Path
    engine: sa.Engine
    kind: str

    def shop(self, name: str) -> tuple[Shop, str]:
        """An assistant with a champion, and with better data than that was trained on."""
        shop = Shop(self.folder / name, url_of(self.engine))
        shop.write(25)
        champion = shop.run(self.engine).cycle.challenger
        if self.kind != "skipped":
            shop.write(60)
        if self.kind == "failed":
            archive = shop.registry.fetch(champion)
            archive.write_bytes(archive.read_bytes()[:100])
        return replace(shop, serving=champion if self.kind == "unconfirmed" else None), champion

    def kill(self, shop: Shop, until: int | None) -> int:
        """Run a cycle in another process, killed there; returns how many changes were made."""
        total = processes.Value("i", 0)
        child = processes.Process(
            target=cycle_in_a_process, args=(shop, self.kind == "dry_run", until, total)
        )
        child.start()
        child.join(TIMEOUT)
        assert child.exitcode == (0 if until is None else -signal.SIGKILL)
        return total.value

    def rows(self, shop: Shop) -> list[sa.RowMapping]:
        """The assistant's cycles after the one that made the champion."""
        query = sa.select(cycles).where(cycles.c.assistant == shop.name).order_by(cycles.c.number)
        with reading(self.engine) as connection:
            return list(connection.execute(query).mappings())[1:]

    def steps_of(self, number: int) -> list[tuple[str, str]]:
        query = sa.select(steps.c.name, steps.c.status).where(steps.c.cycle == number)
        with reading(self.engine) as connection:
            return [tuple(row) for row in connection.execute(query.order_by(steps.c.number))]

    def notifications_of(self, number: int) -> int:
        query = sa.select(sa.func.count()).where(outbox.c.cycle == number)
        with reading(self.engine) as connection:
            return connection.scalar(query.select_from(outbox))

    def check(self, shop: Shop, champion: str) -> None:
        """One cycle, ended as it should; what it made or undid is whole; no trace of the rest."""
        end = ENDS[self.kind]
        (row,) = self.rows(shop)
        assert (row["status"], row["failed_step"]) == (end.status, end.failed_step)
        recorded = self.steps_of(row["number"])
        assert [name for name, _ in recorded] == STEPS[: len(recorded)]
        last = "failed" if end.failed_step else "done"
        assert [how for _, how in recorded] == ["done"] * (len(recorded) - 1) + [last]
        assert recorded[-1][0] == (end.failed_step or end.last_step)
        assert self.notifications_of(row["number"]) == 1

        challenger = next((shop.folder / "cycles").glob("*"), None)
        assert challenger is None, "the working folder is left"
        assert not list((shop.folder / "records" / "cycles").glob("*"))
        stored = {model.name for model in shop.registry.models()}
        records = {path.name for path in (shop.folder / "records" / "models").iterdir()}
        assert (champion in stored, len(stored)) == (True, 2 if end.stored else 1)
        assert records == stored
        (other,) = (stored - {champion}) or {None}
        ledger = SqlRunStore(self.engine, SystemClock()).promotions(shop.name)[::-1]
        assert [p.model for p in ledger] == [
            champion if name == "champion" else other for name in end.ledger
        ]
        assert PromotionReason.OUTSIDE not in {p.reason for p in ledger}
        assert shop.registry.active() == ledger[-1].model
        if self.kind != "failed":  # there the champion's archive is damaged
            EmbeddedRegistry(shop.folder / "registry").confirm(ledger[-1].model)


@dataclass(frozen=True)
class End:
    """How an undisturbed cycle of a kind ends; `ledger` says who serves, oldest first."""

    status: Status
    ledger: tuple[str, ...]
    stored: bool = False
    failed_step: str | None = None
    last_step: str = STEPS[-1]


ENDS = {
    "promoted": End(Status.COMPLETED, ("champion", "challenger"), stored=True),
    "failed": End(Status.FAILED, ("champion",), failed_step="evaluate"),
    "unconfirmed": End(
        Status.FAILED, ("champion", "challenger", "champion"), stored=True, failed_step="confirm"
    ),
    "skipped": End(Status.SKIPPED, ("champion",), last_step="pull"),
    "dry_run": End(Status.COMPLETED, ("champion",)),
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: a killed process loses nothing there either."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, folder: Path) -> Iterator[sa.Engine]:
    with engine_of(request.param, folder) as made:
        yield made


@pytest.mark.parametrize("kind", ENDS)
def test_killed_at_any_change(engine: sa.Engine, folder: Path, kind: str):
    """Wherever it dies, the next process brings the cycle to the end that it would have had."""
    ground = Ground(folder, engine, kind)
    undisturbed, champion = ground.shop("undisturbed")
    changes = ground.kill(undisturbed, None)
    ground.check(undisturbed, champion)
    for until in range(0, changes, 1 + changes // POINTS[engine.dialect.name]):
        shop, champion = ground.shop(f"killed-before-change-{until}")
        ground.kill(shop, until)
        finished = shop.finished_trainings()
        before = len(shop.trainings)
        if not ground.rows(shop) or ground.rows(shop)[0]["status"] == Status.RUNNING:
            shop.run(engine, dry_run=kind == "dry_run")
        if finished:
            assert len(shop.trainings) == before, "a finished model was trained again"
        ground.check(shop, champion)
