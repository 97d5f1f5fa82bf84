"""`retrainer approve` and `reject`: a person's answer to a held cycle."""

from typing import TYPE_CHECKING, Annotated

import typer

from retrainer.cli.actor import actor
from retrainer.cli.models import ReasonOption
from retrainer.cli.output import say
from retrainer.wiring import Application

if TYPE_CHECKING:  # SQLAlchemy is imported when a command needs it
    from retrainer.ports import CycleReport
    from retrainer.store.approvals import SqlApprovals

_Held = Annotated[
    str,
    typer.Argument(metavar="CYCLE", help="Its number, the model that it trained, or `latest`."),
]


def approve(context: typer.Context, cycle: _Held, reason: ReasonOption) -> None:
    """Make the challenger of a held cycle the champion.

    Only where a person has to look (the verdict is HOLD), nobody answered yet, and the champion is
    the one that the challenger was measured against. `retrainer promote` asks for none of this.
    """
    from retrainer.pipeline import approvals

    app = Application.from_config(context.obj)
    report, answers = _found(app, cycle)
    desk = app.desk(report.cycle.assistant)
    made = approvals.approve(desk, answers, report, actor=actor(), reason=reason)
    say(f"{made.model} is the champion of {made.assistant} now; it was {made.previous or 'none'}")


def reject(context: typer.Context, cycle: _Held, reason: ReasonOption) -> None:
    """Write down that the challenger of a held cycle is not to become champion."""
    from retrainer.pipeline import approvals

    app = Application.from_config(context.obj)
    report, answers = _found(app, cycle)
    desk = app.desk(report.cycle.assistant)
    approvals.reject(desk, answers, report, actor=actor(), reason=reason)
    say(f"cycle {report.cycle.number} is rejected; the champion stays")


def _found(app: Application, cycle: str) -> "tuple[CycleReport, SqlApprovals]":
    from retrainer.store.approvals import SqlApprovals
    from retrainer.store.history import get, not_found

    if app.past is None:
        raise not_found(cycle)
    return get(app.past, cycle).report, SqlApprovals(app.past)
