"""`retrainer demo`: four nights of a small assistant, with real training each time."""

import json
import os
import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from retrainer.cli.cycles import run_for
from retrainer.cli.output import messages, results
from retrainer.cli.output import show as show_result
from retrainer.errors import ConfigurationError
from retrainer.wiring import Application

_MARK = ".retrainer-demo"
_CONFIG = """\
# The configuration of the demo: what `retrainer init` writes, and a console to tell.

[assistants.shop]
must_pass = ["must_pass.yml"]
source = { type = "directory", path = "assistant" }

[policies.default]
good_enough = { rule = "floor", metric = "f1_weighted", minimum = 0.6 }
better = { rule = "gain", metric = "f1_weighted", more_than = 0.0 }
must_pass = { rule = "must_pass" }
intents = { rule = "intent_drop", maximum = 0.10, minimum_support = 10 }
"""
_NIGHTS = (
    "Night 1: No champion yet. The floor and the must-pass utterances decide alone.",
    "Night 2: Better data arrives. The challenger has to win on utterances neither model saw.",
    "Night 3: A bad night. Some utterances were annotated with the wrong intent.",
    "Night 4: Nothing changed. Nothing is trained, and no Rasa process is started.",
)


def demo(
    folder: Annotated[Path, typer.Argument(help="A folder of its own.")] = Path("retrainer-demo"),
) -> None:
    """Play four nights of a bundled assistant, with real Rasa training each time."""
    _prepare(folder)
    application = Application.from_config(folder / "retrainer.toml")
    _set_up_rasa(application)
    for number, what in enumerate(_NIGHTS, start=1):
        results.rule(f"[bold]{what.partition(':')[0]}[/]", align="left")
        results.print(what.partition(": ")[2], style="italic")
        _annotate(number, folder)
        run_for(application, "shop")
    _epilogue(application, folder)


def _prepare(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise ConfigurationError(
            f"{folder} holds other files, and the demo needs a folder of its own",
            tip="name a new folder: `retrainer demo FOLDER`",
        )
    for old in ("assistant", ".retrainer/assistants"):
        shutil.rmtree(folder / old, ignore_errors=True)
    for database in folder.glob(".retrainer/retrainer.db*"):
        database.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    config = _CONFIG
    if environment := os.environ.get("RETRAINER_RASA__ENVIRONMENT"):  # for the commands to try next
        config += f"\n[rasa]\nenvironment = {json.dumps(str(Path(environment).absolute()))}\n"
    (folder / "retrainer.toml").write_text(config, encoding="utf-8")
    with as_file(files("retrainer.demo") / "assistant") as assistant:
        shutil.copytree(assistant, folder / "assistant")


def _set_up_rasa(application: Application) -> None:
    from retrainer.adapters.rasa_environment import set_up

    if application.settings.rasa.python is None:
        with messages.status("Setting up Rasa's environment (once) …"):
            set_up(application.rasa_environment, python=None)


def _annotate(night: int, folder: Path) -> None:
    """What the annotators left behind: files over those of the night before."""
    with as_file(files("retrainer.demo") / "nights" / str(night)) as changed:
        if changed.is_dir():
            shutil.copytree(changed, folder / "assistant", dirs_exist_ok=True)


def _epilogue(application: Application, folder: Path) -> None:
    from retrainer.reports.terminal import history_table
    from retrainer.store.history import list_cycles

    results.rule("[bold]The four nights[/]", align="left")
    show_result(history_table(list_cycles(application.engine)))
    config = folder / "retrainer.toml"
    program = Path(sys.argv[0])
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    results.print("\nTry next:", style="bold")
    for command, why in (
        ("show 3", "why the bad night was rejected"),
        ("show 2", "how the champion was made"),
        ("models", "what is stored, and what serves"),
        ("rollback --reason 'trying it'", "back to the first model, on the ledger"),
        ("history --json", "for scripts"),
    ):
        results.print(
            f"  {program} -c {config} {command:<32} # {why}", markup=False, soft_wrap=True
        )
