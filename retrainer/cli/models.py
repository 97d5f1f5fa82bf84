"""`retrainer models`, `promote` and `rollback`: what is stored, and what serves."""

import getpass
import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from retrainer.cli.output import say, show
from retrainer.domain.cycle import Model, Promotion
from retrainer.errors import ConfigurationError
from retrainer.wiring import Application

AssistantOption = Annotated[
    str | None,
    typer.Option("--assistant", "-a", help="Which assistant; may be left out if there is one."),
]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; kept on the ledger.")]


def models(
    context: typer.Context,
    assistant: AssistantOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a model.")] = False,
) -> None:
    """List the stored models, newest first; the champion is marked."""
    application = Application.from_config(context.obj)
    for name in application.assistants(assistant):
        platform = application.platform(name)
        active, stored = platform.active(), tuple(reversed(platform.models()))
        if as_json:
            for model in stored:
                typer.echo(json.dumps(_document(name, model, active)))
        else:
            show(_table(name, stored, active))


def promote(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of a stored model; see `retrainer models`.")],
    reason: ReasonOption,
    assistant: AssistantOption = None,
) -> None:
    """Make a stored model the champion, whatever the policy said of it; kept on the ledger."""
    from retrainer.pipeline import by_hand

    application = Application.from_config(context.obj)
    desk = application.desk(_one(application, assistant))
    _tell(by_hand.promote(desk, model, actor=getpass.getuser(), note=reason))


def rollback(
    context: typer.Context,
    reason: ReasonOption = "rolled back by hand",
    assistant: AssistantOption = None,
) -> None:
    """Make the champion's predecessor the champion again; kept on the ledger."""
    from retrainer.pipeline import by_hand

    application = Application.from_config(context.obj)
    desk = application.desk(_one(application, assistant))
    _tell(by_hand.rollback(desk, actor=getpass.getuser(), note=reason))


def _one(application: Application, assistant: str | None) -> str:
    names = application.assistants(assistant)
    if len(names) != 1:
        raise ConfigurationError(
            f"{len(names)} assistants are configured, 1 has to be chosen",
            tip=f"add --assistant with one of {', '.join(names)}",
        )
    return names[0]


def _tell(promotion: Promotion) -> None:
    say(
        f"{promotion.model} is the champion of {promotion.assistant} now; "
        f"it was {promotion.previous or 'none'}"
    )


def _table(assistant: str, stored: tuple[Model, ...], active: str | None) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        header_style="dim",
        padding=(0, 2, 0, 0),
        title=f"{assistant}: {len(stored)} {'model' if len(stored) == 1 else 'models'}",
        title_justify="left",
        title_style="bold",
    )
    for column in ("model", "", "trained (UTC)", "size", "Rasa"):
        table.add_column(column, justify="right" if column == "size" else "left")
    for model in stored:
        champion = model.name == active
        table.add_row(
            Text(model.name, style="bold" if champion else ""),
            Text("champion" if champion else "", style="green"),
            f"{model.trained_at:%Y-%m-%d %H:%M}",
            f"{model.size / 1e6:.1f} MB",
            model.rasa_version,
        )
    return table


def _document(assistant: str, model: Model, active: str | None) -> dict[str, object]:
    return {
        "assistant": assistant,
        "model": model.name,
        "champion": model.name == active,
        "trained_at": model.trained_at.isoformat(),
        "size": model.size,
        "sha256": model.sha256,
        "rasa_version": model.rasa_version,
    }
