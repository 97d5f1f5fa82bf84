"""The Typer application and the outer edge of the command line."""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from retrainer import __version__
from retrainer.cli import (
    agenda,
    approvals,
    backup,
    check,
    compare,
    database,
    demo,
    history,
    init,
    ledger,
    models,
    policy,
    rasa,
    run,
    run_once,
    schedule,
    serve_models,
    status,
)
from retrainer.cli.help import Commands
from retrainer.cli.output import complain, say
from retrainer.errors import EXIT_FAILED, RetrainerError

app = Commands(
    name="retrainer",
    epilog="First time here? `retrainer demo` shows five nights of a bundled assistant. For an "
    "assistant of yours: `retrainer init`, `retrainer rasa setup`, `retrainer check`, "
    "`retrainer run-once`.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"retrainer {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="RETRAINER_CONFIG",
            metavar="FILE",
            help="The configuration file. Without it: `retrainer.toml` in this folder.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Keeps the models of Rasa assistants fresh, and never makes one worse.

    A cycle trains a new model (the challenger) on fresh data, measures it against the one that
    serves (the champion) and promotes it if it is better.
    """
    del version
    context.obj = config


app.add("init", init.init)
app.add("check", check.check)
app.add("run-once", run_once.run_once)
app.add("run", run.run)
app.add("status", status.status)
app.add("trigger", agenda.trigger)
app.add("pause", agenda.pause)
app.add("resume", agenda.resume)
app.add("schedule", schedule.schedule)
app.add("history", history.history)
app.add("show", history.show)
app.add("ledger", ledger.ledger)
app.add("models", models.models)
app.add("promote", models.promote)
app.add("rollback", models.rollback)
app.add("approve", approvals.approve)
app.add("reject", approvals.reject)
app.add("compare", compare.compare)
app.add("serve-models", serve_models.serve_models)
app.add("backup", backup.backup)
app.add("restore", backup.restore)
app.add("demo", demo.demo)
app.add_typer(policy.app, name="policy")
app.add_typer(rasa.app, name="rasa")
app.add_typer(database.app, name="db")


def main() -> None:
    """Run the command line; never shows a traceback for a failure that was foreseen."""
    try:
        app()
    except RetrainerError as error:
        complain(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `retrainer history | head`
        sys.stderr.close()
        sys.exit(EXIT_FAILED)
    except Exception:  # noqa: BLE001 - the outer edge: what gets here is a bug of ours
        traceback.print_exc()
        say("This is a bug in retrainer. Please report it with the lines above.")
        sys.exit(EXIT_FAILED)
