"""The wheel as a user has it: installed in an environment of its own, far from the checkout."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import uv
from support.commands import Workplace, write_shop

from retrainer.store.schema import HEAD

pytestmark = [pytest.mark.end_to_end, pytest.mark.rasa]

ROOT = Path(__file__).parents[2]
#: What costs time or memory, and what a quick command has no use for.
HEAVY = [
    "numpy",
    "scipy",
    "fastapi",
    "flask",
    "uvicorn",
    "tensorflow",
    "alembic",
    "slack_sdk",
    "sklearn",
]


def run_uv(*arguments: str | Path) -> None:
    subprocess.run(
        [uv.find_uv_bin(), *map(str, arguments)], check=True, capture_output=True, timeout=300
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment that holds the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    run_uv("build", "--wheel", "--quiet", "--out-dir", folder, ROOT)
    (wheel,) = folder.glob("retrainer-*.whl")
    run_uv("venv", "--quiet", "--python", sys.executable, folder / "environment")
    python = folder / "environment" / "bin" / "python"
    requirements = ROOT / "deploy" / "requirements.txt"
    run_uv("pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", requirements)
    run_uv("pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    return python.parent


@pytest.fixture(scope="module")
def fresh(
    installed: Path, rasa_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Workplace:
    """An empty folder, and the installed command."""
    place = Workplace(tmp_path_factory.mktemp("fresh"), rasa_python)
    place.command = (str(installed / "retrainer"),)
    return place


def test_a_users_first_steps(fresh: Workplace):
    """From an empty folder to a model that serves, by the commands that the README names."""
    assert fresh.run("--version").out.startswith("retrainer ")
    assert "run-once" in fresh.run("--help").out
    write_shop(fresh.folder / "project")
    (fresh.folder / "project" / "must_pass.yml").unlink()
    fresh.run("init", "project", "--name", "shop")
    assert (fresh.folder / "project" / "tests" / "must_pass.yml").is_file()
    assert "assistant shop: 30 examples of 3 intents" in fresh.run("check").out
    fresh.run("run-once", "--exit-code")
    fresh.run("db", "check")
    assert f"{HEAD} (current)" in fresh.run("db", "current").out
    (cycle,) = fresh.history()
    assert cycle["challenger"] == fresh.champion()
    assert "f1_weighted" in fresh.run("show").out
    assert cycle["challenger"] in fresh.run("models").out
    info = json.loads(fresh.run("rasa", "info", "--json").out)
    assert info["interpreter"] == str(fresh.rasa_python)
    before = fresh.logs()
    fresh.run("run-once", "--exit-code", code=12)
    assert fresh.logs() == before, "a night on which nothing changed started Rasa"


@pytest.mark.parametrize("arguments", [["--help"], ["history"], ["models"], ["db", "current"]])
def test_quick_commands_import_nothing_heavy(fresh: Workplace, arguments: list[str]):
    """Looking something up must not cost what training costs."""
    code = (
        "import sys\nfrom retrainer.cli import main\n"
        f"sys.argv = ['retrainer', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    quick = Workplace(fresh.folder, fresh.rasa_python)
    quick.command = (str(Path(fresh.command[0]).with_name("python")), "-c", code)
    loaded = quick.run().err.split()
    assert "typer" in loaded
    assert set(loaded) & set(HEAVY) == set()


def test_rasa_is_set_up_from_the_wheel(fresh: Workplace, tmp_path: Path):
    """The packaged lock makes an environment in which Rasa starts; a second time nothing is done."""
    environment = tmp_path / "rasa"
    said = fresh.run("rasa", "setup", "--environment", str(environment), timeout=600).err
    assert f"works: {environment}/bin/python" in said
    marker = (environment / "retrainer.json").stat().st_mtime
    fresh.run("rasa", "setup", "--environment", str(environment))
    assert (environment / "retrainer.json").stat().st_mtime == marker
