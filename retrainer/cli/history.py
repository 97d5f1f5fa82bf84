"""`retrainer history` and `show`: what happened, and why."""

import csv
import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from retrainer.cli.output import show as show_result
from retrainer.cli.output import show_json
from retrainer.domain.cycle import Status
from retrainer.domain.verdict import Outcome
from retrainer.wiring import Application

_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def history(
    context: typer.Context,
    assistant: Annotated[
        str | None, typer.Option("--assistant", "-a", help="Only this assistant.")
    ] = None,
    status: Annotated[Status | None, typer.Option(help="Only cycles that ended so.")] = None,
    verdict: Annotated[Outcome | None, typer.Option(help="Only cycles with this verdict.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=_DATES, help="Only cycles begun since, in UTC.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_DATES, help="Only cycles begun before, in UTC.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a cycle.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
) -> None:
    """List past cycles, newest first."""
    from retrainer.store.history import list_cycles

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    rows = list_cycles(
        Application.from_config(context.obj).engine,
        assistant=assistant,
        status=status,
        verdict=verdict,
        since=since and since.replace(tzinfo=UTC),
        until=until and until.replace(tzinfo=UTC),
        limit=limit,
    )
    if as_json:
        for row in rows:
            show_json(row.document())
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, fieldnames=type(rows[0]).columns() if rows else [])
        writer.writeheader()
        writer.writerows(row.document() for row in rows)
    else:
        from retrainer.reports.terminal import history_table

        show_result(history_table(rows))
