"""The words of a cycle: one place, so that Slack, console, terminal and history agree.

Every number comes from the domain's own objects, and the sentences of the checks stand verbatim.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from retrainer.domain.cycle import Cycle, Severity, Status, Trigger
from retrainer.domain.evaluation import Flip, MustPassResult
from retrainer.domain.rules.limits import points
from retrainer.domain.verdict import Check, Outcome, metric
from retrainer.ports import CycleReport

_RESULTS = {Outcome.PROMOTE: "PROMOTED", Outcome.HOLD: "HELD", Outcome.REJECT: "REJECTED"}
_OUTCOMES = {
    Outcome.PROMOTE: "passed",
    Outcome.HOLD: "unclear",
    Outcome.REJECT: "FAILED",
    None: "not applied",
}
#: What ends a line, moves a cursor, turns the direction of writing or is no character at all.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
#: Utterances longer than this are cut where they are quoted; they remain whole in the JSON.
_LONGEST_QUOTE = 300

Quote = Callable[[str], str]


class HistoryLine(Protocol):
    """What the history tells of a cycle; F1 is the weighted one, 0 to 1, None if unknown."""

    @property
    def cycle(self) -> Cycle: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def verdict(self) -> Outcome | None: ...
    @property
    def f1_champion(self) -> float | None: ...
    @property
    def f1_challenger(self) -> float | None: ...
    @property
    def examples(self) -> int | None: ...
    @property
    def same_as(self) -> int | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def failed_step(self) -> str | None: ...


# --- the cycle as a whole --------------------------------------------------------------------


def result(cycle: Cycle, verdict: Outcome | None) -> str:
    """How the cycle ended in a word: PROMOTED, HELD, REJECTED, SKIPPED, FAILED, ABANDONED, RUNNING.

    A dry run that reached a verdict is `would PROMOTE`, `would HOLD` or `would REJECT`.
    """
    if cycle.status is not Status.COMPLETED or verdict is None:
        return cycle.status.value.upper()
    return f"would {verdict.value.upper()}" if cycle.dry_run else _RESULTS[verdict]


def outcome(report: CycleReport) -> str:
    """As `result`, of a report."""
    verdict = report.state.verdict
    return result(report.cycle, verdict.outcome if verdict else None)


def title(report: CycleReport) -> str:
    """The shortest line that says what happened, without a word that a user wrote."""
    cycle = report.cycle
    if cycle.status is not Status.COMPLETED:
        return f"{cycle.assistant}: {outcome(report)} cycle {cycle.number}"
    return f"{cycle.assistant}: {outcome(report)} {cycle.challenger}"


def headline(report: CycleReport) -> str:
    """What happened, in one line."""
    cycle = report.cycle
    if cycle.status is Status.COMPLETED:
        return f"{title(report)}, {_who_serves(report)}"
    dry = " (dry run)" if cycle.dry_run else ""
    return f"{cycle.assistant}: {outcome(report)}{dry}{_circumstance(report)}"


def reason(report: CycleReport) -> str | None:
    """The sentence that decided; None without a verdict that was carried out."""
    verdict = report.state.verdict
    return verdict.reason if verdict and report.cycle.status is Status.COMPLETED else None


def measured(report: CycleReport) -> str | None:
    """Weighted F1 of both models and on what; None before the evaluation."""
    evaluation = report.state.evaluation
    if evaluation is None:
        return None
    after = metric(evaluation.challenger, "f1_weighted")
    figures = share(after)
    if evaluation.champion is not None:
        before = metric(evaluation.champion, "f1_weighted")
        figures = f"{share(before)} -> {figures}"
        if before is not None and after is not None:
            figures += f" ({points(after - before)})"
    unseen = "unseen " if evaluation.champion_known else ""
    examples = counted(evaluation.challenger.examples, f"{unseen}example")
    out = evaluation.left_out.challenger_saw + evaluation.left_out.champion_saw
    left_out = f", {out} left out because a model had seen them" if out else ""
    return f"weighted F1 {figures} on {examples}{left_out}"


def summary(report: CycleReport) -> tuple[str, ...]:
    """Headline, reason and F1, a line each."""
    because = reason(report)
    lines = (headline(report), because and f"because {because}", measured(report))
    return tuple(printable(line) for line in lines if line)


def see_more(report: CycleReport) -> str:
    """Which command tells the whole story."""
    return f"see more: retrainer show {report.cycle.number}"


def facts(report: CycleReport) -> tuple[tuple[str, str], ...]:
    """Label and value of everything else that is known of the cycle."""
    state, rows = report.state, [("cycle", _occasion(report))]
    if model := state.model:
        made = f"Rasa {model.rasa_version}, {size(model.size)}"
        took = f", trained in {duration(model.training_seconds)}" if model.training_seconds else ""
        rows.append(("challenger", f"{model.name}, {made}{took}"))
    if state.evaluation is not None:
        rows.append(("champion", state.champion or "none yet"))
    if state.snapshot:
        files = counted(len(state.snapshot.files), "file")
        rows.append(("snapshot", f"{state.snapshot.digest[:12]} of {state.snapshot.origin}, {files}"))
    if data := state.data:
        more = [f"{data.training} to train on", f"{data.held_out} held out"]
        more += [f"{counted(data.test_files, 'test file')}"] if data.test_files else []
        more += [counted(data.must_pass, "must-pass utterance")] if data.must_pass else []
        whole = f"{counted(data.examples, 'example')} of {counted(data.intents, 'intent')}"
        rows.append(("data", f"{whole}: {', '.join(more)}"))
    return tuple((label, printable(value)) for label, value in rows)


def remarks(report: CycleReport, most: int | None = None) -> tuple[str, ...]:
    """What a reader of the figures should know; lists of more than `most` intents are cut."""
    state, said = report.state, []
    evaluation = state.evaluation
    if evaluation is not None and evaluation.champion and not evaluation.champion_known:
        said.append(
            f"it is not recorded what {evaluation.champion.model} was trained on: it may have seen "
            "these examples, and then its figures are too good"
        )
    if state.data is not None and (whole := state.data.whole):
        named = listed([f"{intent} ({number})" for intent, number in whole.items()], most)
        said.append(
            f"{counted(len(whole), 'intent')} too small to split, all examples train: {named}"
        )
    if evaluation is not None and (unmeasured := evaluation.unmeasured):
        named = listed(unmeasured, most)
        said.append(
            f"{counted(len(unmeasured), 'intent')} not measured for want of test examples: {named}"
        )
    if state.findings:
        errors = sum(f.severity is Severity.ERROR for f in state.findings)
        warnings = counted(len(state.findings) - errors, "warning")
        said.append(f"the validation found {counted(errors, 'error')} and {warnings}")
    return tuple(printable(remark) for remark in said)


# --- what led to it --------------------------------------------------------------------------


def verdict_of(check: Check) -> str:
    """`passed`, `unclear`, `FAILED` or `not applied`; an advisory check is said to be one."""
    return _OUTCOMES[check.outcome] + ("" if check.blocking else ", advisory")


def details_of(check: Check, report: CycleReport) -> tuple[str, ...]:
    """The check's further lines, but for the must-pass utterances, which have a list of their own."""
    told = {must_pass(r, quote=repr) for r in failed_must_pass(report)}
    return tuple(printable(line) for line in check.details if line not in told)


