"""Cycles on a terminal: what `run-once`, `show` and `history` print."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from retrainer.ports import CycleReport
from retrainer.reports import tables, words
from retrainer.reports.rows import HistoryLine, StepTime
from retrainer.reports.values import duration, moment, printable

_STYLES = {
    "PROMOTED": "bold green",
    "HELD": "bold yellow",
    "REJECTED": "bold red",
    "FAILED": "bold red",
    "ABANDONED": "bold red",
    "RUNNING": "bold cyan",
}
_FEW, _MANY = 5, 50
#: Columns of a console that has room for the names of the models in the history.
_WIDE = 110


def summary(report: CycleReport) -> RenderableType:
    """What came of a cycle, in what fits on one screen."""
    parts = [*_head(report), *_verdict(report, _FEW), *_remarks(report, _FEW)]
    last = Text(f"{words.elapsed(report)}; {words.see_more(report)}", style="dim")
    return Group(*parts, "", last)


def full(report: CycleReport, steps: Sequence[StepTime] = ()) -> RenderableType:
    """Everything that is known of a cycle."""
    parts = [*_head(report), _section("", _facts(report)), *_verdict(report, _MANY)]
    if evaluation := report.state.evaluation:
        parts.append(_section("Figures", tables.figures(evaluation)))
        parts.append(_section("Intents, the most changed first", tables.intents(evaluation)))
    parts += _remarks(report, None)
    if found := report.state.findings:
        parts.append(_section("Findings of the validation", tables.findings(found, _MANY)))
    if steps:
        parts.append(_section("Steps", tables.steps(steps)))
    return Group(*parts)


@dataclass(frozen=True)
class _History:
    lines: tuple[HistoryLine, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        del console
        wide = options.max_width >= _WIDE
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
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


def history_table(lines: Iterable[HistoryLine]) -> RenderableType:
    """Cycles, a line each."""
    shown = tuple(lines)
    return _History(shown) if shown else Text("no cycles", style="dim")


def _history_cells(line: HistoryLine) -> tuple[Text, ...]:
    result = words.result(line.cycle, line.verdict)
    took = (line.ended_at - line.cycle.started_at).total_seconds() if line.ended_at else None
    return (
        Text(str(line.cycle.number)),
        Text(line.cycle.assistant),
        Text(moment(line.cycle.started_at)),
        Text(result, style=_STYLES.get(result, "dim")),
        Text("" if took is None else duration(took)),
        Text(words.history_story(line)),
    )


def _wide_cells(line: HistoryLine) -> tuple[Text, ...]:
    trained = line.cycle.challenger if line.f1_challenger is not None else ""
    return Text(str(line.examples or "")), Text(trained, style="dim")


def _head(report: CycleReport) -> list[RenderableType]:
    """Headline, reason, F1; for a failure what is known of it and what to do."""
    headline, *others = words.summary(report)
    result = words.outcome(report)
    first = Text(headline, style="bold")
    first.highlight_words([result], _STYLES.get(result, "bold"))
    further = (report.error or "").strip().splitlines()[1:]
    parts = [first, *map(Text, others)]
    parts += [Text(f"  {printable(line)}", style="dim") for line in further]
    if report.tip:
        parts.append(Text.assemble(("tip: ", "bold cyan"), printable(report.tip)))
    return list(parts)


def _verdict(report: CycleReport, most: int) -> list[RenderableType]:
    """Checks, must-pass utterances that failed, utterances that changed."""
    parts: list[RenderableType] = []
    if verdict := report.state.verdict:
        parts.append(_section(f"Checks of policy {verdict.policy}", tables.checks(report)))
    if failed := words.failed_must_pass(report):
        title = f"Must-pass utterances that failed: {len(failed)}"
        parts.append(_section(title, tables.must_pass(failed, most)))
    parts += [
        _section(words.flips_title(flips), tables.flips(flips, most))
        for flips in words.flips(report)
        if flips
    ]
    return parts


def _remarks(report: CycleReport, most: int | None) -> list[RenderableType]:
    if not (remarks := words.remarks(report, most)):
        return []
    table = Table.grid(padding=(0, 1, 0, 0))
    for remark in remarks:
        table.add_row("-", Text(remark, overflow="fold"))
    return [_section("To bear in mind", table)]


def _facts(report: CycleReport) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for label, value in words.facts(report):
        table.add_row(Text(label, style="dim"), Text(value, overflow="fold"))
    return table


def _section(title: str, content: RenderableType) -> RenderableType:
    body = Padding(content, (0, 0, 0, 2))
    return Group(Text(""), Text(printable(title), style="bold"), body) if title else Group("", body)
