"""Real Rasa for the tests of this ring: one warm worker, and models trained once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.rasa_projects import COMPILED_PIPELINE, DIET_PIPELINE, write_project

from retrainer.adapters.rasa_client import RasaClient
from retrainer.adapters.time_limits import TimeLimits
from retrainer.ports import Progress, Project


@pytest.fixture(scope="session")
def rasa(rasa_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RasaClient]:
    """A warm worker that serves every test; none of them may end it."""
    folder = tmp_path_factory.mktemp("rasa")
    limits = TimeLimits(read=120, train=300, predict=300)
    with RasaClient(
        python=rasa_python, cache=folder / "cache", log=folder / "worker.log", limits=limits
    ) as client:
        yield client


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny project; not to be changed."""
    return write_project(tmp_path_factory.mktemp("tiny") / "project")


@pytest.fixture(scope="session")
def fast_model(
    rasa: RasaClient, project: Project, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model of the tiny project with the fast pipeline."""
    return rasa.train(project, "fast-1", tmp_path_factory.mktemp("models"), lambda _: None)


@pytest.fixture(scope="session")
def diet_model(rasa: RasaClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DIET model of the tiny project: entities, roles, groups and a response selector."""
    folder = tmp_path_factory.mktemp("diet")
    diet = write_project(folder / "project", pipeline=DIET_PIPELINE)
    return rasa.train(diet, "diet-1", folder, lambda _: None)


@pytest.fixture(scope="session")
def compiled_training(
    rasa: RasaClient, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Progress]]:
    """A model of the tiny project with a compiled network, and the progress of its training."""
    folder = tmp_path_factory.mktemp("compiled")
    project = write_project(folder / "project", pipeline=COMPILED_PIPELINE)
    seen: list[Progress] = []
    return rasa.train(project, "compiled-1", folder, seen.append), seen


@pytest.fixture(scope="session")
def compiled_model(compiled_training: tuple[Path, list[Progress]]) -> Path:
    """The archive of that training."""
    return compiled_training[0]
