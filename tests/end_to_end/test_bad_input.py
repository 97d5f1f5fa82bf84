"""Everything that a user may get wrong: one clear error, the right exit code, the champion as it was."""

import hashlib
import os
import signal
import sqlite3
import subprocess
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
        "assistants.b.policy: unknown policy 'p'; known are default, strict, fast, legacy-2018, easy",
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


def broken_yaml(project: Path) -> None:
    nlu_file = project / "data" / "nlu.yml"
    nlu_file.write_text('version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hi\n - x: y\n')


def latin_1(project: Path) -> None:
    with (project / "data" / "nlu.yml").open("ab") as file:
        file.write("    - grüße\n".encode("latin-1"))


def one_intent(project: Path) -> None:
    (project / "data" / "nlu.yml").write_text(nlu({"order": utterances()["order"]}))


def undeclared_intent(project: Path) -> None:
    with (project / "data" / "nlu.yml").open("a") as file:
        file.write("- intent: refund\n  examples: |\n    - money back\n    - refund me\n")


def unknown_must_pass(project: Path) -> None:
    (project / "must_pass.yml").write_text(nlu({"oder": ["order me a pizza"]}))


def broken_must_pass(project: Path) -> None:
    (project / "must_pass.yml").write_text('version: "3.1"\nnlu: [\n')


CONTENTS = {
    "yaml": (broken_yaml, "data/nlu.yml:6: not valid YAML"),
    "encoding": (latin_1, "data/nlu.yml:39: not UTF-8: byte 0xfc"),
    "one-intent": (one_intent, "data/nlu.yml: the training data holds 1 intent (order), at least"),
    "undeclared": (undeclared_intent, "data/nlu.yml:41: unknown intent 'refund': the domain does"),
    "must-pass": (unknown_must_pass, "\nmust_pass.yml:5: unknown intent 'oder': no training"),
    "must-pass-yaml": (broken_must_pass, "must_pass.yml:3: not valid YAML"),
}


@pytest.fixture(scope="module")
def spoilt(rasa_python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, Answer]:
    """Assistants with each kind of wrong content, after one `run-once` for all of them."""
    place = Workplace.make(tmp_path_factory.mktemp("spoilt") / "place", rasa_python, *CONTENTS)
    for name, (spoil, _) in CONTENTS.items():
        spoil(place.folder / name)
    return place, place.run("run-once", code=1)


@pytest.mark.parametrize("case", CONTENTS)
def test_content(spoilt: tuple[Workplace, Answer], case: str):
    """Wrong content is named with its file and line in the project, as a failed cycle."""
    place, answer = spoilt
    expected = CONTENTS[case][1]
    assert expected in failed_cycle(place, case)
    assert str(place.folder / ".retrainer") not in failed_cycle(place, case)
    assert answer.out.count(expected.strip()) == 1
    assert answer.errors == []
    assert place.champion(case) is None


def fake_interpreter(folder: Path, libraries: str, python: str = "3.10.1") -> Path:
    """A program that answers as an interpreter with these libraries would."""
    program = folder / "python"
    program.write_text(
        f"""#!/bin/sh\necho '{{"python": "{python}", "libraries": {libraries}}}'\n"""
    )
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("libraries", "expected"),
    [
        ('{"rasa": "2.8.34"}', "Rasa 2.8.34"),
        ('{"rasa-pro": "3.9.1"}', "Rasa Pro 3.9.1"),
        ("{}", "no Rasa"),
    ],
)
def test_interpreter_of_the_wrong_version(served: Workplace, libraries: str, expected: str):
    """Exit code 78, with what it is and what is supported; no cycle begins."""
    cycles = len(served.history())
    program = fake_interpreter(served.folder, libraries)
    served.environment["RETRAINER_RASA__PYTHON"] = str(program)
    answer = served.run("run-once", "--force", code=78)
    assert expected in one_error(answer)
    assert "3.5" in answer.err
    assert "3.6" in answer.err
    assert len(served.history()) == cycles


