"""The Typer application and the outer edge of the command line."""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from retrainer import __version__
from retrainer.cli import check, database, demo, history, init, models, rasa, run_once
from retrainer.cli.output import complain, say
from retrainer.errors import EXIT_FAILED, RetrainerError

app = typer.Typer(
    name="retrainer",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First time here? `retrainer demo` shows four nights on a bundled assistant, "
    "`retrainer init` writes the configuration for yours.",
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
            help="The configuration file; `retrainer.toml` in this folder by default.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Keeps a Rasa assistant's model fresh, and never makes it worse."""
    del version
    context.obj = config


app.command("init")(init.init)
app.command("check")(check.check)
app.command("run-once")(run_once.run_once)
app.command("history")(history.history)
app.command("show")(history.show)
app.command("models")(models.models)
app.command("promote")(models.promote)
app.command("rollback")(models.rollback)
app.command("demo")(demo.demo)
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
