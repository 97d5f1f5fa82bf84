"""Settings of all rings, and the interpreter that real Rasa runs in."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from support.s3_server import S3Server

# No deadline: machines are shared. CI plays the same examples each time, developers new ones.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


#: Tests that continuous integration has to run: a skipped one says nothing, and looks like a pass.
NEVER_SKIPPED = ("rasa", "postgres")


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
