"""Settings of all rings, and the interpreter that real Rasa runs in."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

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
