"""Making, finding and judging the environment that Rasa runs in, with real interpreters and uv.

A wheel made here stands for Rasa where only its version matters: no index is asked.
"""

import os
import random
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from support.children import python as start_python

from retrainer.adapters.files import sha256
from retrainer.adapters.processes import run
from retrainer.adapters.rasa_environment import (
    PYTHONS,
    describe,
    find_python,
    interpreter,
    set_up,
)
from retrainer.errors import RasaEnvironmentError, StorageError


def write_requirements(folder: Path, version: str = "3.6.21", name: str = "rasa") -> Path:
    """A lock of one package, a wheel beside it, with its hash."""
    module = name.replace("-", "_")
    wheel = folder / f"{module}-{version}-py3-none-any.whl"
    information = f"{module}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{module}.py", "def main():\n    print('it runs')\n")
        archive.writestr(
            f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{information}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(
            f"{information}/entry_points.txt", f"[console_scripts]\n{name} = {module}:main\n"
        )
        archive.writestr(f"{information}/RECORD", "")
    requirements = folder / f"{module}-{version}.txt"
    requirements.write_text(f"{name} @ {wheel.as_uri()} --hash=sha256:{sha256(wheel)}\n")
    return requirements


def leftovers(folder: Path) -> list[str]:
    """What earlier set-ups left behind."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture(scope="module")
def python() -> Path | None:
    """A Python that Rasa runs on, if there is one here; uv fetches one otherwise."""
    return find_python()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither an interpreter to be found nor a network to fetch one from."""
    for variable in ("PATH", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / "empty"))
    monkeypatch.setenv("UV_OFFLINE", "1")


def test_the_environment_is_made_once(tmp_path: Path, python: Path | None):
    """A set-up gives a working interpreter and scripts; the next one returns at once."""
    said: list[str] = []
    environment, requirements = tmp_path / "state" / "rasa", write_requirements(tmp_path)
    made = set_up(environment, python=python, progress=said.append, requirements=requirements)
    assert made == environment / "bin" / "python"
    assert interpreter(None, environment) == made
    assert describe(made).rasa == "3.6.21"
    assert run([environment / "bin" / "rasa"], timeout=30).strip() == "it runs"
    assert said
    said.clear()
    set_up(environment, progress=said.append, requirements=requirements)
    assert said == []
    assert leftovers(environment.parent) == []


def test_another_lock_replaces_the_environment(tmp_path: Path, python: Path | None):
    """An upgrade of retrainer with another lock makes the environment anew."""
    environment = tmp_path / "rasa"
    set_up(environment, python=python, requirements=write_requirements(tmp_path, "3.6.20"))
    set_up(environment, python=python, requirements=write_requirements(tmp_path, "3.6.21"))
    assert describe(interpreter(None, environment)).rasa == "3.6.21"
    assert leftovers(tmp_path) == []


def test_a_failed_set_up_leaves_the_old_environment(tmp_path: Path, python: Path | None):
    """A package that is not the locked one is refused, and what worked goes on working."""
    environment = tmp_path / "rasa"
    set_up(environment, python=python, requirements=write_requirements(tmp_path))
    forged = write_requirements(tmp_path, "3.6.22")
    forged.write_text(forged.read_text()[:-5] + "0000\n")
    with pytest.raises(RasaEnvironmentError, match=r"(?i)could not be installed(.|\n)*hash"):
        set_up(environment, python=python, requirements=forged)
    unhashed = write_requirements(tmp_path, "3.6.23")
    unhashed.write_text(unhashed.read_text().partition(" --hash")[0])
    with pytest.raises(RasaEnvironmentError, match="could not be installed"):
        set_up(environment, python=python, requirements=unhashed)
    assert describe(interpreter(None, environment)).rasa == "3.6.21"
    assert leftovers(tmp_path) == []


def test_a_killed_set_up_is_done_again(tmp_path: Path, python: Path | None):
    """Whenever it is killed, the environment is whole or missing, and the next set-up makes it."""
    code = """
        import sys
        from pathlib import Path
        from retrainer.adapters.rasa_environment import set_up
        environment, requirements, python = sys.argv[1:]
        print("ready", flush=True)
        set_up(Path(environment), python=Path(python), requirements=Path(requirements))
    """
    environment, requirements = tmp_path / "rasa", write_requirements(tmp_path)
    found = python or set_up(tmp_path / "other", requirements=requirements)
    draw = random.Random(1)
    for _ in range(8):
        with start_python(code, environment, requirements, found) as child:
            assert child.stdout.readline() == "ready\n", child.stderr.read()
            time.sleep(draw.uniform(0.0, 0.6))
            child.kill()
            child.wait()
        if environment.exists():
            assert describe(interpreter(None, environment)).rasa == "3.6.21"
    set_up(environment, python=found, requirements=requirements)
    assert describe(interpreter(None, environment)).rasa == "3.6.21"
    assert leftovers(tmp_path) == []


