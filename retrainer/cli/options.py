"""Options that several commands have."""

from typing import Annotated

import typer

#: One assistant out of several.
OneAssistant = Annotated[
    str | None,
    typer.Option(
        "--assistant",
        "-a",
        metavar="NAME",
        help="Which assistant; not needed if only one is configured.",
    ),
]
#: All assistants, or only this one.
OnlyAssistant = Annotated[
    str | None,
    typer.Option("--assistant", "-a", metavar="NAME", help="Only this assistant, not all."),
]
AtMost = Annotated[
    int, typer.Option("--limit", "-n", metavar="NUMBER", min=1, help="At most so many.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs, one object on each line.")
]
