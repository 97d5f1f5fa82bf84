"""Running one assistant's cycle from the command line, for `run-once` and `demo`."""

import typer

from retrainer.cli.output import messages, say, show, show_json
from retrainer.cli.progress import LiveProgress, listener_for
from retrainer.pipeline.conclusion import deliver
from retrainer.pipeline.runner import run_cycle
from retrainer.ports import CycleReport
from retrainer.store.owner import current_owner
from retrainer.wiring import Application

EXIT_INTERRUPTED = 130


def run_for(
    application: Application,
    name: str,
    *,
    force: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
) -> CycleReport:
    """Run the assistant's cycle with a view of it, print what came of it, tell the notifiers.

    Raises:
        RetrainerError: the cycle could not be run or recorded; one that failed is a report.
    """
    listener = listener_for(messages)
    try:
        world = application.world(name, listener)
        # Promotion hours may have been changed since a cycle began to wait for them.
        application.agenda.hasten(name, world.promotion_opens(world.clock.now()))
        report = run_cycle(world, owner=current_owner(), force=force, dry_run=dry_run)
    except KeyboardInterrupt:
        say(f"interrupted; `retrainer run-once --assistant {name}` takes the cycle up again")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        if isinstance(listener, LiveProgress):
            listener.close()
    _print(report, as_json=as_json)
    for problem in deliver(application.store, application.notifiers, owner=current_owner()):
        say(f"not delivered: {problem}")
    return report


def _print(report: CycleReport, *, as_json: bool) -> None:
    if as_json:
        from retrainer.reports.json_report import to_json

        show_json(to_json(report))
    else:
        from retrainer.reports.terminal import summary

        show(summary(report))
