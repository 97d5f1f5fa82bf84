"""The tables of a cycle, in Rich. Users' words are never markup: every cell is a `Text`."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from retrainer.domain.cycle import Finding, Severity
from retrainer.domain.evaluation import Evaluation, Flip, MustPassResult
from retrainer.domain.metrics import LOWER_IS_BETTER, METRICS, IntentFigures
from retrainer.domain.verdict import Check, Outcome, metric
from retrainer.ports import CycleReport
from retrainer.reports import checks, words
from retrainer.reports.comparison import between_points, differences
from retrainer.reports.rows import StepTime
from retrainer.reports.values import change, duration, first_line, printable, quoted, share

_MARKS = {
    Outcome.PROMOTE: Text("✓", style="green"),
    Outcome.HOLD: Text("?", style="yellow"),
    Outcome.REJECT: Text("✗", style="red"),
    None: Text("-", style="dim"),
}
_STYLES = {Outcome.PROMOTE: "green", Outcome.HOLD: "yellow", Outcome.REJECT: "bold red"}
_BETTER, _WORSE = "green", "red"


def all_checks(report: CycleReport) -> Table:
    """Every check with its mark and its sentence, and further lines below."""
    table = _grid(4)
    for check in report.state.verdict.checks if report.state.verdict else ():
        _add_check(table, check, report)
    return table


def deciding_checks(report: CycleReport, most: int) -> Table:
    """What fits on one screen: checks that count with `most` further lines, the others' names."""
    table = _grid(4)
    if (verdict := report.state.verdict) is None:
        return table
    for check in checks.told(verdict):
        _add_check(table, check, report, most)
    for outcome, names in checks.named(verdict):
        listed = Text(printable(", ".join(names)), style="dim")
        table.add_row(_MARKS[outcome], Text(checks.phrase(outcome), style="dim"), "", listed)
    return table


def _add_check(table: Table, check: Check, report: CycleReport, most: int | None = None) -> None:
    style = _STYLES.get(check.outcome, "dim") if check.outcome else "dim"
    table.add_row(
        _MARKS[check.outcome],
        Text(checks.verdict_of(check), style=style),
        Text(printable(check.rule), style="bold"),
        Text(printable(check.sentence)),
    )
    for detail in checks.details_of(check, report, most):
        table.add_row("", "", "", Text(f"- {detail}", style="dim"))


def figures(evaluation: Evaluation) -> Table:
    """Every metric of both models, the difference in points, and its interval where there is one."""
    intervals = differences(evaluation)
    interval = [("95 % interval", "right")] if intervals else []
    table = _table(("metric", "left"), *_OF_BOTH, *interval)
    after, before = evaluation.challenger, evaluation.champion
    measured = {*after.metrics, *(before.metrics if before else ())}
    for name in [*(n for n in METRICS if n in measured), *sorted(measured - {*METRICS})]:
        old, new = metric(before, name) if before else None, metric(after, name)
        between = [Text(between_points(intervals[name]))] if name in intervals else []
        table.add_row(Text(name), *_figures(old, new, higher=name not in LOWER_IS_BETTER), *between)
    return table


def intents(evaluation: Evaluation) -> Table:
    """F1 of every intent, the most changed first, and what the challenger took it for instead."""
    table = _table(("intent", "left"), ("examples", "right"), *_OF_BOTH, ("taken for", "left"))
    after = evaluation.challenger.intents
    before = evaluation.champion.intents if evaluation.champion else {}

    def moved(intent: str) -> tuple[float, str]:
        both = intent in before and intent in after
        return (-abs(after[intent].f1 - before[intent].f1) if both else 0.0, intent)

    for intent in sorted({*before, *after}, key=moved):
        known = after.get(intent) or before[intent]
        table.add_row(
            Text(printable(intent), overflow="fold"),
            Text(str(known.support)),
            *_figures(_f1(before, intent), _f1(after, intent)),
            Text(_confused(after.get(intent)), style="dim", overflow="fold"),
        )
    return table


def flips(flipped: Sequence[Flip], most: int) -> Table:
    """Utterances that one model understood and the other did not."""
    mark = Text("✗", style=_WORSE) if flipped[0].regression else Text("✓", style=_BETTER)
    table = _grid(2)
    for flip in flipped[:most]:
        line = Text(quoted(flip.text) + "  ", overflow="fold")
        table.add_row(mark, line.append(words.answers(flip), style="dim"))
    return _cut(table, len(flipped) - most)


def must_pass(failed: Sequence[MustPassResult], most: int) -> Table:
    """Must-pass utterances that the challenger failed, and how."""
    table = _grid(2)
    for result in failed[:most]:
        line = Text(quoted(result.text), overflow="fold")
        line.append(printable(f"  ({result.expected})"), style="dim")
        table.add_row(Text("✗", style=_WORSE), line.append(f"  {printable(result.problem or '')}"))
    return _cut(table, len(failed) - most)


def stories(failed: Sequence[str], most: int) -> Table:
    """Test stories that the challenger failed, and how."""
    table = _grid(2)
    for story in failed[:most]:
        table.add_row(Text("✗", style=_WORSE), Text(printable(story), overflow="fold"))
    return _cut(table, len(failed) - most)


def findings(found: Sequence[Finding], most: int) -> Table:
    """What the validation said, errors first."""
    table = _grid(2)
    for finding in sorted(found, key=lambda f: f.severity is not Severity.ERROR)[:most]:
        style = "red" if finding.severity is Severity.ERROR else "yellow"
        table.add_row(
            Text(finding.severity.value, style=style),
            Text(printable(str(finding)), overflow="fold"),
        )
    return _cut(table, len(found) - most)


def steps(timings: Sequence[StepTime]) -> Table:
    """How long each step took, and why one failed."""
    table = _grid(4)
    for step in timings:
        took = (step.ended_at - step.started_at).total_seconds() if step.ended_at else None
        again = f"attempt {step.attempts} " if step.attempts > 1 else ""
        table.add_row(
            Text(step.name),
            Text(step.status, style="red" if step.status == "failed" else ""),
            Text("" if took is None else duration(took), justify="right"),
            Text(again + first_line(step.error or ""), style="dim"),
        )
    return table


_OF_BOTH = (("champion", "right"), ("challenger", "right"), ("change", "right"))


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for header, side in columns:
        table.add_column(header, justify="right" if side == "right" else "left")
    return table


def _grid(columns: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(columns):
        table.add_column()
    return table


def _cut(table: Table, more: int) -> Table:
    if more > 0:
        table.add_row("", Text(f"… and {more} more", style="dim"))
    return table


def _figures(
    before: float | None, after: float | None, *, higher: bool = True
) -> tuple[Text, Text, Text]:
    style = ""
    if before is not None and after is not None and before != after:
        style = _BETTER if (after > before) == higher else _WORSE
    return Text(share(before)), Text(share(after)), Text(change(before, after), style=style)


def _f1(of: Mapping[str, IntentFigures], intent: str) -> float | None:
    return of[intent].f1 if intent in of else None


def _confused(figures: IntentFigures | None) -> str:
    if figures is None:
        return ""
    return printable(", ".join(f"{i or 'nothing'} {n}" for i, n in figures.confused_with.items()))