def failed_must_pass(report: CycleReport) -> tuple[MustPassResult, ...]:
    """The must-pass utterances that the challenger failed."""
    evaluation = report.state.evaluation
    return tuple(r for r in evaluation.challenger.must_pass if r.problem) if evaluation else ()


def must_pass(failed: MustPassResult, quote: Quote | None = None) -> str:
    """A failed must-pass utterance, what it should be and what went wrong."""
    return f"{(quote or quoted)(failed.text)} ({failed.expected}): {failed.problem}"


def flips(report: CycleReport) -> tuple[tuple[Flip, ...], tuple[Flip, ...]]:
    """What got worse and what got better, the most confident change first."""
    found = report.state.evaluation.flips if report.state.evaluation else ()
    return tuple(f for f in found if f.regression), tuple(f for f in found if not f.regression)


def flips_title(flipped: Sequence[Flip]) -> str:
    """What the flips of one direction have in common."""
    worse = flipped[0].regression
    only = "champion" if worse else "challenger"
    number = counted(len(flipped), "utterance")
    return f"{'Worse' if worse else 'Better'}: {number} that only the {only} understood"


def flip(flipped: Flip, quote: Quote | None = None) -> str:
    """The utterance, and what the champion and then the challenger took it for."""
    return f"{(quote or quoted)(flipped.text)}: {answers(flipped)}"


