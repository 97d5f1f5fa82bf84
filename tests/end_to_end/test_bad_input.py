"""Everything that a user may get wrong: one clear error, the right exit code, the champion as it was."""

import os
import signal
import sqlite3
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import (
    ASSISTANT,
    POLICY,
    Answer,
    Workplace,
    kill_all,
    nlu,
    utterances,
    write_shop,
)
from support.waiting import assert_gone, wait_until

pytestmark = [pytest.mark.end_to_end, pytest.mark.rasa]


@pytest.fixture
def served(place: Workplace) -> Iterator[Workplace]:
    """A champion serves; it does so at the end too."""
    champion = place.champion()
    yield place
    assert place.champion() == champion
    assert place.workers() == []


def one_error(answer: Answer) -> str:
    """The only error that was printed, wherever it was."""
    assert len(answer.errors) == 1, str(answer)
    assert answer.out == ""
    return answer.errors[0]


def failed_cycle(place: Workplace, assistant: str = "shop") -> str:
    """Why the newest cycle of the assistant failed."""
    newest = place.documents("history", "--json", "--assistant", assistant)[0]
    assert newest["status"] == "failed"
    return newest["error"]


CONFIGURATIONS = {
    "unknown key": ("[rasa]\nstart_limt = '5m'\n", "rasa.start_limt: unknown key, did you mean"),
    "wrong type": ("[rasa]\nstart_limit = 5\n", "rasa.start_limit: a duration is a number with a"),
    "not TOML": ("[rasa\n", "not TOML: "),
    "unknown policy": (
        '[assistants.b]\npolicy = "p"\nsource = { type = "directory", path = "b" }\n',
        "assistants.b.policy: unknown policy 'p'; known are default, easy",
    ),
    "unknown plugin": (
        '[assistants.b]\nsource = { type = "svn", path = "b" }\n',
        "assistants.b.source.type: unknown 'svn'; known are directory",
    ),
    "unknown option of a plugin": (
        '[assistants.b]\nsource = { type = "directory", path = "b", paht = "c" }\n',
        "assistants.b.source.paht: unknown key, did you mean path?",
    ),
    "bad name": (
        '[assistants."B b"]\nsource = { type = "directory", path = "b" }\n',
        "assistants.B b",
    ),
    "unknown rule": ("[policies.p.x]\nrule = 'better'\n", "policies.p.x.rule: unknown rule"),
    "impossible limit": (
        "[policies.p.x]\nrule = 'floor'\nmetric = 'f1_weighted'\nminimum = 60\n",
        "policies.p.x",
    ),
    "unknown metric": (
        "[policies.p.x]\nrule = 'floor'\nmetric = 'f1'\nminimum = 0.6\n",
        "policies.p.x",
    ),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_configuration(served: Workplace, case: str):
    """Exit code 78 before anything is done, with the file and the key's path."""
    addition, expected = CONFIGURATIONS[case]
    config = served.folder / "retrainer.toml"
    config.write_text(config.read_text() + addition)
    error = one_error(served.run("run-once", code=78))
    assert f"{config}: " in error
    assert expected in error


def test_no_configuration(served: Workplace):
    """Who has none yet is told how to make one."""
    (served.folder / "retrainer.toml").unlink()
    answer = served.run("run-once", code=78)
    assert "retrainer.toml is not there" in one_error(answer)
    assert "retrainer init" in answer.err
    served.configure(ASSISTANT.format(name="shop") + POLICY)


def without(*names: str) -> Callable[[Path], None]:
    def spoil(project: Path) -> None:
        for name in names:
            (project / name).rename(project.parent / f"old-{name}")

    return spoil


def move_away(project: Path) -> None:
    project.rename(project.with_name("elsewhere"))


PROJECTS = {
    "missing": (move_away, "the project's folder {project} does not exist"),
    "empty": (
        without("config.yml", "domain.yml", "data", "must_pass.yml"),
        "0 files in the project's folder {project} match, at least 1 is needed",
    ),
    "no domain": (without("domain.yml"), "no domain in "),
    "no config": (without("config.yml"), "no config in "),
    "no data": (without("data"), "no training data in "),
    "no must-pass file": (without("must_pass.yml"), "must_pass: must_pass.yml is not in the"),
}


@pytest.mark.parametrize("case", PROJECTS)
def test_project(served: Workplace, case: str):
    """What is missing is said without starting Rasa, as a failed cycle."""
    spoil, expected = PROJECTS[case]
    logs = served.logs()
    spoil(served.folder / "shop")
    answer = served.run("run-once", code=1)
    expected = expected.format(project=served.folder / "shop")
    assert expected in failed_cycle(served)
    assert answer.out.count(expected) + answer.err.count(expected) == 1, str(answer)
    if case != "no must-pass file":
        assert served.logs() == logs
