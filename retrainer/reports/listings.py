"""Lists on a terminal, a line each: cycles, models, changes of the champion."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from retrainer.domain.cycle import Promotion
from retrainer.reports import words
from retrainer.reports.rows import HistoryLine, StoredModel
from retrainer.reports.values import counted, duration, moment, printable, share, size

RESULT_STYLES = {
    "PROMOTED": "bold green",
    "HELD": "bold yellow",
    "REJECTED": "bold red",
    "FAILED": "bold red",
    "ABANDONED": "bold red",
    "RUNNING": "bold cyan",
}
#: Columns of a console that has room for what is nice to know as well.
_WIDE = 110


def history_table(lines: Iterable[HistoryLine]) -> RenderableType:
    """Cycles, a line each."""
    shown = tuple(lines)
    return _History(shown) if shown else Text("no cycles", style="dim")


def models_table(assistant: str, models: Sequence[StoredModel]) -> RenderableType:
    """An assistant's models, a line each."""
    if models:
        return _Models(assistant, tuple(models))
    return Text(f"{assistant}: no models yet; `retrainer run-once` trains the first", style="dim")


def ledger_table(promotions: Sequence[Promotion]) -> RenderableType:
    """Changes of the champion: when, to and from which model, why and by whom."""
    if not promotions:
        return Text("the champion has never been changed", style="dim")
    table = _table()
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("champion, and why", overflow="fold", ratio=1)
    for promotion in promotions:
        before = f" in place of {promotion.previous}" if promotion.previous else ", the first one"
        what = Text(printable(promotion.model), style="bold")
        what.append(printable(before), style="not bold")
        what.append(f"\n{words.promotion_story(promotion)}", style="not bold dim")
        table.add_row(moment(promotion.at), what)
    return table


@dataclass(frozen=True)
class _Models:
    assistant: str
    models: tuple[StoredModel, ...]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        del console
        wide = options.max_width >= _WIDE
        table = _table()
        table.add_column("model", overflow="fold")
        table.add_column("", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        table.add_column("F1", justify="right", no_wrap=True)
        table.add_column("size", justify="right", no_wrap=True)
        if wide:
            table.add_column("trained (UTC)", no_wrap=True)
            table.add_column("Rasa", no_wrap=True)
        for stored in self.models:
            model, made = stored.model, stored.made_by
            result = words.result(made.cycle, made.verdict) if made else ""
            table.add_row(
                Text(printable(model.name), style="bold" if stored.champion else ""),
                Text("champion" if stored.champion else "", style="green"),
                Text(result, style=RESULT_STYLES.get(result, "dim")),
                share(made.f1_challenger if made else None),
                size(model.size),
                *((moment(model.trained_at), printable(model.rasa_version)) if wide else ()),
            )
        yield Text(f"{self.assistant}: {counted(len(self.models), 'model')}", style="bold")
        yield table


@dataclass(frozen=True)
class _History:
    lines: tuple[HistoryLine, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        del console
        wide = options.max_width >= _WIDE
        table = _table()
        table.add_column("#", justify="right")
        table.add_column("assistant", overflow="fold")
        table.add_column("begun (UTC)", no_wrap=True)
        table.add_column("result", no_wrap=True)
        table.add_column("took", justify="right", no_wrap=True)
        table.add_column("what came of it", overflow="fold", ratio=1)
        if wide:
            table.add_column("examples", justify="right")
            table.add_column("challenger", no_wrap=True)
        for line in self.lines:
            table.add_row(*_history_cells(line), *(_wide_cells(line) if wide else ()))
        yield table


def _history_cells(line: HistoryLine) -> tuple[Text, ...]:
    result = words.result(line.cycle, line.verdict)
    took = (line.ended_at - line.cycle.started_at).total_seconds() if line.ended_at else None
    return (
        Text(str(line.cycle.number)),
        Text(line.cycle.assistant),
        Text(moment(line.cycle.started_at)),
        Text(result, style=RESULT_STYLES.get(result, "dim")),
        Text("" if took is None else duration(took)),
        Text(words.history_story(line)),
    )


def _wide_cells(line: HistoryLine) -> tuple[Text, ...]:
    trained = line.cycle.challenger if line.f1_challenger is not None else ""
    return Text(str(line.examples or "")), Text(trained, style="dim")


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
