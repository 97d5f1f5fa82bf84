"""The Python environment that Rasa runs in: found, made, and looked at without importing Rasa."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import uv
from pydantic import BaseModel, ValidationError

from retrainer.adapters.files import sha256, storage_errors, write_atomically
from retrainer.adapters.folders import discard, exclusive, publish, unfinished
from retrainer.adapters.processes import ProcessFailed, package_indexes, run
from retrainer.errors import RasaEnvironmentError, StorageError
from retrainer.ports import Versions

#: Python versions that Rasa runs on, the best first.
PYTHONS = ("3.10", "3.9", "3.8")
#: Release lines of Rasa Open Source that retrainer knows.
RASAS = ("3.5", "3.6")
#: The packaged lock of the environment, every package with its hashes.
LOCK = Path(__file__).parent.parent / "rasa_worker" / "requirements.txt"

#: In an environment that retrainer made: what it was made from. Written last.
_MARKER = "retrainer.json"
_SETUP_TIP = "run `retrainer rasa setup`"

#: Seconds that the programs may take.
_LOOK, _DOWNLOAD, _INSTALL = 15.0, 900.0, 3600.0

_LIBRARIES = ("rasa", "rasa-pro", "rasa-sdk", "tensorflow", "scikit-learn", "spacy", "transformers")
#: Answered by an interpreter of any age; the last line of its output counts.
_QUESTION = f"""
import json, sys
answer = {{"python": ".".join(map(str, sys.version_info[:3])), "libraries": {{}}}}
try:
    from importlib.metadata import PackageNotFoundError, version
except ImportError:
    names = ()
else:
    names = {_LIBRARIES!r}
for name in names:
    try:
        answer["libraries"][name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(answer))
"""


class _Answer(BaseModel):
    """What an interpreter answers."""

    python: str
    libraries: dict[str, str]


def interpreter(configured: Path | None, environment: Path) -> Path:
    """The interpreter that `locate` finds."""
    return locate(configured, environment)[0]


def locate(configured: Path | None, environment: Path) -> tuple[Path, Versions]:
    """The interpreter that Rasa runs in: the configured one, else that of the environment.

    Returns what it has, too: asking an interpreter takes as long as starting one.

    Raises:
        RasaEnvironmentError: it is missing, does not run, or has no Rasa of a supported version.
    """
    python = (configured or _python_of(environment)).absolute()
    if not python.exists():
        if configured:
            raise RasaEnvironmentError(
                f"rasa.python is {python}, which does not exist",
                tip=f"correct rasa.python in the config, or delete it and {_SETUP_TIP}",
            )
        raise RasaEnvironmentError(f"there is no Rasa in {environment} yet", tip=_SETUP_TIP)
    versions = describe(python)
    if ".".join(versions.rasa.split(".")[:2]) not in RASAS:
        raise _refused(python, f"Rasa {versions.rasa}")
    return python, versions


def describe(python: Path) -> Versions:
    """Which Python, Rasa and libraries an interpreter has; takes a fraction of a second.

    Raises:
        RasaEnvironmentError: it does not run, or has no Rasa Open Source.
    """
    version, libraries = _ask(python)
    if "rasa" not in libraries:
        pro = libraries.get("rasa-pro")
        raise _refused(python, f"Rasa Pro {pro}" if pro else f"Python {version} and no Rasa")
    return Versions(python=version, rasa=libraries.pop("rasa"), libraries=libraries)


def set_up(
    environment: Path,
    *,
    python: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    requirements: Path = LOCK,
) -> Path:
    """Make the environment from the lock, and return its interpreter.

    `python` is the interpreter to make it with; None: one that is found, else one that uv fetches.
    `progress` is told in words what goes on.
    One that was made from the same lock is returned as it is. Another one is replaced only when
    the new one is complete, so that a set-up that fails or is killed leaves it usable.

    Raises:
        RasaEnvironmentError: there is no usable Python, a package could not be installed, or the
            folder holds something else.
        StorageError: it could not be written.
    """
    environment = environment.absolute()
    made_from = {"lock": _digest(requirements), "python": str(python.absolute()) if python else ""}
    workplace = environment.parent / f".{environment.name}.setup"
    with exclusive(workplace, wait=_INSTALL, passing=True):
        marker = _read_marker(environment)
        if _python_of(environment).exists() and _fits(marker, made_from):
            return _python_of(environment)
        if marker is None and environment.exists() and any(environment.iterdir()):
            raise RasaEnvironmentError(
                f"{environment} exists and was not made by `retrainer rasa setup`",
                tip="name another folder in rasa.environment, or name its interpreter in "
                "rasa.python to use it as it is",
            )
        chosen = _choose(python, progress)
        with unfinished(workplace) as new:
            _build(new, chosen, requirements, progress)
            write_atomically(new / _MARKER, json.dumps(made_from).encode())
            progress(f"moving the environment to {environment}")
            discard(environment, workplace)
            # One call for all: it has some 40,000 files.
            os.sync()
            publish(new, environment, synced=True)
    return _python_of(environment)


def find_python() -> Path | None:
    """A Python that Rasa runs on: from PATH, pyenv's versions or uv's list, the best first."""
    for version in PYTHONS:
        for candidate in _candidates(version):
            if _version_of(candidate) == version:
                return candidate
    return None


def _candidates(version: str) -> Iterator[Path]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if (python := Path(folder, f"python{version}")).is_file():
            yield python.absolute()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    try:
        words = [uv.find_uv_bin(), "python", "find", version]
        yield Path(run(words, timeout=_LOOK, environment=package_indexes()).strip())
    except (ProcessFailed, FileNotFoundError):
        return


def _version_of(python: Path) -> str | None:
    """`3.10`, for example; None where it does not run, as pyenv's shims of what is not selected."""
    try:
        return ".".join(_ask(python)[0].split(".")[:2])
    except RasaEnvironmentError:
        return None