def answers(flipped: Flip) -> str:
    """The champion's answer and the challenger's, each with its confidence."""
    before = f"{flipped.champion or 'nothing'} {flipped.champion_confidence:.2f}"
    after = f"{flipped.challenger or 'nothing'} {flipped.challenger_confidence:.2f}"
    return printable(f"{before} -> {after}")


def history_story(line: HistoryLine) -> str:
    """One line of the history: F1 where it was measured, else what came between."""
    if line.error:
        return first_line(line.error if not line.failed_step else f"{line.failed_step}: {line.error}")
    if line.same_as is not None:
        return f"same as cycle {line.same_as}"
    if line.f1_challenger is None:
        return ""
    before = "" if line.f1_champion is None else f"{share(line.f1_champion)} -> "
    return f"F1 {before}{share(line.f1_challenger)} on {line.examples or 0}"


# --- values ----------------------------------------------------------------------------------


def share(value: float | None) -> str:
    """A figure between 0 and 1, four digits, `-` if there is none."""
    return "-" if value is None else f"{value:.4f}"


def change(before: float | None, after: float | None) -> str:
    """The difference in points without the word, `-` if one is missing."""
    return "-" if before is None or after is None else f"{(after - before) * 100:+.2f}"


def duration(seconds: float) -> str:
    """`0.8 s`, `54 s`, `4 min 05 s`, `2 h 03 min`."""
    if seconds < 10:  # noqa: PLR2004 - tenths matter as long as there are no more digits
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def elapsed(report: CycleReport) -> str:
    """How long the cycle took, interruptions included."""
    if report.ended_at is None:
        return "has not ended"
    return f"took {duration((report.ended_at - report.cycle.started_at).total_seconds())}"


def moment(time: datetime) -> str:
    """Date and time to the minute, in UTC (which the reader is told elsewhere)."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def size(number: int) -> str:
    """`170 kB`, `24.1 MB`."""
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"  # noqa: PLR2004


def counted(number: int, noun: str) -> str:
    """`1 example`, `2 examples`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(items: Sequence[str], most: int | None = None) -> str:
    """The items with commas between, cut after `most`."""
    shown = items if most is None else items[:most]
    more = len(items) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def printable(text: str) -> str:
    """The text on one line, safe for a terminal; what is not shown as itself is an escape."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def first_line(text: str) -> str:
    """The first line with something on it, printable."""
    return printable(next((line.strip() for line in text.splitlines() if line.strip()), ""))


def shorten(text: str, longest: int) -> str:
    """At most `longest` characters, the last one `…` if it was cut; accents stay on their letters."""
    if len(text) <= longest:
        return text
    end = longest - 1
    while end > 0 and unicodedata.combining(text[end]):
        end -= 1
    return text[:end] + "…"


def quoted(text: str) -> str:
    """A user's words between quotes, printable, long ones cut."""
    return f'"{printable(shorten(text, _LONGEST_QUOTE))}"'


def _who_serves(report: CycleReport) -> str:
    champion, verdict = report.state.champion, report.state.verdict
    stays = f"{champion} keeps serving" if champion else "there is no champion yet"
    if verdict is None or verdict.outcome is Outcome.REJECT:
        return stays
    if verdict.outcome is Outcome.HOLD:
        return f"a person has to look; {stays}"
    return f"in place of {champion}" if champion else "the first model"


def _circumstance(report: CycleReport) -> str:
    if report.cycle.status is Status.SKIPPED:
        return f", nothing has changed since cycle {report.state.same_as}"
    where = f" in step {report.failed_step}" if report.failed_step else ""
    return where + (f": {first_line(report.error)}" if report.error else "")


def _occasion(report: CycleReport) -> str:
    cycle = report.cycle
    asked: Mapping[Trigger, str] = {Trigger.MANUAL: "by hand", Trigger.SCHEDULE: "by schedule"}
    said = [f"{cycle.number}, begun {moment(cycle.started_at)} UTC {asked[cycle.trigger]}"]
    said += [elapsed(report)]
    said += ["dry run: nothing was promoted"] if cycle.dry_run else []
    said += ["forced"] if cycle.force else []
    said += [f"resumed {counted(cycle.resumed, 'time')}"] if cycle.resumed else []
    return ", ".join(said)
