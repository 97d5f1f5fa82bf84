"""Backups of a daemon at work, restored elsewhere: nothing is lost, and the next cycle goes on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.daemons import DaemonProcess, Household, daemon
from support.databases import DIALECTS, engine_of, url_of
from support.fake_training import FakeTraining
from support.waiting import wait_until

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.domain.cycle import Status, Trigger
from retrainer.errors import BackupError
from retrainer.pipeline.runner import run_cycle
from retrainer.ports import CycleReport
from retrainer.store.engine import reading
from retrainer.store.ledger import newest_first
from retrainer.store.owner import current_owner
from retrainer.store.tables import cycles, promotions, requests, steps
from retrainer.testing.listeners import FakeListener
from retrainer.wiring.backup import back_up, restore

pytestmark = pytest.mark.end_to_end

TIMEOUT = 60
OTHER = {"sqlite": "postgresql", "postgresql": "sqlite"}


@contextmanager
def household(folder: Path, dialect: str, **options: object) -> Iterator[Household]:
    """A household with an empty database of its own."""
    folder.mkdir()
    with ExitStack() as databases:
        url = ""
        if dialect == "postgresql":
            url = url_of(databases.enter_context(engine_of(dialect, folder, prepared=False)))
        yield Household(folder, database=url, **options)


def registry(home: Household, name: str = "shop") -> EmbeddedRegistry:
    """The assistant's models."""
    return EmbeddedRegistry(home.folder / "state" / "assistants" / name / "registry")


def rows(home: Household, *tables: sa.Table) -> list[list[tuple]]:
    """All that is in these tables."""
    engine = home.application().past
    with reading(engine) as connection:
        found = [connection.execute(sa.select(t).order_by(*t.primary_key)).all() for t in tables]
    engine.dispose()
    return [[tuple(row) for row in table] for table in found]


def run_next(home: Household, name: str = "shop") -> CycleReport:
    """The assistant's next cycle, in this process."""
    app = FakeTraining.from_config(home.config, home.environment)
    try:
        world = app.world(name, FakeListener())
        return run_cycle(world, owner=current_owner(), trigger=Trigger.MANUAL)
    finally:
        app.engine.dispose()


def at_step(home: Household, step: str) -> None:
    """Wait until a cycle is at that step."""
    wait_until(lambda: (home.step() or (0, ""))[1] == step, seconds=TIMEOUT)


def settled(process: DaemonProcess, home: Household, how_many: int) -> None:
    """Wait until so many cycles have ended."""
    del process
    wait_until(lambda: home.ended() >= how_many, seconds=TIMEOUT)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.postgres
def test_a_backup_during_a_training(dialect: str, tmp_path: Path):
    """Restored on another machine and another kind of database: same champion, same history.

    The cycle that ran is taken up there from its beginning, under its own number.
    """
    file = tmp_path / "backup.tar.gz"
    with household(tmp_path / "here", dialect) as here:
        with daemon(here) as process:
            here.ask()
            settled(process, here, 1)
        with daemon(here, training_seconds=30) as process:
            here.write_data("shop", 45)
            here.ask()
            at_step(here, "train")
            waiting = here.ask()
            app = here.application()
            made = back_up(app, file)
            app.engine.dispose()
            assert process.process.poll() is None
        before = rows(here, cycles, promotions, requests)
        champion = registry(here).active()
        (interrupted,) = made.manifest.running
        assert made.champions == {"shop": champion}
        assert file.stat().st_mode & 0o077 == 0, "only its owner may read it"

    with household(tmp_path / "there", OTHER[dialect]) as there:
        there.write_data("shop", 45)
        app = there.application()
        assert restore(app, file, force=False).champions == {"shop": champion}
        after = rows(there, cycles, promotions, requests)
        assert after[1:] == before[1:]
        assert [row[:9] for row in after[0]] == [row[:9] for row in before[0]]
        assert registry(there).active() == champion
        registry(there).confirm(champion)
        assert [model.name for model in registry(there).models()] == [champion]
        (row,) = [row for row in there.cycles() if row.cycle.status is Status.RUNNING]
        assert row.cycle.number == interrupted
        report = run_next(there)
        assert (report.cycle.number, report.cycle.resumed) == (interrupted, 1)
        assert report.cycle.status is Status.COMPLETED
        assert registry(there).active() == report.cycle.challenger
        assert app.agenda.pending() == (waiting,)
        assert run_next(there).cycle.number > interrupted
        assert app.agenda.pending() == ()
        app.engine.dispose()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_backups_in_a_row_of_a_busy_daemon(dialect: str, tmp_path: Path):
    """Whenever a backup is made, models and ledger fit together, and whatever is named is there."""
    with household(tmp_path / "here", dialect, assistants=("one", "two")) as here:
        files = []
        with daemon(here) as process:
            for number in range(6):
                for name in here.assistants:
                    here.write_data(name, 25 + 5 * number)
                    here.ask(name)
                wait_until(lambda: here.step() is not None, seconds=TIMEOUT)
                app = here.application()
                files.append(tmp_path / f"{number}.tar.gz")
                back_up(app, files[-1])
                app.engine.dispose()
            settled(process, here, 4)
            assert process.process.poll() is None
    for file in files:
        with household(tmp_path / file.stem[:1], "sqlite", assistants=("one", "two")) as there:
            app = there.application()
            backup = restore(app, file, force=False)
            _require_fitting(there, app.engine, backup.manifest.running)
            app.engine.dispose()


def _require_fitting(there: Household, engine: sa.Engine, running: tuple[int, ...]) -> None:
    with reading(engine) as connection:
        begun = connection.scalars(sa.select(steps.c.name).where(steps.c.cycle.in_(running))).all()
        assert set(begun) <= {"promote", "confirm"} | {
            *("pull", "validate", "split", "train", "upload", "evaluate", "decide")
        }
        for name in there.assistants:
            active = registry(there, name).active()
            ledger = newest_first(connection, name, 1)
            known = {row.model for row in ledger} or {None}
            promoting = "promote" in begun
            assert active in known or promoting, f"{active} is not on the ledger of {name}"
            if active is not None:
                registry(there, name).confirm(active)
            assert registry(there, name).damaged() == ()


def test_a_daemon_at_work_is_not_restored_over(tmp_path: Path):
    """What a living process works on is never replaced, whatever is forced."""
    with household(tmp_path / "here", "sqlite") as here, daemon(here) as process:
        here.ask()
        settled(process, here, 1)
        app = here.application()
        back_up(app, tmp_path / "backup.tar.gz")
        with pytest.raises(BackupError, match=rf"worked on by .* pid {process.pid}") as caught:
            restore(app, tmp_path / "backup.tar.gz", force=True)
        assert "stop the service" in caught.value.tip
        assert process.process.poll() is None
        process.stop()
        champion = registry(here).active()
        restore(app, tmp_path / "backup.tar.gz", force=True)
        assert registry(here).active() == champion
        app.engine.dispose()