def _choose(python: Path | None, progress: Callable[[str], None]) -> str:
    """What to tell uv to make the environment with."""
    if python is None:
        progress("looking for Python " + ", ".join(PYTHONS))
        found = find_python()
        progress(f"Python: {found or f'none here, uv fetches {PYTHONS[0]}'}")
        return str(found or PYTHONS[0])
    version = _version_of(python)
    if version not in PYTHONS:
        found_version = f"Python {version}" if version else "no working Python interpreter"
        raise RasaEnvironmentError(
            f"{python} is {found_version}, and Rasa runs on Python {', '.join(PYTHONS)}",
            tip="name another interpreter, or none to have one found",
        )
    return str(python.absolute())


def _build(new: Path, python: str, requirements: Path, progress: Callable[[str], None]) -> None:
    progress("making the virtual environment")
    # Relocatable, since it is made beside the place where it is to be.
    make = ["venv", "--quiet", "--relocatable", "--prompt", "rasa", "--python", python, str(new)]
    _uv(
        make,
        new.parent,
        _DOWNLOAD,
        f"Rasa needs Python {', '.join(PYTHONS)}, and uv could not make an environment of {python}",
        "install Python 3.10, or name an interpreter that has Rasa in rasa.python",
    )
    progress(f"installing {requirements.name} (about 2.5 GB, once)")
    sync = ["pip", "sync", "--quiet", "--require-hashes", "--python", str(_python_of(new))]
    _uv(
        [*sync, str(requirements.absolute())],
        new.parent,
        _INSTALL,
        f"the packages of {requirements} could not be installed",
        "see what uv says above; UV_INDEX_URL and HTTPS_PROXY are passed on to it",
    )


def _uv(arguments: list[str], folder: Path, timeout: float, failed: str, tip: str) -> None:
    try:
        words = [uv.find_uv_bin(), *arguments]
        run(words, timeout=timeout, folder=folder, environment=package_indexes())
    except FileNotFoundError as error:
        raise RasaEnvironmentError(
            "the program uv is missing, which retrainer is installed with", tip="pip install uv"
        ) from error
    except ProcessFailed as error:
        if "os error 28" in error.message or os.strerror(errno.ENOSPC) in error.message:
            raise StorageError(
                f"{failed}: {error.message}", tip=f"free about 5 GB below {folder.parent}"
            ) from error
        raise RasaEnvironmentError(f"{failed}: {error.message}", tip=tip) from error


def _ask(python: Path) -> tuple[str, dict[str, str]]:
    """Version of an interpreter, and those of the libraries of interest that it has."""
    try:
        output = run([python, "-I", "-c", _QUESTION], timeout=_LOOK)
        answer = _Answer.model_validate_json(output.strip().rpartition("\n")[2])
    except (ProcessFailed, ValidationError) as error:
        shown = (
            error.message.replace(_QUESTION, "...")
            if isinstance(error, ProcessFailed)
            else f"it answered {output[:80]!r}"
        )
        raise RasaEnvironmentError(
            f"{python} is not a working Python interpreter: {shown}",
            tip=f"correct rasa.python in the config, or delete it and {_SETUP_TIP}",
        ) from error
    return answer.python, answer.libraries


def _python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def _digest(requirements: Path) -> str:
    with storage_errors("reading", requirements):
        return sha256(requirements)


def _read_marker(environment: Path) -> dict[str, str] | None:
    """What retrainer made the environment from; None where it did not make it."""
    try:
        marker = json.loads((environment / _MARKER).read_bytes())
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) else None


def _fits(marker: dict[str, str] | None, made_from: dict[str, str]) -> bool:
    """Whether nothing else is asked for; no particular Python asked for means any."""
    return marker is not None and all(marker.get(k) == v for k, v in made_from.items() if v)


def _refused(python: Path, found: str) -> RasaEnvironmentError:
    return RasaEnvironmentError(
        f"{python} has {found}; supported is Rasa Open Source {' and '.join(RASAS)}",
        tip=f"name another interpreter in rasa.python, or delete it and {_SETUP_TIP}",
    )
