"""`retrainer demo`: five nights of a small assistant, with real training each time."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from retrainer.cli.approvals import approve_cycle
from retrainer.cli.cycles import run_for
from retrainer.cli.output import messages, results
from retrainer.cli.output import show as show_result
from retrainer.errors import ConfigurationError, RetrainerError
from retrainer.ports import CycleReport
from retrainer.reports.words import outcome
from retrainer.settings import anchored
from retrainer.settings.environment import PREFIX, variables
from retrainer.wiring import Application

_MARK = ".retrainer-demo"
CONFIG = """\
# The configuration of the demo, much as `retrainer init` writes it.

[assistants.shop]
must_pass = ["must_pass.yml"]
policy = "shop"
source = { type = "directory", path = "assistant" }

# The default policy, and a floor: without a champion there is nothing to compare with.
[policies.shop]
extends = "default"
good_enough = { rule = "floor", metric = "f1_weighted", minimum = 0.6 }
"""
#: What is told of each night, and how it has to end.
_NIGHTS = (
    ("No champion yet. The floor and the must-pass utterances decide alone.", "PROMOTED"),
    ("Better data arrives. The challenger has to win on utterances neither model saw.", "PROMOTED"),
    ("A bad night. Some utterances were annotated with the wrong intent.", "REJECTED"),
    ("Mended, and a few new examples. Too few to tell: a person has to look.", "HELD"),
    ("Nothing changed. Nothing is trained, and no Rasa process is started.", "SKIPPED"),
)
_REASON = "the new examples are right, and nothing got worse"
#: The only settings of the environment that reach the demo: where Rasa is.
_RASA = f"{PREFIX}RASA__"


class DemoFailed(RetrainerError):
    """A night of the demo did not end as it should."""


def demo(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="A folder of its own; what an earlier demo left in it is replaced.",
        ),
    ] = Path("retrainer-demo"),
) -> None:
    """Play five nights of a bundled assistant, with real Rasa training each time.

    Takes a few minutes, and about 2.5 GB for Rasa's environment if there is none yet. Of settings
    in the environment only RETRAINER_RASA__... count here.
    """
    _prepare(folder)
    application = Application.from_config(
        folder / "retrainer.toml",
        {name: value for name, value in os.environ.items() if name.upper().startswith(_RASA)},
    )
    _set_up_rasa(application)
    numbers = []
    for night, (what, end) in enumerate(_NIGHTS, start=1):
        results.rule(f"[bold]Night {night}[/]", align="left")
        results.print(what, style="italic")
        _annotate(night, folder)
        report = run_for(application, "shop")
        require_end(night, report, end)
        numbers.append(report.cycle.number)
        if end == "HELD":
            _approve(application, report)
    _epilogue(application, folder, numbers)


def require_end(night: int, report: CycleReport, expected: str) -> None:
    """Make sure that a night ended as it should.

    Raises:
        DemoFailed: it did not.
    """
    if (seen := outcome(report)) != expected:
        raise DemoFailed(
            f"night {night} ended {seen}, it should have ended {expected}",
            tip="the lines above say why; `retrainer rasa info` shows the versions of Rasa's "
            "environment, which the demo was made for",
        )


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
    config, file = CONFIG, folder / "retrainer.toml"
    if environment := os.environ.get("RETRAINER_RASA__ENVIRONMENT"):  # for the commands to try next
        config += f"\n[rasa]\nenvironment = {json.dumps(str(anchored(file, Path(environment))))}\n"
    file.write_text(config, encoding="utf-8")
    with as_file(files("retrainer.demo") / "assistant") as assistant:
        shutil.copytree(assistant, folder / "assistant")


def _set_up_rasa(application: Application) -> None:
    from retrainer.adapters.rasa_environment import set_up

    if application.settings.rasa.python is None:
        with messages.status("Setting up Rasa's environment (once) …"):
            set_up(application.interpreter.environment)


def _annotate(night: int, folder: Path) -> None:
    """What the annotators left behind: files over those of the night before."""
    with as_file(files("retrainer.demo") / "nights" / str(night)) as changed:
        if changed.is_dir():
            shutil.copytree(changed, folder / "assistant", dirs_exist_ok=True)


def _approve(application: Application, report: CycleReport) -> None:
    """What a person does who has looked at the held challenger."""
    number = report.cycle.number
    results.print(
        f"\n$ retrainer approve {number} --reason '{_REASON}'", style="bold", markup=False
    )
    promotion = approve_cycle(application, str(number), actor="you", reason=_REASON)
    results.print(f"{promotion.model} is the champion now", markup=False)


def _epilogue(application: Application, folder: Path, numbers: Sequence[int]) -> None:
    from retrainer.reports.listings import history_table
    from retrainer.store.history import list_cycles

    results.rule("[bold]The five nights[/]", align="left")
    show_result(history_table(list_cycles(application.engine)))
    config = folder / "retrainer.toml"
    program = Path(sys.argv[0])
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    others = [name for name in variables(os.environ) if not name.upper().startswith(_RASA)]
    without = "".join(["env ", *(f"-u {name} " for name in others)]) if others else ""
    results.print("\nTry next:", style="bold")
    for command, why in (
        (f"show {numbers[2]}", "why the bad night was rejected"),
        (f"show {numbers[3]}", "what was too little to tell"),
        (f"policy explain {numbers[3]} --policy legacy-2018", "what others would have done"),
        ("models", "what is stored, and what serves"),
        ("ledger", "every change of the champion"),
        ("rollback --reason 'trying it'", "back to the model before, on the ledger"),
        ("history --json", "for scripts"),
    ):
        results.print(
            f"  {without}{program} -c {config} {command:<38} # {why}", markup=False, soft_wrap=True
        )
