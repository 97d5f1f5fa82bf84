"""`retrainer status`: what runs, what is next, what came of the last cycles."""

from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from retrainer.cli.options import AsJson, OnlyAssistant
from retrainer.cli.output import say, show, show_json
from retrainer.domain.schedule import next_start
from retrainer.wiring import Application

if TYPE_CHECKING:  # SQLAlchemy and Rich's tables are imported when the command needs them
    from retrainer.reports.status import AssistantLines, DaemonLine
    from retrainer.store.status import Status


#: A daemon that has room begins within seconds; after a failure it waits five minutes at most.
_BEGINS_WITHIN = timedelta(minutes=2)


def status(
    context: typer.Context, assistant: OnlyAssistant = None, as_json: AsJson = False
) -> None:
    """Show what runs now and since when, what is next, the last verdicts, and which daemon leads."""
    from retrainer.reports.status import status_view
    from retrainer.store.status import NOTHING, read_status

    app = Application.from_config(context.obj)
    names = app.assistants(assistant)
    now = app.clock.now()
    if app.past is None and not as_json:
        say("no cycle has run yet; `retrainer run` looks after the assistants from now on")
        return
    found = NOTHING if app.past is None else read_status(app.past, now)
    lines = [_lines(app, name, found) for name in names]
    if as_json:
        from retrainer.reports.json_report import status_to_json

        show_json(status_to_json(found, {line.name: line.next_start for line in lines}))
        return
    lines += [_lines(app, name, found) for name in _left(app, found) if assistant is None]
    outbox = found.outbox
    daemons = _daemons(found, alone=app.single_machine)
    show(status_view(daemons, lines, waiting=outbox.waiting, oldest=outbox.oldest, now=now))


def _daemons(found: "Status", *, alone: bool) -> list["DaemonLine"]:
    from retrainer.reports.status import DaemonLine

    def doing(*, leads: bool, alive: bool) -> str:
        if not alive:
            return "gives no sign of life"
        if leads:
            return "leads"
        return "stands by" if alone else "works too"

    return [
        DaemonLine(
            str(daemon),
            daemon.version,
            doing(leads=daemon.leads, alive=daemon.alive),
            daemon.started_at,
            daemon.alive,
        )
        for daemon in found.daemons
    ]


def _left(app: Application, found: "Status") -> list[str]:
    """Assistants that are not in this configuration, with something begun or asked for."""
    names = {row.cycle.assistant for row in found.running}
    names |= {request.assistant for request in found.pending}
    return sorted(names - app.settings.assistants.keys())


def _lines(app: Application, name: str, found: "Status") -> "AssistantLines":
    from retrainer.reports.status import AssistantLines, RunningLine

    known = next((row for row in found.assistants if row.name == name), None)
    running = next((row for row in found.running if row.cycle.assistant == name), None)
    configured = name in app.settings.assistants
    pending = [request for request in found.pending if request.assistant == name]
    return AssistantLines(
        name=name,
        running=None
        if running is None
        else RunningLine(
            running.cycle,
            running.owner,
            running.step,
            running.step_since,
            running.attempts,
            running.resume_at,
        ),
        pending=pending,
        pause=found.pauses.get(name),
        next_start=next_start(app.schedule(name), after=app.clock.now()) if configured else None,
        last=known.last if known else None,
        champion=known.champion if known else None,
        configured=configured,
        stuck=bool(pending)
        and configured
        and name not in found.pauses
        and not any(row.owner for row in found.running)
        and pending[0].asked_at < app.clock.now() - _BEGINS_WITHIN
        and any(daemon.alive for daemon in found.daemons),
    )
