"""`retrainer compare`: two models on the same examples, with neither daemon nor database."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from retrainer.cli.output import messages, results, show_json
from retrainer.domain.verdict import Outcome
from retrainer.errors import EXIT_HELD, EXIT_OK, EXIT_REJECTED
from retrainer.ports import Progress
from retrainer.reports.progress import describe

if TYPE_CHECKING:
    from retrainer.pipeline.comparing import Comparison

_DIGITS = 9
_EXIT = {Outcome.PROMOTE: EXIT_OK, Outcome.REJECT: EXIT_REJECTED, Outcome.HOLD: EXIT_HELD}


class Form(StrEnum):
    """How to print."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"


_Model = Annotated[Path, typer.Argument(help="Model archive, or stored predictions.")]
_Data = Annotated[
    list[Path],
    typer.Option("--data", metavar="FILE|DIR", help="NLU test data; may be given again."),
]
_Policy = Annotated[str, typer.Option("--policy", metavar="NAME", help="Which policy decides.")]
_TrainingData = Annotated[
    list[Path] | None,
    typer.Option(
        "--training-data",
        metavar="FILE|DIR",
        help="What the models were trained on: test utterances that are in it are refused.",
    ),
]
_LeaveOut = Annotated[
    bool, typer.Option("--leave-out-seen", help="Leave those out instead, and say how many.")
]
_MustPass = Annotated[
    list[Path] | None,
    typer.Option(
        "--must-pass", metavar="FILE", help="NLU file of utterances that have to be understood."
    ),
]
_Project = Annotated[
    Path | None,
    typer.Option(
        "--project", metavar="DIR", help="Where components of your own are that a model needs."
    ),
]
_Save = Annotated[
    Path | None,
    typer.Option(
        "--save-predictions",
        metavar="FILE",
        help="Keep the challenger's answers, to be named in the place of a model next time.",
    ),
]
_Flips = Annotated[
    str, typer.Option("--flips", metavar="NUMBER|all", help="How many utterances that changed.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print Markdown, such as for a pull request.")
]
_ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="Exit with 10 for REJECT, 11 for HOLD.")
]


def compare(  # noqa: PLR0913, PLR0917 - as many parameters as options
    context: typer.Context,
    champion: _Model,
    challenger: _Model,
    data: _Data,
    policy: _Policy = "default",
    training_data: _TrainingData = None,
    leave_out_seen: _LeaveOut = False,
    must_pass: _MustPass = None,
    project: _Project = None,
    save_predictions: _Save = None,
    flips: _Flips = "10",
    as_json: _Json = False,
    as_markdown: _Markdown = False,
    exit_code: _ExitCode = False,
) -> None:
    """Compare two models on the same examples, and say what a policy would decide.

    The second is the challenger. Needs Rasa's environment (`retrainer rasa setup`), but no config
    file, no daemon and no database; policies of a `retrainer.toml` in this folder are known.

    Stored predictions are a file of --save-predictions, or the results folder of
    `rasa test nlu --successes`.

    Exit codes: 0 compared (with --exit-code: PROMOTE), 10 REJECT, 11 HOLD, 1 it could not be
    compared, 78 the configuration is wrong.
    """
    if as_json and as_markdown:
        raise typer.BadParameter("--json and --markdown exclude each other")
    if leave_out_seen and not training_data:
        raise typer.BadParameter("--leave-out-seen needs --training-data, to know what was seen")
    most = _number(flips)
    from retrainer.wiring.comparison import Inputs, compare_inputs

    inputs = Inputs(
        champion,
        challenger,
        tuple(data),
        seen=tuple(training_data or ()),
        must_pass=tuple(must_pass or ()),
        project=project,
        leave_out_seen=leave_out_seen,
    )
    with messages.status("Starting Rasa …") as doing:

        def progress(what: Progress) -> None:
            doing.update(escape(describe(what)))

        found = compare_inputs(
            inputs, config=context.obj, policy=policy, progress=progress, save=save_predictions
        )
    form = Form.JSON if as_json else Form.MARKDOWN if as_markdown else Form.TERMINAL
    _print(found, form, most)
    if exit_code:
        raise typer.Exit(_EXIT[found.verdict.outcome])


def _number(flips: str) -> int | None:
    if flips == "all":
        return None
    if not (flips.isascii() and flips.isdigit() and len(flips) <= _DIGITS):
        raise typer.BadParameter(
            f"--flips: a number of at most {_DIGITS} digits or all, not {flips[:20]!r}"
        )
    return int(flips)


def _print(found: "Comparison", form: Form, most: int | None) -> None:
    from retrainer.reports import comparison, sections

    if form is Form.JSON:
        show_json(comparison.to_json(found.evaluation, found.verdict))
        return
    parts = comparison.sections(found.evaluation, found.verdict, most)
    headline = comparison.headline(found.evaluation, found.verdict)
    if form is Form.MARKDOWN:
        results.print(f"## {headline}\n", markup=False, soft_wrap=True)
        results.print(sections.markdown(parts), markup=False, soft_wrap=True)
        return
    results.print(headline, markup=False, style="bold", soft_wrap=True)
    results.print(sections.terminal(parts))
