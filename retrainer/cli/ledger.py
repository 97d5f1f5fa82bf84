"""`retrainer ledger`: every change of the champion."""

import typer

from retrainer.cli.options import AsJson, AtMost, OnlyAssistant
from retrainer.cli.output import show, show_json
from retrainer.wiring import Application


def ledger(
    context: typer.Context,
    assistant: OnlyAssistant = None,
    limit: AtMost = 20,
    as_json: AsJson = False,
) -> None:
    """List every change of the champion, newest first: when, from, to, why, who, note."""
    from retrainer.store.history import list_promotions

    past = Application.from_config(context.obj).past
    rows = () if past is None else list_promotions(past, assistant=assistant, limit=limit)
    if as_json:
        from retrainer.reports.json_report import promotion_to_json

        for promotion in rows:
            show_json(promotion_to_json(promotion))
    else:
        from retrainer.reports.listings import ledger_table

        show(ledger_table(rows))
