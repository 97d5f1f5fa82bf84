"""`retrainer check`: would a cycle work?"""

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from retrainer.cli.output import complain, messages, results
from retrainer.domain.cycle import Finding, Severity
from retrainer.errors import ProjectError, RetrainerError, StorageError
from retrainer.reports.values import counted
from retrainer.wiring import Application

#: Warnings that are shown without --all; a real assistant has dozens.
_FEW = 5


def check(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not start Rasa, and so do not read the data.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Show every warning.")] = False,
) -> None:
    """Try everything that a cycle needs before it trains, and change nothing.

    Configuration, database, notifiers, Rasa's environment, and each assistant's project as Rasa
    reads it. Exits with 0 if a cycle would get to its training, else with the code of the first
    problem.
    """
    application = Application.from_config(context.obj)
    _good(f"configuration {application.config}")
    failures = [
        error
        for error in (
            _try("state folder", lambda: _state_folder(application.state_dir)),
            _try("database", lambda: _database(application)),
            _try("notifiers", lambda: ", ".join(application.notifiers) or "none configured"),
            _try("Rasa's environment", lambda: str(application.interpreter.python)),
        )
        if error is not None
    ]
    if not failures:
        for name in application.assistants(None):
            attempt = partial(_project, application, name, quick=quick, every=every)
            error = _try(f"assistant {name}", attempt)
            failures += [error] if error is not None else []
    if failures:
        raise typer.Exit(failures[0].exit_code)


def _state_folder(folder: Path) -> str:
    """Whether a cycle may write there, or make it."""
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise StorageError(
            f"{there} is not a folder that this user may write to",
            tip=f"give this user the right to make {folder}, or name another `state_dir`",
        )
    return str(folder) if there == folder else f"{folder} will be made by the first cycle"


def _database(application: Application) -> str:
    from retrainer.store.engine import describe

    place = describe(application.bare_engine).removeprefix("database ")
    return place if application.past is not None else f"{place} will be made by the first cycle"


def _project(application: Application, name: str, *, quick: bool, every: bool) -> str:
    from retrainer.pipeline import data_steps

    platform = application.platform(name)
    platform.require_ready(application.interpreter.versions.rasa)
    active = platform.active()
    serves = f"{active} serves" if active else "no champion yet"
    with tempfile.TemporaryDirectory(prefix="retrainer-check-") as folder:
        root = Path(folder) / "project"
        root.mkdir()
        origin = "; ".join(map(str, application.source(name).pull(root)))
        find_project, assistant = application.project_finder(name), application.assistant(name)
        with data_steps.places_in_project(root, origin):
            if quick:
                find_project(root)
                return f"{origin} (its data was not read), {serves}"
            with (
                messages.status(f"Rasa reads {name} …"),
                application.rasa(name, folder=Path(folder)) as rasa,
            ):
                found = data_steps.inspect(root, assistant, rasa, find_project)
    _list(found.findings, every=every)
    fatal = data_steps.fatal(found.findings, fail_on_warnings=assistant.fail_on_warnings)
    if fatal:
        raise ProjectError(
            f"{counted(len(fatal), 'finding')} above must be mended, 0 are allowed",
            tip="a cycle would fail in its step `validate`",
        )
    examples = found.contents.examples
    intents = {example.intent for example in examples if example.intent}
    return (
        f"{counted(len(examples), 'example')} of {counted(len(intents), 'intent')}, "
        f"{len(data_steps.candidates(found.contents, assistant))} to measure on, "
        f"{counted(len(found.findings), 'warning')}, {serves}"
    )


def _list(findings: Sequence[Finding], *, every: bool) -> None:
    """All errors, and the first warnings."""
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    warnings = [finding for finding in findings if finding.severity is not Severity.ERROR]
    shown = warnings if every else warnings[:_FEW]
    for finding in [*errors, *shown]:
        results.print(f"    {finding.severity}: {finding}", markup=False, soft_wrap=True)
    if len(shown) < len(warnings):
        more = counted(len(warnings) - len(shown), "more warning")
        results.print(f"    … and {more} (--all shows them)", style="dim")


def _try(what: str, attempt: Callable[[], str]) -> RetrainerError | None:
    try:
        _good(f"{what}: {attempt()}")
    except RetrainerError as error:
        results.print(f"[red]✗[/] {escape(what)}")
        complain(error)
        return error
    return None


def _good(text: str) -> None:
    results.print(f"[green]✓[/] {escape(text)}", soft_wrap=True)
