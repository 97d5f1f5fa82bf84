"""A cycle as Slack shows it: Block Kit, within Slack's limits whatever the report holds.

Slack refuses a whole message when a part of it is too long. Its limits: 50 blocks, 150 characters
in a header, 3,000 in a section, 2,000 in a field, and about 13,200 in all blocks together: that
one is not documented, and messages of a little less have been refused, so this stays well below.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import accumulate
from typing import Any

from retrainer.domain.evaluation import Report
from retrainer.domain.verdict import Outcome, Verdict, metric
from retrainer.ports import CycleReport
from retrainer.reports import checks, facts, words
from retrainer.reports.values import printable, share, shorten

MOST_IN_HEADER = 150
MOST_IN_SECTION = 2_900
MOST_IN_FIELD = 1_000
#: Of all blocks together, as JSON; beyond this nobody reads on in a chat.
MOST_CHARACTERS = 10_000

_MOST_IN_LINE = 700
_MOST_IN_QUOTE = 150
_MOST_LISTED = 10
_MOST_DETAILS = 5
_MOST_OF_CHECKS = 60
_MARKS = {Outcome.PROMOTE: "✅", Outcome.HOLD: "⚠️", Outcome.REJECT: "❌", None: "⚪"}

Block = dict[str, Any]


def to_blocks(report: CycleReport, missed: Sequence[CycleReport] = ()) -> tuple[Block, ...]:
    """Header, F1 of both models, the checks that count, what failed, flips, how to go on.

    `missed` are earlier cycles, oldest first, of which the newest are told of in a line each.
    """
    message = _Message(first=_header(report), last=_context(_footer(report)))
    message.add("", words.summary(report)[1:])
    message.add_fields(_models(report))
    if missed:
        message.add(f"*{words.missed_title(missed)}*", list(map(words.missed, missed[::-1])))
    if report.error:
        tip = [f"Tip: {report.tip}"] if report.tip else []
        told = [words.headline(report), *words.error_details(report), *tip]
        message.add("*What went wrong*", told)
    if verdict := report.state.verdict:
        message.add("*Checks*", [*_checks(verdict, report)], most=_MOST_OF_CHECKS)
    failed = checks.failed_must_pass(report)
    title = f"*Must-pass utterances that failed: {len(failed)}*"
    message.add(title, [checks.must_pass(f, _code) for f in failed])
    stories = checks.failed_stories(report)
    message.add(f"*{checks.stories_title(stories)}*", stories)
    for flips in words.flips(report):
        if flips:
            message.add(f"*{words.flips_title(flips)}*", [words.flip(f, _code) for f in flips])
    message.add("", facts.remarks(report, _MOST_LISTED))
    return message.blocks


class _Message:
    """Blocks that are added as long as there is room for them, the last one included."""

    def __init__(self, *, first: Block, last: Block) -> None:
        self._blocks, self._last = [first], last
        self._room = MOST_CHARACTERS - _length(first) - _length(last)

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (*self._blocks, self._last)

    def add(self, title: str, lines: Sequence[str], most: int = _MOST_LISTED) -> None:
        """Sections with at most `most` of the lines; says how many were left out."""
        shown = [_clip(line, _MOST_IN_LINE) for line in lines[:most]]
        while shown:
            left_out = len(lines) - len(shown)
            more = [f"… and {left_out} more"] if left_out else []
            sections = [_section(text) for text in _chunks([title, *shown, *more])]
            if self._add(sections, room=self._room * 2 // 3):  # the rest is for what follows
                return
            shown.pop()

    def add_fields(self, texts: Sequence[str]) -> None:
        """Short texts side by side."""
        if texts:
            fields = [_mrkdwn(_clip(text, MOST_IN_FIELD)) for text in texts]
            self._add([{"type": "section", "fields": fields}], room=self._room)

    def _add(self, blocks: Sequence[Block], *, room: int) -> bool:
        needed = sum(map(_length, blocks))
        if needed > room:
            return False
        self._blocks += blocks
        self._room -= needed
        return True


def _header(report: CycleReport) -> Block:
    text = shorten(words.title(report), MOST_IN_HEADER)
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _models(report: CycleReport) -> list[str]:
    evaluation = report.state.evaluation
    if evaluation is None:
        return []
    measured = [("Champion", evaluation.champion), ("Challenger", evaluation.challenger)]
    return [f"{role}: {_f1(measurement)}" for role, measurement in measured]


def _f1(measurement: Report | None) -> str:
    if measurement is None:
        return "none yet"
    return f"F1 {share(metric(measurement, 'f1_weighted'))}\n{_code(measurement.model)}"


def _checks(verdict: Verdict, report: CycleReport) -> Iterator[str]:
    for check in checks.told(verdict):
        advisory = "" if check.blocking else " (advisory)"
        mark = "⚠️" if check.warns else _MARKS[check.outcome]
        yield f"{mark} {check.rule}{advisory}: {check.sentence}"
        yield from (f"• {detail}" for detail in checks.details_of(check, report, _MOST_DETAILS))
    for outcome, names in checks.named(verdict):
        yield f"{_MARKS[outcome]} {checks.phrase(outcome)}: {', '.join(names)}"


def _footer(report: CycleReport) -> str:
    return f"{words.elapsed(report)} · {words.see_more(report)}"


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(_clip(text, MOST_IN_FIELD))]}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(escaped: str) -> dict[str, Any]:
    # `verbatim`: no links made of what merely looks like a channel, a person or an address
    return {"type": "mrkdwn", "text": escaped, "verbatim": True}


def _chunks(lines: Iterable[str]) -> list[str]:
    """The lines (escaped, each shorter than a section) joined into as few sections as possible."""
    chunks: list[str] = []
    for line in filter(None, lines):
        if chunks and len(chunks[-1]) + 1 + len(line) <= MOST_IN_SECTION:
            chunks[-1] += f"\n{line}"
        else:
            chunks.append(line)
    return chunks


def _code(text: str) -> str:
    """A user's words as Slack's inline code, in which no other markup counts."""
    return "`" + printable(shorten(text, _MOST_IN_QUOTE)).replace("`", "'") + "`"


def _clip(text: str, longest: int) -> str:
    """Escaped, printable but for line breaks, and then no longer than `longest`."""
    plain = "\n".join(printable(line) for line in shorten(text, longest).split("\n"))
    escaped = escape(plain, quote=False)
    if len(escaped) <= longest:
        return escaped
    lengths = accumulate(len(escape(character, quote=False)) for character in plain)
    fitting = sum(1 for length in lengths if length < longest)
    return escape(plain[:fitting], quote=False) + "…"


def _length(block: Block) -> int:
    return len(json.dumps(block, ensure_ascii=False)) + 2  # the comma between blocks
