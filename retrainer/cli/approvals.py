"""`retrainer approve` and `reject`: a person's answer to a held cycle."""

from typing import TYPE_CHECKING, Annotated

import typer

from retrainer.cli.actor import actor
from retrainer.cli.models import ReasonOption
from retrainer.cli.output import say
from retrainer.wiring import Application

if TYPE_CHECKING:  # SQLAlchemy is imported when a command needs it
    from retrainer.domain.cycle import Promotion
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
    made = approve_cycle(Application.from_config(context.obj), cycle, actor=actor(), reason=reason)
    say(f"{made.model} is the champion of {made.assistant} now; it was {made.previous or 'none'}")


def approve_cycle(app: Application, cycle: str, *, actor: str, reason: str) -> "Promotion":
    """Make the challenger of the held cycle the champion; errors as `pipeline.approvals.approve`."""
    from retrainer.pipeline import approvals

    report, answers = _found(app, cycle)
    return approvals.approve(
        app.desk(report.cycle.assistant), answers, report, actor=actor, reason=reason
    )


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
