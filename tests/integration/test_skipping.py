"""What may be skipped, and where: the hook in `conftest.py`, on a test session of its own."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SESSION = """
import pytest

@pytest.fixture
def missing():
    pytest.skip("nothing here")

@pytest.mark.rasa
def test_rasa(missing):
    pass

@pytest.mark.postgres
@pytest.mark.skip("not today")
def test_postgres():
    pass

@pytest.mark.rasa
def test_in_the_middle():
    pytest.skip("after all")

def test_other(missing):
    pass
"""


@pytest.mark.parametrize(("where", "failed"), [("true", 3), ("", 0)])
def test_continuous_integration_skips_no_rasa_and_no_postgres(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, where: str, failed: int
):
    """A green run there means that both were really tried; elsewhere a skip is a skip."""
    monkeypatch.setenv("CI", where)
    pytester.makeconftest((Path(__file__).parents[1] / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers =\n  rasa\n  postgres\n")
    pytester.makepyfile(SESSION)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=60)
    counts = result.parseoutcomes()
    assert counts.get("failed", 0) + counts.get("errors", 0) == failed
    assert counts["skipped"] == 4 - failed
    assert ("must run where CI is set: " in result.stdout.str()) == bool(failed)
