"""Titled tables without a form, which a terminal and Markdown show alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from retrainer.reports.values import printable

_MARKS = {"✓": "green", "?": "yellow", "✗": "red"}


@dataclass(frozen=True, slots=True)
class Section:
    """A title, a table, and a line below it.

    Columns whose name begins with `>` hold numbers. Without columns the rows are a plain list.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...] = ()
    note: str = ""


def terminal(sections: Iterable[Section]) -> RenderableType:
    """For a terminal; users' words are never markup."""
    parts: list[RenderableType] = []
    for section in sections:
        table = _rich(section)
        parts += [Text(""), Text(printable(section.title), style="bold")]
        parts.append(Padding(table, (0, 0, 0, 2)))
        if section.note:
            parts.append(Padding(Text(printable(section.note), style="dim"), (0, 0, 0, 2)))
    return Group(*parts)


def markdown(sections: Iterable[Section]) -> str:
    """For a pull request; users' words are never markup."""
    parts: list[str] = []
    for section in sections:
        parts.append(f"### {_escaped(section.title)}\n")
        if section.columns:
            names = [name.removeprefix(">") for name in section.columns]
            sides = ["---:" if name.startswith(">") else "---" for name in section.columns]
            parts += [_row(names), _row(sides, raw=True), *map(_row, section.rows)]
        else:
            parts += [
                "- " + " ".join(_escaped(cell) for cell in row if cell) for row in section.rows
            ]
        parts.append("")
        if section.note:
            parts.append(f"{_escaped(section.note)}\n")
    return "\n".join(parts)


def _rich(section: Section) -> Table:
    if section.columns:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for name in section.columns:
            side = "right" if name.startswith(">") else "left"
            table.add_column(name.removeprefix(">"), justify=side, overflow="fold")  # type: ignore[arg-type]
    else:
        table = Table.grid(padding=(0, 1, 0, 0))
    for row in section.rows:
        table.add_row(*(Text(printable(cell), style=_MARKS.get(cell, "")) for cell in row))
    return table


def _row(cells: Sequence[str], *, raw: bool = False) -> str:
    return "| " + " | ".join(cell if raw else _escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    shown = printable(text)
    for special in "\\`*_[]<>|#~":
        shown = shown.replace(special, "\\" + special)
    return shown.replace("@", "@\u200b")  # nobody is to be notified by an utterance
