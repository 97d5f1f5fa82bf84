"""`retrainer check`: would a cycle work?"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from retrainer.cli.output import complain, messages, results
from retrainer.domain.cycle import Severity
from retrainer.errors import RetrainerError
from retrainer.wiring import Application


def check(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not start Rasa to read the training data.")
    ] = False,
) -> None:
    """Try everything that a cycle needs, and change nothing.

    Configuration, database, notifiers, Rasa's environment, and each assistant's project as Rasa
    reads it. Exits with 0 if a cycle would work, else with the code of the first problem.
    """
    from retrainer.store.engine import describe

    application = Application.from_config(context.obj)
    _good(f"configuration {application.config}")
    failures = [
        error
        for error in (
            _try("database", lambda: describe(application.engine)),
            _try("notifiers", lambda: ", ".join(application.notifiers) or "none configured"),
            _try("Rasa's environment", lambda: str(application.rasa_python)),
        )
        if error is not None
    ]
    if not failures:
        for name in application.assistants(None):
            error = _try(f"assistant {name}", partial(_project, application, name, quick=quick))
            failures += [error] if error is not None else []
    if failures:
        raise typer.Exit(failures[0].exit_code)


def _project(application: Application, name: str, *, quick: bool) -> str:
    with tempfile.TemporaryDirectory(prefix="retrainer-check-") as folder:
        root = Path(folder)
        origin = application.source(name).pull(root)
        project = application.project_finder(name)(root)
        if quick:
            return origin
        with messages.status(f"Rasa reads {name} …"), application.rasa(name) as rasa:
            contents = rasa.read_project(project)
            findings = rasa.validate(project)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    for finding in findings:
        results.print(f"    {finding.severity}: {finding}", markup=False, soft_wrap=True)
    return (
        f"{len(contents.examples)} examples, {len(contents.domain_intents)} intents, "
        f"{errors} errors, {len(findings) - errors} warnings"
    )


def _try(what: str, attempt: Callable[[], str]) -> RetrainerError | None:
    try:
        _good(f"{what}: {attempt()}")
    except RetrainerError as error:
        results.print(f"[red]✗[/] {what}")
        complain(error)
        return error
    return None


def _good(text: str) -> None:
    results.print(f"[green]✓[/] {escape(text)}", soft_wrap=True)
