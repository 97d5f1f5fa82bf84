"""`retrainer check`: would a cycle work, and does all go well?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from retrainer.cli.options import AsJson, OnlyAssistant
from retrainer.cli.output import complain, messages, results, say, show_json
from retrainer.domain.cycle import Finding, Severity
from retrainer.errors import RetrainerError
from retrainer.reports.values import counted
from retrainer.wiring import Application

if TYPE_CHECKING:  # what it looks at is imported when it looks
    from retrainer.wiring.doctor import Diagnosis

#: Warnings of Rasa that are shown without --all; a real assistant has dozens.
_FEW = 5


def check(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not start Rasa, and so do not read the data.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Show every warning, and all that is well.")
    ] = False,
    assistant: OnlyAssistant = None,
    as_json: AsJson = False,
) -> None:
    """Try everything that a cycle needs before it trains, and change nothing.

    Configuration, disks, database, notifiers, HTTP, Rasa's environment, schedules, what the daemon
    is at, and each assistant's project as Rasa reads it. What is not well comes with what to do.

    Exits with 0 if a cycle would get to its training and `retrainer run` would start, whatever the
    warnings, else with the code of the first error: 78 for the configuration, else 1.
    """
    from retrainer.wiring.doctor import Level, checks, run

    app = Application.from_config(context.obj)
    names = app.assistants(assistant)
    found: list[Diagnosis] = []
    with messages.status("…") as doing:
        for diagnosis in run(
            checks(app, names, quick=quick), lambda what: doing.update(f"{escape(what)} …")
        ):
            found.append(diagnosis)
            if as_json:
                show_json(_document(diagnosis))
            elif every or not (diagnosis.minor and diagnosis.level is Level.OK):
                _show(diagnosis, every=every)
    errors = [diagnosis for diagnosis in found if diagnosis.level is Level.ERROR]
    if not as_json:
        warnings = sum(diagnosis.level is Level.WARNING for diagnosis in found)
        _conclude(len(errors), warnings)
    if errors:
        raise typer.Exit(errors[0].exit_code)


def _document(diagnosis: "Diagnosis") -> dict[str, object]:
    return {
        "what": diagnosis.what,
        "level": diagnosis.level.value,
        "observed": diagnosis.observed,
        "fix": diagnosis.fix,
        "findings": [
            {"severity": finding.severity.value, "finding": str(finding)}
            for finding in diagnosis.details
        ],
    }


def _show(diagnosis: "Diagnosis", *, every: bool) -> None:
    """One diagnosis for people; an error goes to standard error as everywhere."""
    from retrainer.wiring.doctor import Level

    _list(diagnosis.details, every=every)
    what, observed = escape(diagnosis.what), escape(diagnosis.observed)
    match diagnosis.level:
        case Level.OK:
            results.print(f"[green]✓[/] {what}: {observed}", soft_wrap=True)
        case Level.WARNING:
            results.print(f"[yellow]![/] {what}: {observed}", soft_wrap=True)
            results.print(f"    [cyan]fix:[/] {escape(diagnosis.fix or '')}", soft_wrap=True)
        case Level.ERROR:
            results.print(f"[red]✗[/] {what}")
            complain(RetrainerError(diagnosis.observed, tip=diagnosis.fix))


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


def _conclude(errors: int, warnings: int) -> None:
    if errors:
        say(f"{counted(errors, 'error')} to mend first, {counted(warnings, 'warning')}")
    elif warnings:
        say(f"a cycle would get to its training; {counted(warnings, 'warning')}")
    else:
        say("all is well: a cycle would get to its training")
