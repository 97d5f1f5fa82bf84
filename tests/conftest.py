"""Settings of all rings, and the interpreter that real Rasa runs in."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from support.s3_server import S3Server

# No deadline: machines are shared. CI plays the same examples each time, developers new ones.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


# pytest-xdist gives its processes a terminal's width, which our consoles would take for the user's.
os.environ.pop("COLUMNS", None)

#: Tests that continuous integration has to run: a skipped one says nothing, and looks like a pass.
NEVER_SKIPPED = ("rasa", "postgres", "systemd")


#: Files that share what takes long to make (models, a server): one process of `-n` runs them all.
TOGETHER = {
    "rasa": (
        *("test_challengers_real_rasa", "test_compare", "test_cross_validation_rasa"),
        *("test_cycle_real_rasa", "test_model_server", "test_rasa_servers", "test_rasa_worker"),
        *(
            "test_rasa_worker_figures",
            "test_rasa_worker_stories",
            "test_rasa_worker_guards",
            "test_rasa_x_double",
            "test_training_file",
        ),
    ),
    "mlflow": ("test_mlflow_notifier", "test_notifiers"),
}
#: What takes longest comes first, so that no process is left with it at the end.
RINGS = ("end_to_end", "integration", "contract", "unit")


def group_of(file: PurePath) -> str:
    """The tests that one process runs: those of this file, and of the files that it shares with."""
    return next((name for name, files in TOGETHER.items() if file.stem in files), str(file))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With several processes (`-n 2`) no file is torn apart, so what it makes is made once."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only where it is asked for

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(PurePath(nodeid.partition("::")[0]))

    return ByGroup(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The order in which several processes take their work."""
    if hasattr(config, "workerinput"):
        items.sort(
            key=lambda item: (
                RINGS.index(item.path.parent.name),
                group_of(item.path) not in TOGETHER,
            )
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, object]:
    """In continuous integration (where `CI` is set) a test that must run fails if it is skipped."""
    report = yield
    marks = [name for name in NEVER_SKIPPED if item.get_closest_marker(name)]
    if os.environ.get("CI") and marks and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"tests marked {' and '.join(marks)} must run where CI is set: {reason}"
    return report


@pytest.fixture(scope="session")
def rasa_python() -> Path:
    """The interpreter of the Rasa environment.

    A missing one fails the tests, since a run without them says little; whoever wants that has to
    say so with RETRAINER_TEST_WITHOUT_RASA=1.
    """
    beside = Path(__file__).parents[1] / ".venv-rasa" / "bin" / "python"
    python = Path(os.environ.get("RETRAINER_RASA__PYTHON") or beside)
    if not python.exists():
        if os.environ.get("RETRAINER_TEST_WITHOUT_RASA") == "1":
            pytest.skip("without Rasa, as RETRAINER_TEST_WITHOUT_RASA asks for")
        pytest.fail(
            f"no Rasa interpreter at {python}: run `make setup`, or set RETRAINER_RASA__PYTHON"
        )
    return python


@pytest.fixture(scope="session")
def s3() -> "Iterator[S3Server]":
    """One S3 server for all tests; each takes a new bucket of it."""
    from support.s3_server import s3_server  # noqa: PLC0415 - moto costs a second

    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one MLflow server for all tests; each takes an experiment of its own."""
    from support.mlflow_server import mlflow_server  # noqa: PLC0415 - used by few tests

    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url
