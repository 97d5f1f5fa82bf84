"""A trained champion for the tests of this ring, made once and copied for each."""

from pathlib import Path

import pytest
from support.commands import Workplace


@pytest.fixture(scope="session")
def trained(rasa_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A workplace whose assistant `shop` has a champion; only to be copied."""
    made = Workplace.make(tmp_path_factory.mktemp("trained") / "place", rasa_python)
    made.run("run-once")
    assert made.champion() is not None
    return made


@pytest.fixture
def place(trained: Workplace, tmp_path: Path) -> Workplace:
    """A copy with that champion."""
    return trained.copy(tmp_path / "place")
