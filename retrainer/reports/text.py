"""A whole cycle in plain text, for logs, mails and pipes."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from retrainer.ports import CycleReport
from retrainer.reports import checks, facts, words
from retrainer.reports.values import printable

_Item = TypeVar("_Item")
_MOST = 10  # utterances of a list, further lines of a check, intents of a remark


def to_text(report: CycleReport, missed: Sequence[CycleReport] = ()) -> str:
    """Everything that a person needs to judge the cycle, in lines that end with a newline.

    `missed` are earlier cycles, oldest first, of which the newest are told of in a line each.
    """
    lines = [*words.summary(report)]
    lines += [f"  | {line}" for line in words.error_details(report)]
    if report.tip:
        lines.append(f"tip: {printable(report.tip)}")
    if missed:
        lines += _listed(words.missed_title(missed), missed[::-1], words.missed)
    lines += _checks(report)
    failed = checks.failed_must_pass(report)
    lines += _listed(f"Must-pass utterances that failed: {len(failed)}", failed, checks.must_pass)
    stories = checks.failed_stories(report)
    lines += _listed(checks.stories_title(stories), stories, str)
    for flips in words.flips(report):
        if flips:
            lines += _listed(words.flips_title(flips), flips, words.flip)
    lines += [f"note: {remark}" for remark in facts.remarks(report, _MOST)]
    lines += [f"{label}: {value}" for label, value in facts.facts(report)]
    lines.append(words.see_more(report))
    return "\n".join(lines) + "\n"


def _checks(report: CycleReport) -> list[str]:
    verdict = report.state.verdict
    if verdict is None:
        return []
    lines = [f"checks of policy {printable(verdict.policy)}:"]
    for check in checks.told(verdict):
        lines.append(printable(f"  [{checks.verdict_of(check)}] {check.rule}: {check.sentence}"))
        lines += [f"      {detail}" for detail in checks.details_of(check, report, _MOST)]
    for outcome, names in checks.named(verdict):
        lines.append(printable(f"  {checks.phrase(outcome)}: {', '.join(names)}"))
    return lines


def _listed(title: str, items: Sequence[_Item], phrase: Callable[[_Item], str]) -> list[str]:
    if not items:
        return []
    more = [f"  … and {len(items) - _MOST} more"] if len(items) > _MOST else []
    return [title, *(printable(f"  {phrase(item)}") for item in items[:_MOST]), *more]
