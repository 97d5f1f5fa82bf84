"""`retrainer models`, `promote` and `rollback`: what is stored, and what serves."""

from typing import Annotated

import typer

from retrainer.cli.actor import actor
from retrainer.cli.options import AsJson, OneAssistant, OnlyAssistant
from retrainer.cli.output import say, show, show_json
from retrainer.domain.cycle import Promotion
from retrainer.domain.verdict import Outcome
from retrainer.errors import ConfigurationError
from retrainer.reports.rows import StoredModel
from retrainer.wiring import Application

ReasonOption = Annotated[
    str, typer.Option("--reason", "-r", metavar="WORDS", help="Why; kept on the ledger.")
]


def models(
    context: typer.Context, assistant: OnlyAssistant = None, as_json: AsJson = False
) -> None:
    """List the stored models, newest first, with the verdict on each; the champion is marked."""
    application = Application.from_config(context.obj)
    for name in application.assistants(assistant):
        stored = _stored(application, name)
        if as_json:
            for model in stored:
                show_json(_document(model))
        else:
            from retrainer.reports.listings import models_table

            show(models_table(name, stored))


def _stored(application: Application, assistant: str) -> tuple[StoredModel, ...]:
    from retrainer.store.history import made_by

    platform = application.platform(assistant)
    active, found = platform.active(), platform.models()
    past = application.past
    cycles = made_by(past, [model.name for model in found]) if found and past else {}
    for sentence in platform.damaged():
        say(f"warning: {sentence}")
    return tuple(
        StoredModel(assistant, model, model.name == active, cycles.get(model.name))
        for model in reversed(found)
    )


def promote(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Name of a stored model; `retrainer models` has them."
        ),
    ],
    reason: ReasonOption,
    assistant: OneAssistant = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even if the verdict was to reject or to hold it.")
    ] = False,
) -> None:
    """Make a stored model the champion; against the verdict on it only with --force."""
    from retrainer.pipeline import by_hand
    from retrainer.store.history import made_by

    application = Application.from_config(context.obj)
    desk, past = application.desk(_one(application, assistant)), application.past
    made = made_by(past, [model]).get(model) if past else None
    if made is not None and made.verdict not in {None, Outcome.PROMOTE} and not made.promoted:
        reason = by_hand.forced(model, made.cycle.number, made.verdict, reason, force=force)
    _tell(by_hand.promote(desk, model, actor=actor(), note=reason))


def rollback(
    context: typer.Context,
    reason: ReasonOption = "rolled back by hand",
    assistant: OneAssistant = None,
) -> None:
    """Make the champion before this one the champion again."""
    from retrainer.pipeline import by_hand

    application = Application.from_config(context.obj)
    desk = application.desk(_one(application, assistant))
    _tell(by_hand.rollback(desk, actor=actor(), note=reason))


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


def _document(stored: StoredModel) -> dict[str, object]:
    model, made = stored.model, stored.made_by
    return {
        "assistant": stored.assistant,
        "model": model.name,
        "champion": stored.champion,
        "trained_at": model.trained_at.isoformat(),
        "size": model.size,
        "sha256": model.sha256,
        "rasa_version": model.rasa_version,
        "cycle": made.cycle.number if made else None,
        "verdict": made.verdict if made else None,
        "f1_weighted": made.f1_challenger if made else None,
    }
