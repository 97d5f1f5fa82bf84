"""`retrainer run-once`: the main job."""

import signal
from types import FrameType
from typing import Annotated, NoReturn

import typer

from retrainer.cli.cycles import run_for
from retrainer.cli.options import AsJson, OnlyAssistant
from retrainer.cli.output import complain
from retrainer.domain.cycle import Status
from retrainer.domain.verdict import Outcome
from retrainer.errors import (
    EXIT_FAILED,
    EXIT_HELD,
    EXIT_OK,
    EXIT_REJECTED,
    EXIT_SKIPPED,
    RetrainerError,
)
from retrainer.ports import CycleReport
from retrainer.wiring import Application

#: When several assistants end differently, the one that a person should see first.
_WORST_FIRST = (EXIT_REJECTED, EXIT_HELD, EXIT_SKIPPED, EXIT_OK)


def run_once(
    context: typer.Context,
    assistant: OnlyAssistant = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Train even if nothing has changed since the last cycle."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train, measure and decide, but promote nothing.")
    ] = False,
    as_json: AsJson = False,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="Exit with 10 if rejected, 11 if held, 12 if nothing had changed."
        ),
    ] = False,
) -> None:
    """Run one cycle of each assistant: train, measure, decide, promote the winner, tell people.

    A cycle that was interrupted is taken up where it stopped.

    Exit codes: 0 the cycle ended as it should, whatever its verdict (see --exit-code), 1 it failed,
    75 another one is running, 78 the configuration is wrong, 130 it was interrupted.
    """
    application = Application.from_config(context.obj)
    application.require_plugins()  # a typo shows now, not after hours of training
    signal.signal(signal.SIGTERM, _terminated)
    failures: list[int] = []
    verdicts: list[int] = []
    for name in application.assistants(assistant):
        try:
            report = run_for(application, name, force=force, dry_run=dry_run, as_json=as_json)
        except RetrainerError as error:  # the other assistants still get their cycle
            complain(error)
            failures.append(error.exit_code)
            continue
        code = verdict_code(report)
        (failures if code == EXIT_FAILED else verdicts).append(code)
    if failures:
        raise typer.Exit(failures[0])
    if exit_code:
        raise typer.Exit(min(verdicts, key=_WORST_FIRST.index))


def verdict_code(report: CycleReport) -> int:
    """The exit code under --exit-code; a failed or abandoned cycle is 1 in any case."""
    if report.cycle.status is Status.SKIPPED:
        return EXIT_SKIPPED
    if report.cycle.status is not Status.COMPLETED or report.state.verdict is None:
        return EXIT_FAILED
    return {
        Outcome.PROMOTE: EXIT_OK,
        Outcome.HOLD: EXIT_HELD,
        Outcome.REJECT: EXIT_REJECTED,
    }[report.state.verdict.outcome]


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM ends the Rasa worker in good order, as Ctrl-C does; the cycle can be resumed."""
    del number, frame
    raise KeyboardInterrupt
