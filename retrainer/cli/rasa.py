"""`retrainer rasa`: the Python environment that Rasa runs in."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from retrainer.cli.output import messages, results, say
from retrainer.wiring import Application

app = typer.Typer(help="The environment that Rasa runs in.", no_args_is_help=True)


@app.command()
def setup(
    context: typer.Context,
    environment: Annotated[
        Path | None,
        typer.Option(
            "--environment",
            help="Make it in this folder, without a configuration, such as for a container image.",
        ),
    ] = None,
) -> None:
    """Make Rasa's environment, and verify it by starting Rasa.

    Looks for Python 3.10 (or 3.9, 3.8) on PATH, in pyenv's folder and through uv, which downloads
    one if there is none. About 2.5 GB on disk. Does nothing if it is there already.
    """
    from retrainer.adapters.rasa_client import RasaClient
    from retrainer.adapters.rasa_environment import interpreter, set_up

    python = None
    if environment is None:
        application = Application.from_config(context.obj)
        environment = application.rasa_environment
        python = application.settings.rasa.python
    if python is None:
        with messages.status("Setting up Rasa's environment …"):
            set_up(environment.absolute(), progress=say)
    python = interpreter(python, environment.absolute())
    with (
        tempfile.TemporaryDirectory(prefix="retrainer-setup-") as folder,
        messages.status("Starting Rasa …"),
        RasaClient(python=python, cache=Path(folder), log=Path(folder) / "log") as rasa,
    ):
        versions = rasa.versions()
    say(f"Rasa {versions.rasa} on Python {versions.python} works: {python}")


@app.command()
def info(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the versions of Rasa's environment."""
    from retrainer.adapters.rasa_environment import describe

    application = Application.from_config(context.obj)
    python = application.rasa_python
    versions = describe(python)
    if as_json:
        document = {
            "interpreter": str(python),
            "python": versions.python,
            "rasa": versions.rasa,
            "libraries": dict(versions.libraries),
        }
        typer.echo(json.dumps(document))
        return
    lines = {"interpreter": str(python), "python": versions.python, "rasa": versions.rasa}
    width = max(map(len, [*lines, *versions.libraries]))
    for name, value in {**lines, **versions.libraries}.items():
        results.print(f"{name:<{width}}  {value}", markup=False, soft_wrap=True)
