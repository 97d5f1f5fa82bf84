"""The real thing killed: real Rasa, real processes, SIGKILL, SIGTERM and Ctrl-C."""

import signal
import subprocess
import time

import pytest
import sqlalchemy as sa
from support.commands import TIMEOUT, Workplace, kill_all, utterances
from support.kill_points import die_in_a_cycle
from support.waiting import assert_gone, wait_until
from support.warm_processes import processes

from retrainer.pipeline.steps import CYCLE
from retrainer.store.engine import make_engine, reading
from retrainer.store.tables import cycles, promotions, steps

pytestmark = [pytest.mark.end_to_end, pytest.mark.rasa]

STEPS = [step.name for step in CYCLE]
#: Twice in each step at most: a third interruption gives the cycle up.
POINTS = [
    point
    for name in STEPS
    for point in ([f"during:{name}"] if name == "train" else [f"before:{name}"]) + [f"after:{name}"]
]
TRAINED = "Your Rasa model is trained and saved at"


@pytest.fixture
def better(place: Workplace) -> Workplace:
    """A champion serves, and more data has arrived."""
    for log in place.logs():
        log.unlink()
    place.write(utterances(12))
    return place


def count(place: Workplace, table: sa.Table) -> int:
    engine = make_engine(f"sqlite:///{place.folder}/.retrainer/retrainer.db")
    with reading(engine) as connection:
        found = connection.scalar(sa.select(sa.func.count()).select_from(table))
    engine.dispose()
    return found


def trainings(place: Workplace) -> int:
    """How many trainings came to an end, by the logs of all workers."""
    return sum(log.read_text().count(TRAINED) for log in place.logs())


def die(place: Workplace, point: str) -> None:
    """Run the cycle in a process that kills itself there."""
    environment = {"RETRAINER_RASA__PYTHON": str(place.rasa_python), "OMP_NUM_THREADS": "1"}
    child = processes.Process(
        target=die_in_a_cycle, args=(place.folder, environment, "shop", point)
    )
    child.start()
    child.join(TIMEOUT)
    assert child.exitcode == -signal.SIGKILL, point


def test_one_cycle_killed_in_every_step(better: Workplace):
    """Before, in and after each step: one training, one promotion, one cycle, and no trace."""
    champion = better.champion()
    for point in POINTS:
        die(better, point)
        assert_gone(better.workers())
        assert better.champion() == champion or point in POINTS[POINTS.index("after:promote") :]
    better.run("run-once")

    newest, first = better.history()
    assert (newest["status"], newest["verdict"], newest["promoted"]) == (
        "completed",
        "promote",
        True,
    )
    assert newest["resumed"] == len(POINTS)
    assert better.champion() == newest["challenger"] != first["challenger"]
    assert trainings(better) == 1
    assert count(better, cycles) == 2
    assert count(better, promotions) == 2
    assert count(better, steps) == 2 * len(STEPS)
    kept = {path.name for path in (better.state() / "cycles").iterdir()}
    assert kept == {log.name for log in better.logs()}
    assert not list((better.state() / "records" / "cycles").iterdir())
    better.run("run-once", "--exit-code", code=12)


def interrupt(place: Workplace, number: int, word: str) -> tuple[subprocess.Popen[str], float]:
    """Send a signal to a running `run-once` once it says the word; returns it, and the seconds."""
    process = place.start("run-once")
    try:
        place.wait_for_line(process, word)
        wait_until(lambda: bool(place.workers()), seconds=60)
        workers = place.workers()
        started = time.monotonic()
        process.send_signal(number)
        _, rest = process.communicate(timeout=30)
        seconds = time.monotonic() - started
        assert "Traceback" not in rest
        assert_gone(workers, seconds=10)
    finally:
        kill_all(process)
    assert place.workers() == []
    if number != signal.SIGKILL:
        assert "takes the cycle up again" in rest
    return process, seconds


def test_signals(better: Workplace):
    """However the command is ended, its Rasa worker goes with it, and the next run goes on."""
    champion = better.champion()
    for number, word, code in (
        (signal.SIGINT, "validate", 130),
        (signal.SIGTERM, "LogisticRegressionClassifier", 130),
        (signal.SIGKILL, "LogisticRegressionClassifier", -signal.SIGKILL),
    ):
        process, seconds = interrupt(better, number, word)
        assert process.returncode == code
        assert seconds < 10
        assert better.champion() == champion
    answer = better.run("run-once")
    assert "resumed after pull, validate, split" in answer.err
    newest = better.history()[0]
    assert (newest["status"], newest["resumed"]) == ("completed", 3)
    assert better.champion() == newest["challenger"]
    assert trainings(better) == 1