def test_a_folder_of_another_kind_is_not_touched(tmp_path: Path):
    """A mistaken `rasa.environment` costs nobody their files."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(RasaEnvironmentError, match="was not made by"):
        set_up(tmp_path / "home", requirements=write_requirements(tmp_path))
    assert (tmp_path / "home" / "thesis.txt").read_text() == "years of work"


def test_a_python_that_does_not_run_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: Path | None
):
    """The shims that pyenv has of unselected versions, and other impostors, are passed over."""
    if python is None:
        pytest.skip("there is no Python for Rasa on this machine")
    version = run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], timeout=30)
    for folder, script in (("shims", "exit 127"), ("liar", "echo 3.10"), ("empty", "")):
        (tmp_path / folder).mkdir()
        for name in PYTHONS:
            impostor = tmp_path / folder / f"python{name}"
            impostor.write_text(f"#!/bin/sh\n{script}\n")
            impostor.chmod(0o755)
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / f"python{version.strip()}"
    real.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    real.chmod(0o755)
    folders = [tmp_path / name for name in ("shims", "liar", "empty", "none", "real")]
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "none"))
    assert find_python() == real


@pytest.mark.usefixtures("offline")
def test_pyenvs_versions_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: Path | None
):
    """A Python that pyenv built is used though it is not on PATH."""
    if python is None:
        pytest.skip("there is no Python for Rasa on this machine")
    version = describe_python(python)
    (tmp_path / "pyenv" / "versions" / version / "bin").mkdir(parents=True)
    there = tmp_path / "pyenv" / "versions" / version / "bin" / "python"
    there.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    there.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert find_python() == there


def describe_python(python: Path) -> str:
    """`3.10.13`, for example."""
    return run(
        [python, "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"], timeout=30
    ).strip()


@pytest.mark.usefixtures("offline")
def test_no_python_at_all(tmp_path: Path):
    """Where none is found and none can be fetched, the message says which are needed."""
    assert find_python() is None
    with pytest.raises(RasaEnvironmentError, match=r"Rasa needs Python 3\.10") as failure:
        set_up(tmp_path / "rasa", requirements=write_requirements(tmp_path))
    assert "rasa.python" in failure.value.tip
    assert not (tmp_path / "rasa").exists()


def test_a_python_that_rasa_does_not_run_on_is_refused(tmp_path: Path):
    """The service's own interpreter is too new for Rasa, and the message names both."""
    with pytest.raises(RasaEnvironmentError, match=r"is Python 3\.1[1-9], .* 3\.10, 3\.9, 3\.8"):
        set_up(tmp_path / "rasa", python=Path(sys.executable))


def test_a_missing_lock_is_an_error(tmp_path: Path):
    """A file that is gone is a failure of retrainer's own kind."""
    with pytest.raises(StorageError, match=r"none\.txt"):
        set_up(tmp_path / "rasa", requirements=tmp_path / "none.txt")


def test_a_missing_interpreter_leads_to_the_set_up(tmp_path: Path):
    """Who has not made the environment yet is told the command that does."""
    with pytest.raises(RasaEnvironmentError, match="no Rasa in") as failure:
        interpreter(None, tmp_path / "rasa")
    assert "retrainer rasa setup" in failure.value.tip
    with pytest.raises(RasaEnvironmentError, match=r"rasa\.python is .*none, which does not exist"):
        interpreter(tmp_path / "none", tmp_path / "rasa")


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false", "/bin/ls", "/etc/passwd", "/"])
def test_what_is_no_interpreter_is_refused(tmp_path: Path, program: str):
    """Any other path in `rasa.python` is an error that names it."""
    with pytest.raises(RasaEnvironmentError, match=f"{program} is not a working Python"):
        interpreter(Path(program), tmp_path)


@pytest.mark.parametrize(
    ("name", "version", "says"),
    [
        ("rasa", "3.4.9", "has Rasa 3.4.9"),
        ("rasa", "3.7.0", "has Rasa 3.7.0"),
        ("rasa", "2.8.26", "has Rasa 2.8.26"),
        ("rasa", "3.60.1", "has Rasa 3.60.1"),
        ("rasa-pro", "3.9.1", "has Rasa Pro 3.9.1"),
        ("something", "1.0", r"has Python 3\.\d+\.\d+ and no Rasa"),
    ],
)
def test_another_rasa_is_refused_by_name(tmp_path: Path, name: str, version: str, says: str):
    """What is found and what is supported both stand in the message."""
    run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], timeout=60)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    write_requirements(tmp_path, version, name)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(packages)
    with pytest.raises(RasaEnvironmentError, match=f"{says}; supported is Rasa Open Source 3.5"):
        interpreter(tmp_path / "venv" / "bin" / "python", tmp_path)


@pytest.mark.rasa
def test_the_real_environment(rasa_python: Path):
    """Real Rasa is known by its version in a fraction of the time that importing it takes."""
    started = time.monotonic()
    versions = describe(rasa_python)
    assert time.monotonic() - started < 2
    assert interpreter(rasa_python, Path("unused")) == rasa_python
    assert versions.rasa.startswith(("3.5.", "3.6."))
    assert {"rasa-sdk", "tensorflow"} <= set(versions.libraries)
    reported = subprocess.run(
        [rasa_python, "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert reported.split()[1] == versions.python
