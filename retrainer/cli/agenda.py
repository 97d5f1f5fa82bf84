"""`retrainer trigger`, `pause` and `resume`: what a person asks of the daemon."""

from typing import Annotated

import typer

from retrainer.cli.actor import actor
from retrainer.cli.options import AsJson
from retrainer.cli.output import say, show_json
from retrainer.domain.cycle import Trigger
from retrainer.wiring import Application

_Assistant = Annotated[str, typer.Argument(metavar="ASSISTANT", help="Which assistant.")]


def trigger(
    context: typer.Context,
    assistant: _Assistant,
    note: Annotated[
        str, typer.Option("--note", "-m", metavar="TEXT", help="Why; kept in the history.")
    ] = "",
    force: Annotated[
        bool,
        typer.Option("--force", help="Train even if nothing has changed since the last cycle."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the daemon for a cycle of an assistant, now.

    A daemon begins it within seconds, or as soon as it has room. What is asked for twice before
    that is one cycle. Without a daemon it waits for one, or for `retrainer run-once`.

    Exit codes: 0 it is asked for, 75 the assistant is paused.
    """
    app = Application.from_config(context.obj)
    app.assistants(assistant)
    asked = app.agenda.ask(assistant, Trigger.MANUAL, by=actor(), note=note, force=force)
    if as_json:
        show_json(
            {
                "request": asked.number,
                "assistant": assistant,
                "asked_at": asked.asked_at.isoformat(),
            }
        )
    else:
        say(f"a cycle of {assistant} is asked for; `retrainer status` shows how it goes")


def pause(
    context: typer.Context,
    assistant: _Assistant,
    reason: Annotated[
        str, typer.Option("--reason", "-m", metavar="TEXT", help="Why, for the others.")
    ] = "",
) -> None:
    """Begin no more cycles of an assistant, until `retrainer resume`.

    A cycle that runs goes on to its end. Fire times of the pause are not made up for.
    """
    app = Application.from_config(context.obj)
    app.assistants(assistant)
    pause = app.agenda.pause(assistant, by=actor(), reason=reason).pause
    if pause is not None:
        why = f": {pause.reason}" if pause.reason else ""
        say(f"{assistant} is paused since {pause.at:%Y-%m-%d %H:%M} UTC by {pause.by}{why}")


def resume(context: typer.Context, assistant: _Assistant) -> None:
    """Begin cycles of a paused assistant again."""
    app = Application.from_config(context.obj)
    app.assistants(assistant)
    app.agenda.resume(assistant)
    say(f"{assistant} is not paused")
