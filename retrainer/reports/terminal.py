"""A cycle on a terminal: what `run-once` and `show` print."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from retrainer.domain.cycle import Promotion
from retrainer.ports import Answer, CycleReport
from retrainer.reports import checks, comparison, facts, sections, tables, words
from retrainer.reports.listings import RESULT_STYLES, ledger_table
from retrainer.reports.rows import StepTime
from retrainer.reports.values import printable

_FEW, _MANY = 5, 50


def summary(report: CycleReport) -> RenderableType:
    """What came of a cycle, in what fits on one screen."""
    parts = [*_head(report), *_verdict(report, _FEW, tables.deciding_checks(report, _FEW))]
    parts += _remarks(report, _FEW)
    last = Text(f"{words.elapsed(report)}; {words.see_more(report)}", style="dim")
    return Group(*parts, "", last)


def full(
    report: CycleReport,
    steps: Sequence[StepTime] = (),
    promotions: Sequence[Promotion] = (),
    answer: Answer | None = None,
) -> RenderableType:
    """Everything that is known of a cycle."""
    parts = _head(report)
    if answer is not None:
        parts.append(Text(words.answered(answer), style="bold"))
    parts += [_section("", _facts(report)), *_verdict(report, _MANY, tables.all_checks(report))]
    if evaluation := report.state.evaluation:
        parts.append(_section("Figures", tables.figures(evaluation)))
        parts.append(_section("Intents, the most changed first", tables.intents(evaluation)))
        parts.append(sections.terminal(comparison.details(evaluation)))
    parts += _remarks(report, None)
    if found := report.state.findings:
        parts.append(_section("Findings of the validation", tables.findings(found, _MANY)))
    if promotions:
        parts.append(_section("Changes of the champion", ledger_table(promotions)))
    if steps:
        parts.append(_section("Steps", tables.steps(steps)))
    return Group(*parts)


def _head(report: CycleReport) -> list[RenderableType]:
    """Headline, reason, F1; for a failure what is known of it and what to do."""
    headline, *others = words.summary(report)
    result = words.outcome(report)
    first = Text(headline, style="bold")
    first.highlight_words([result], RESULT_STYLES.get(result, "bold"))
    parts = [first, *map(Text, others)]
    parts += [Text(f"  {line}", style="dim") for line in words.error_details(report)]
    if report.tip:
        parts.append(Text.assemble(("tip: ", "bold cyan"), printable(report.tip)))
    return list(parts)


def _verdict(report: CycleReport, most: int, applied: Table) -> list[RenderableType]:
    """Checks, must-pass utterances and test stories that failed, utterances that changed."""
    parts: list[RenderableType] = []
    if verdict := report.state.verdict:
        parts.append(_section(f"Checks of policy {verdict.policy}", applied))
    if failed := checks.failed_must_pass(report):
        title = f"Must-pass utterances that failed: {len(failed)}"
        parts.append(_section(title, tables.must_pass(failed, most)))
    if stories := checks.failed_stories(report):
        parts.append(_section(checks.stories_title(stories), tables.stories(stories, most)))
    parts += [
        _section(words.flips_title(flips), tables.flips(flips, most))
        for flips in words.flips(report)
        if flips
    ]
    return parts


def _remarks(report: CycleReport, most: int | None) -> list[RenderableType]:
    if not (remarks := facts.remarks(report, most)):
        return []
    table = Table.grid(padding=(0, 1, 0, 0))
    for remark in remarks:
        table.add_row("-", Text(remark, overflow="fold"))
    return [_section("To bear in mind", table)]


def _facts(report: CycleReport) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for label, value in facts.facts(report):
        table.add_row(Text(label, style="dim"), Text(value, overflow="fold"))
    return table


def _section(title: str, content: RenderableType) -> RenderableType:
    body = Padding(content, (0, 0, 0, 2))
    return Group(Text(""), Text(printable(title), style="bold"), body) if title else Group("", body)
