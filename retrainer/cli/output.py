"""The one place that prints: results go to standard output, everything else to standard error."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape

from retrainer.errors import RetrainerError

#: What a user asked for; may be piped into another program.
results = Console(highlight=False)
#: Progress, hints and errors.
messages = Console(stderr=True, highlight=False)

_BREAK = "\n"


def show(content: RenderableType) -> None:
    """Print a result."""
    results.print(content)


def show_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, never wrapped or coloured."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print a line about what is going on; `text` is plain, without markup."""
    messages.print(escape(text), soft_wrap=True)


def complain(error: RetrainerError) -> None:
    """Print what went wrong, what led to it, and what to do next."""
    _labelled("[bold red]error:[/]", error.message)
    if error.tip:
        _labelled("[bold cyan]tip:[/]  ", error.tip)


def _labelled(label: str, text: str) -> None:
    """Further lines stand below the first, so that one error looks like one."""
    messages.print(f"{label} {escape(text.replace(_BREAK, _BREAK + ' ' * 7))}", soft_wrap=True)
