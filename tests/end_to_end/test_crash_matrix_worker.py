"""The crash matrix of the Rasa worker: killed at every step, and left alone by a killed daemon.

The daemon, its client of the worker, and the worker's process are real; what the worker answers is
made up, for speed. `test_kill` and `test_daemon_rasa` kill real Rasa.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from support.crash_cases import LEADS, TIMEOUT, Original, Shop, originals
from support.waiting import wait_until
from support.warm_processes import processes
from support.worker_cases import ASKING, run_daemon_with_worker, workers_of

from retrainer.adapters.embedded_registry import EmbeddedRegistry
from retrainer.domain.cycle import Status
from retrainer.pipeline.steps import CYCLE
from retrainer.store.history import list_cycles

pytestmark = pytest.mark.end_to_end

DIALECTS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
#: Nobody asks Rasa anything before `validate`, so there is no worker yet in `pull`.
STEPS = [step.name for step in CYCLE][1:]
POINTS = tuple(product(STEPS, ("before", "inside", "after")))
NOWHERE = ("worker", "nowhere", "before")


@pytest.fixture(scope="module", params=DIALECTS)
def original(request: pytest.FixtureRequest) -> Iterator[Original]:
    """What every case is a copy of."""
    with originals(request.param) as made:
        yield made


@contextmanager
def daemon_with_worker(shop: Shop, *where: str) -> Iterator[Any]:
    """A daemon with a worker's process; `where` something is killed."""
    folder, before = shop.home.folder, shop.log.count(LEADS)
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {**shop.home.environment, "TMPDIR": str(folder / "tmp")}
    process = processes.Process(
        target=run_daemon_with_worker, args=(shop.home.config, environment, *where)
    )
    process.start()
    try:
        wait_until(lambda: shop.log.count(LEADS) > before, seconds=TIMEOUT)
        yield process
    finally:
        process.kill()
        process.join(TIMEOUT)


def test_the_matrix_is_whole():
    """Every step that may have a worker, each with its moments, with either of them killed."""
    assert (len(POINTS) + len(ASKING)) * len(DIALECTS) == 56


@pytest.mark.parametrize(("step", "moment"), POINTS)
def test_a_killed_worker_is_replaced_or_fails_the_cycle(original: Original, step: str, moment: str):
    """One that waits is replaced; one at work fails its cycle, which is undone, and people know."""
    is_busy = moment == "inside" and step in ASKING
    with original.copy(f"worker-{step}-{moment}") as shop:
        slow = shop.home.folder / "slow"
        if is_busy:
            slow.touch()
        with daemon_with_worker(shop, "worker", step, moment) as process:
            wait_until(lambda: shop.is_settled, seconds=TIMEOUT)
            if is_busy:
                check_undone(shop, step)
                slow.unlink()
                shop.home.ask()
                wait_until(lambda: shop.is_settled, seconds=TIMEOUT)
            process.terminate()
            process.join(TIMEOUT)
            assert process.exitcode == 0, shop.log
        check_ended(shop, cycles=3 if is_busy else 2)


@pytest.mark.parametrize("step", ASKING)
def test_a_killed_daemon_leaves_no_worker(original: Original, step: str):
    """The worker ends with it, and the next daemon goes on in the same cycle with another one."""
    with original.copy(f"daemon-{step}") as shop:
        (shop.home.folder / "slow").touch()
        with daemon_with_worker(shop, "daemon", step, "inside") as process:
            process.join(TIMEOUT)
        wait_until(lambda: not workers_of(shop.home.folder), seconds=TIMEOUT)
        (shop.home.folder / "slow").unlink()
        with daemon_with_worker(shop, *NOWHERE) as process:
            wait_until(lambda: shop.is_settled, seconds=TIMEOUT)
            process.terminate()
            process.join(TIMEOUT)
        check_ended(shop, cycles=2, left=1)
        newest, _ = list_cycles(shop.engine, limit=10)
        assert newest.cycle.resumed == 1


def check_undone(shop: Shop, step: str) -> None:
    """The cycle failed at the step, of which nothing is left, and the champion serves on."""
    newest, first = list_cycles(shop.engine, limit=10)
    assert (newest.cycle.status, newest.failed_step) == (Status.FAILED, step)
    assert newest.error is not None
    assert "the Rasa worker was killed by SIGKILL" in newest.error
    registry = EmbeddedRegistry(shop.state / "registry")
    assert registry.active() == first.challenger
    assert [model.name for model in registry.models()] == [first.challenger]
    assert [path.name for path in (shop.state / "records" / "models").iterdir()] == [
        first.challenger
    ]
    assert shop.told[1:] == [f"{newest.cycle.challenger} failed"]


def check_ended(shop: Shop, *, cycles: int, left: int = 0) -> None:
    """The newest cycle promoted its challenger, and nothing else is left, of workers above all.

    `left` is how many of the folders remain in which killed processes unpacked things; the next
    process sweeps them when they are a minute old.
    """
    found = list_cycles(shop.engine, limit=10)
    assert len(found) == cycles
    newest, first = found[0], found[-1]
    assert (newest.cycle.status, newest.promoted) == (Status.COMPLETED, True)
    registry = EmbeddedRegistry(shop.state / "registry")
    assert registry.active() == newest.challenger
    assert {model.name for model in registry.models()} == {first.challenger, newest.challenger}
    trained = (shop.home.folder / "trainings").read_text().split()
    assert len(trained) == len(set(trained)), "a model was trained to its end twice"
    assert newest.challenger in trained
    assert not workers_of(shop.home.folder)
    folders = [path for path in (shop.state / "cycles").iterdir() if path.is_dir()]
    assert folders == []
    assert not list((shop.state / "records" / "cycles").glob("*"))
    hidden = [path for path in shop.state.rglob(".*") if path.name != ".lock"]
    assert hidden == []
    assert len(list(Path(shop.home.folder, "tmp").iterdir())) == left
