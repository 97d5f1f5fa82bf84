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
    messages.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
    if error.tip:
        messages.print(f"[bold cyan]tip:[/]   {escape(error.tip)}", soft_wrap=True)
