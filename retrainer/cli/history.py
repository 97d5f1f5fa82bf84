"""`retrainer history` and `show`: what happened, and why."""

import csv
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from retrainer.cli.options import AsJson, AtMost, OnlyAssistant
from retrainer.cli.output import say, show_json
from retrainer.cli.output import show as show_result
from retrainer.domain.cycle import Status
from retrainer.domain.verdict import Outcome
from retrainer.wiring import Application

LATEST = "latest"

_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def history(  # noqa: PLR0913, PLR0917 - each option is a filter or a format
    context: typer.Context,
    assistant: OnlyAssistant = None,
    status: Annotated[
        Status | None, typer.Option(metavar="STATUS", help=f"Only these: {', '.join(Status)}.")
    ] = None,
    verdict: Annotated[
        Outcome | None,
        typer.Option(metavar="VERDICT", help=f"Only with this verdict: {', '.join(Outcome)}."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=_DATES, metavar="DATE", help="Only begun since 2026-11-21[T01:30] UTC."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=_DATES, metavar="DATE", help="Only begun before this time, UTC too."),
    ] = None,
    limit: AtMost = 20,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
) -> None:
    """List past cycles, newest first; `retrainer show NUMBER` explains one."""
    from retrainer.reports.json_report import HISTORY_KEYS, history_to_json
    from retrainer.store.history import list_cycles

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    application = Application.from_config(context.obj)
    application.assistants(assistant)
    past = application.past
    rows = (
        ()
        if past is None
        else list_cycles(
            past,
            assistant=assistant,
            status=status,
            verdict=verdict,
            since=since and since.replace(tzinfo=UTC),
            until=until and until.replace(tzinfo=UTC),
            limit=limit,
        )
    )
    if as_json:
        for row in rows:
            show_json(history_to_json(row))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, fieldnames=HISTORY_KEYS)
        writer.writeheader()
        writer.writerows(history_to_json(row) for row in rows)
    else:
        from retrainer.reports.listings import history_table

        show_result(history_table(rows))


def show(
    context: typer.Context,
    cycle: Annotated[
        str,
        typer.Argument(metavar="CYCLE", help="Its number, the model that it trained, or `latest`."),
    ] = LATEST,
    as_json: AsJson = False,
) -> None:
    """Explain a cycle: every check with its numbers, what got better or worse, what it changed."""
    from retrainer.store.history import get, not_found

    past = Application.from_config(context.obj).past
    if past is None:
        if cycle != LATEST:
            raise not_found(cycle)
        say("no cycles yet; `retrainer run-once` starts the first")
        return
    details = get(past, cycle)
    if as_json:
        from retrainer.reports.json_report import to_json

        show_json(to_json(details.report, details.promotions, details.answer))
    else:
        from retrainer.reports.terminal import full

        show_result(full(details.report, details.steps, details.promotions, details.answer))
