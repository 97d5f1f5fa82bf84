"""`retrainer schedule`: when cycles will begin."""

from typing import Annotated

import typer

from retrainer.cli.options import AsJson, OnlyAssistant
from retrainer.cli.output import show, show_json
from retrainer.wiring import Application

_Count = Annotated[
    int,
    typer.Option(
        "--count", "-n", metavar="NUMBER", min=1, max=1000, help="So many times of each assistant."
    ),
]


def schedule(
    context: typer.Context,
    assistant: OnlyAssistant = None,
    count: _Count = 5,
    as_json: AsJson = False,
) -> None:
    """List when the next cycles are due, in the assistant's zone and UTC, and what delays them."""
    from retrainer.reports.schedules import schedule_table, scheduled_times, unscheduled

    application = Application.from_config(context.obj)
    for name in application.assistants(assistant):
        planned, now = application.schedule(name), application.clock.now()
        times = scheduled_times(name, planned, now=now, count=count)
        if as_json:
            for time in times:
                show_json(time.document())
        elif times:
            show(schedule_table(times))
        else:
            polled = application.settings.assistants[name].schedule.poll_every
            show(unscheduled(name, polled, application.config.name))
