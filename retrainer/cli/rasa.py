"""`retrainer rasa`: the Python environment that Rasa runs in."""

import json
from pathlib import Path
from typing import Annotated

import typer

from retrainer.cli.help import Commands
from retrainer.cli.options import AsJson
from retrainer.cli.output import messages, results, say
from retrainer.settings import RasaSettings, TrainingSettings
from retrainer.wiring import Application
from retrainer.wiring.rasa_interpreter import time_limits

app = Commands(help="Make the Python environment that Rasa runs in, or look at it.")


def setup(
    context: typer.Context,
    environment: Annotated[
        Path | None,
        typer.Option(
            "--environment",
            metavar="FOLDER",
            help="Make it here and read no configuration, such as for a container image.",
        ),
    ] = None,
) -> None:
    """Make Rasa's environment, and verify it by starting Rasa.

    Rasa needs Python 3.10 (or 3.9, 3.8): one is looked for on PATH, in pyenv's folder and through
    uv, which downloads one if there is none. Takes about 2.5 GB on disk. Makes nothing if it is
    there already, or if `rasa.python` names an interpreter.
    """
    from retrainer.adapters.rasa_client import RasaClient
    from retrainer.adapters.rasa_environment import interpreter, set_up
    from retrainer.adapters.temporary import TemporaryFolder

    python, limits = None, RasaSettings()
    if environment is None:
        application = Application.from_config(context.obj)
        environment, limits = application.interpreter.environment, application.settings.rasa
        python = application.interpreter.own
    environment = environment.absolute()
    if python is None:
        with messages.status("Setting up Rasa's environment …"):
            set_up(environment, progress=say)
    python = interpreter(python, environment)
    with (
        TemporaryFolder("setup") as folder,
        messages.status("Starting Rasa …"),
        RasaClient(
            python=python,
            cache=folder,
            log=folder / "log",
            limits=time_limits(limits, TrainingSettings(), "assistants.NAME.training"),
        ) as rasa,
    ):
        versions = rasa.versions()
    say(f"Rasa {versions.rasa} on Python {versions.python} works: {python}")


def info(
    context: typer.Context,
    as_json: AsJson = False,
) -> None:
    """Print the versions of Rasa's environment."""
    from retrainer.adapters.rasa_environment import describe

    application = Application.from_config(context.obj)
    python = application.interpreter.python
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


app.add("setup", setup)
app.add("info", info)
