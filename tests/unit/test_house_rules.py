"""The rules of CONTRIBUTING.md that no linter knows."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "retrainer").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 300, 60

#: Where anything at all may be caught: around one notifier, and at the outer edges of processes.
CATCHES_ALL = {
    "retrainer/daemon/cycles.py",
    "retrainer/pipeline/conclusion.py",
    "retrainer/settings/plugins.py",
    "retrainer/cli/app.py",
    "retrainer/rasa_worker/service.py",
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_every_test_states_its_rule():
    """A test without a docstring protects something that nobody can name."""
    silent = [
        f"{name(path)}:{function.lineno} {function.name}"
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


@pytest.mark.parametrize("path", PACKAGE, ids=name)
def test_modules_and_functions_hold_one_idea(path):
    """What grows past these lengths hides two ideas."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE
    long = {
        function.name: function.end_lineno - function.lineno
        for function in functions(path)
        if function.end_lineno - function.lineno > LONGEST_FUNCTION
    }
    assert long == {}


def test_everything_is_caught_in_few_places_only():
    """Elsewhere an unforeseen exception is a bug that must be seen."""
    found = {
        name(path)
        for path in PACKAGE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    }
    assert found == CATCHES_ALL


def test_nothing_of_others_becomes_code():
    """Pickles, YAML and the like are read in the Rasa worker only, which has no secrets."""
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
    forbidden |= {"torch", "tensorflow", "keras", "yaml", "ruamel", "dvc", "git"}
    found = [
        f"{name(path)}:{node.lineno}"
        for path in PACKAGE
        if "rasa_worker" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and {a.name.split(".")[0] for a in node.names} & forbidden)
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in forbidden)
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"eval", "exec", "compile", "__import__"}
        )
        or (isinstance(node, ast.Attribute) and node.attr in {"extractall", "unpack_archive"})
    ]
    assert found == []


def test_nothing_is_mocked():
    """Fakes that keep a port's contract, never an object that answers whatever it is asked."""
    mocked = [
        name(path)
        for path in TESTS
        if path != Path(__file__)
        and re.search(r"unittest\.mock|MagicMock|monkeypatch\.setattr", path.read_text("utf-8"))
    ]
    assert mocked == []


def test_the_wheel_and_the_checkout_agree_on_versions():
    """The version stands in one place, and the changelog speaks of it or of what is to come."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_top_level_holds_what_belongs_there():
    """A newcomer sees the rooms at a glance; everything else has a room of its own."""
    known = {
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "config.example.toml",
        "deploy",
        "migrations",
        "pyproject.toml",
        "retrainer",
        "tests",
    }
    built = {"build", "dist"}
    found = {p.name for p in ROOT.iterdir() if not p.name.startswith((".", "__"))}
    assert found - built == known