def test_interpreter_missing(served: Workplace):
    """Exit code 78, with the key and the command that makes an environment."""
    served.environment["RETRAINER_RASA__PYTHON"] = "/nowhere/python"
    answer = served.run("run-once", "--force", code=78)
    assert "rasa.python is /nowhere/python, which does not exist" in one_error(answer)
    assert "retrainer rasa setup" in answer.err
    (served.folder / "not-a-program").write_text("hello")
    served.environment["RETRAINER_RASA__PYTHON"] = str(served.folder / "not-a-program")
    assert "not-a-program" in one_error(served.run("run-once", "--force", code=78))


def test_worker_killed_while_it_trains(served: Workplace):
    """As the out-of-memory killer does: a failed cycle that says so, and the next night works."""
    process = served.start("run-once", "--force")
    try:
        served.wait_for_line(process, "LogisticRegressionClassifier")
        workers = served.workers()
        os.kill(min(workers), signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    finally:
        kill_all(process)
    assert process.returncode == 1, err
    assert "FAILED in step train: the Rasa worker was killed by SIGKILL" in out
    assert "out-of-memory killer" in failed_cycle(served)
    assert_gone(workers)
    assert len(served.documents("models", "--json")) == 1
    assert not list((served.state() / "cycles").glob("shop-*"))


def test_training_over_its_time_limit(served: Workplace):
    """The worker is killed, and the message names the limit and its key."""
    config = served.folder / "retrainer.toml"
    config.write_text(config.read_text() + '\n[assistants.shop.training]\ntime_limit = "0.2s"\n')
    answer = served.run("run-once", "--force", code=1)
    assert "longer than its limit of 0.2 s to train" in failed_cycle(served)
    assert "raise assistants.shop.training.time_limit" in answer.out


def large_model(place: Workplace) -> None:
    """Change the project so that its model holds some megabytes of n-grams."""
    config = place.folder / "shop" / "config.yml"
    featurizer = "- name: CountVectorsFeaturizer\n"
    letters = "  analyzer: char_wb\n  min_ngram: 1\n  max_ngram: 40\n"
    config.write_text(config.read_text().replace(featurizer, featurizer + letters))
    place.write(
        {
            intent: [f"{text} {hashlib.sha512(text.encode()).hexdigest()}" for text in texts]
            for intent, texts in utterances(12).items()
        }
    )


def small_disk(command: str) -> str:
    """Shell words that give the state folder a disk of its own with 3 MB left for the command."""
    mount = (
        "cp -a .retrainer copy && mount -t tmpfs -o size=4m none .retrainer && "
        "cp -a copy/. .retrainer && "
    )
    after = "; code=$?; cp -a .retrainer/. copy; exit $code"
    return f'unshare -m sh -c \'{mount}{{ {command} "$@"{after}; }}\' sh "$@"'


@pytest.mark.parametrize("kind", ["file size", "small disk"])
def test_disk_full_while_a_model_is_written(served: Workplace, kind: str):
    """Full means a failed cycle that says so, and neither a half model nor a broken history."""
    if kind == "small disk" and subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("mounting a disk takes rights that this user does not have")
    large_model(served)
    command = f"{sys.executable} -m retrainer"
    limited = f'ulimit -f 2000; exec {command} "$@"'  # blocks of 512 bytes; the database fits
    script = limited if kind == "file size" else small_disk(command)
    served.command = ("/bin/sh", "-c", script, "sh")
    answer = served.run("run-once", code=1)
    assert "FAILED in step train: " in answer.out
    assert "free space" in answer.out
    served.command = (sys.executable, "-m", "retrainer")
    if kind == "small disk":
        (served.folder / ".retrainer").rename(served.folder / "before")
        (served.folder / "copy").rename(served.folder / ".retrainer")
    full = {"file size": "File too large", "small disk": "No space left on device: "}
    assert full[kind] in failed_cycle(served)
    assert len(served.documents("models", "--json")) == 1
    assert not list((served.state() / "cycles").glob("shop-*"))
    served.run("show")


def lock(place: Workplace) -> sqlite3.Connection:
    connection = sqlite3.connect(place.folder / ".retrainer" / "retrainer.db")
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_database_locked(served: Workplace):
    """Another program that holds the database is named as the cause."""
    connection = lock(served)
    error = one_error(served.run("run-once", code=1))
    assert "it is locked by another program" in error
    connection.rollback()
    connection.close()
    served.run("run-once", "--exit-code", code=12)


@pytest.mark.parametrize(
    ("place_name", "expected"),
    [(".retrainer/retrainer.db", "it is read-only"), (".retrainer", "it cannot be opened")],
)
def test_database_read_only(served: Workplace, place_name: str, expected: str):
    """Who may not write to the file, or to its folder, is told where."""
    protected = served.folder / place_name
    rights = protected.stat().st_mode
    if os.geteuid() == 0:  # who may write in spite of permissions
        mount = f"mount --bind {place_name} {place_name}"
        script = f'{mount} && mount -o remount,bind,ro {place_name} && exec {sys.executable} "$@"'
        served.command = ("unshare", "-m", "sh", "-c", script, "sh", "-m", "retrainer")
    else:
        protected.chmod(0o555)
    answer = served.run("run-once", "--force", code=1)
    protected.chmod(rights)
    served.command = (sys.executable, "-m", "retrainer")
    assert expected in one_error(answer)
    assert "may write to it" in answer.err or "the right to write" in answer.err
    assert str(served.folder / ".retrainer") in answer.err
    assert len(served.history()) == 1


@pytest.mark.parametrize(
    ("revision", "expected", "tip"),
    [
        ("0000", "has the older schema revision 0000", "retrainer db upgrade"),
        ("9999", "was made by a newer retrainer", "install the newer version"),
    ],
)
def test_database_of_another_version(served: Workplace, revision: str, expected: str, tip: str):
    """Nothing is read or written in a schema of another version; exit code 78."""
    with sqlite3.connect(served.folder / ".retrainer" / "retrainer.db") as connection:
        (before,) = connection.execute("SELECT version_num FROM retrainer_schema").fetchone()
        connection.execute("UPDATE retrainer_schema SET version_num = ?", [revision])
    for command in ("run-once", "history", "check"):
        answer = served.run(command, code=78)
        assert expected in "".join(answer.errors)
        assert tip in answer.err
    served.run("db", "check", code=78)
    with sqlite3.connect(served.folder / ".retrainer" / "retrainer.db") as connection:
        connection.execute("UPDATE retrainer_schema SET version_num = ?", [before])
    connection.close()


def test_database_that_is_none(served: Workplace):
    """A file that is no database is said to be none."""
    (served.folder / ".retrainer" / "retrainer.db").write_bytes(b"no database at all\n" * 100)
    assert "it is not an SQLite database" in one_error(served.run("run-once", code=1))


def test_two_at_the_same_moment(served: Workplace):
    """One runs its cycle, the other ends with 75 and says who is at work."""
    first, second = (served.start("run-once", "--force") for _ in range(2))
    try:
        wait_until(
            lambda: (
                None not in {first.poll(), second.poll()}
                or bool({first.poll(), second.poll()} - {None})
            ),
            seconds=60,
        )
        busy, running = (first, second) if first.poll() is not None else (second, first)
        _, err = busy.communicate(timeout=60)
        assert busy.returncode == 75, err
        assert f"by {os.uname().nodename} pid {running.pid}" in err
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)
        assert running.returncode == 130
    finally:
        kill_all(first)
        kill_all(second)
    assert len(served.history()) == 2


def damage_by_truncation(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-100])


def damage_by_escape(archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as made:
        made.add(__file__, arcname="../../../escaped")


@pytest.mark.parametrize("damage", [damage_by_truncation, damage_by_escape])
def test_champions_archive_is_damaged(served: Workplace, damage: Callable[[Path], None]):
    """A champion that cannot be measured is not replaced: the cycle fails and names the file."""
    (archive,) = served.state().glob("registry/versions/*/model.tar.gz")
    archive.chmod(0o644)
    damage(archive)
    served.write(utterances(12))
    answer = served.run("run-once", code=1)
    assert str(archive) in failed_cycle(served)
    assert "damaged" in answer.out
    assert len(served.documents("models", "--json")) == 1
    assert not list(served.folder.rglob("escaped"))
