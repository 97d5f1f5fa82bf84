"""The words of a cycle: one place, so that Slack, console, terminal and history agree.

Every number comes from the domain's own objects, and the sentences of the checks stand verbatim.
"""

from collections.abc import Callable, Mapping, Sequence

from retrainer.domain.cycle import (
    Cycle,
    Promotion,
    PromotionReason,
    Status,
)
from retrainer.domain.evaluation import Flip
from retrainer.domain.rules.limits import points
from retrainer.domain.verdict import Outcome, metric
from retrainer.ports import Answer, CycleReport
from retrainer.reports.rows import HistoryLine
from retrainer.reports.values import (
    counted,
    duration,
    first_line,
    listed,
    moment,
    printable,
    quoted,
    share,
    shorten,
)

_RESULTS = {Outcome.PROMOTE: "PROMOTED", Outcome.HOLD: "HELD", Outcome.REJECT: "REJECTED"}
#: Characters of a cycle that stands in one line among others.
_LONGEST_MISSED = 250
#: Names of rules in a line of the history.
_MOST_RULES = 3

Quote = Callable[[str], str]


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
    dry = "dry run, " if cycle.dry_run else ""
    return f"{cycle.assistant}: {dry}{outcome(report)} {cycle.challenger}"


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
    if verdict is None or report.cycle.status is not Status.COMPLETED:
        return None
    decided = [c for c in verdict.checks if c.blocking and c.outcome is verdict.outcome]
    if verdict.outcome is Outcome.PROMOTE or len(decided) == 1:
        return verdict.reason
    return f"{verdict.reason} (and {counted(len(decided) - 1, 'more check')})"


def measured(report: CycleReport) -> str | None:
    """Weighted F1 of both models and on what; None before the evaluation."""
    evaluation = report.state.evaluation
    if evaluation is None:
        return None
    after = metric(evaluation.challenger, "f1_weighted")
    figures = _measured(after)
    if evaluation.champion is not None:
        before = metric(evaluation.champion, "f1_weighted")
        figures = f"{_measured(before)} -> {figures}"
        if before is not None and after is not None:
            figures += f" ({points(after - before)})"
    unseen = "unseen " if evaluation.champion_known and evaluation.mode == "holdout" else ""
    examples = counted(evaluation.challenger.examples, f"{unseen}example")
    if evaluation.mode == "cross_validation":
        examples += f", each held out of one of {counted(evaluation.folds, 'fold')}"
    out = evaluation.left_out.challenger_saw + evaluation.left_out.champion_saw
    left_out = f", {out} left out because a model had seen them" if out else ""
    return f"weighted F1 {figures} on {examples}{left_out}"


def summary(report: CycleReport) -> tuple[str, ...]:
    """Headline, reason and F1, a line each."""
    because = reason(report)
    lines = (headline(report), because and f"because {because}", measured(report))
    return tuple(printable(line) for line in lines if line)


def missed_title(missed: Sequence[CycleReport]) -> str:
    """What the cycles of a summary have in common."""
    return f"While you could not be told: {counted(len(missed), 'more cycle')}, the newest first"


def missed(report: CycleReport) -> str:
    """One line for a cycle that could not be told of in time."""
    cycle = report.cycle
    ended = f"{report.ended_at:%Y-%m-%d %H:%M} UTC " if report.ended_at else ""
    because = reason(report)
    story = f": {because}" if because else _circumstance(report)
    dry = "dry run, " if cycle.dry_run else ""
    line = f"#{cycle.number} {ended}{cycle.assistant}: {dry}{outcome(report)}{story}"
    return shorten(printable(line), _LONGEST_MISSED)


def error_details(report: CycleReport) -> tuple[str, ...]:
    """What the headline left out of the error, such as the end of a log, a line each."""
    lines = [line for line in (report.error or "").splitlines() if line.strip()]
    return tuple(printable(line) for line in lines[1:])


def see_more(report: CycleReport) -> str:
    """Which command tells the whole story, and which answer a person may give."""
    number = report.cycle.number
    more = f"see more: retrainer show {number}"
    if outcome(report) != _RESULTS[Outcome.HOLD]:
        return more
    return f"{more}; answer: retrainer approve {number} --reason ... (or reject)"


# --- what led to it --------------------------------------------------------------------------


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
        return first_line(
            line.error if not line.failed_step else f"{line.failed_step}: {line.error}"
        )
    if line.same_as is not None:
        return f"same as cycle {line.same_as}"
    if line.f1_challenger is None:
        return ""
    before = "" if line.f1_champion is None else f"{share(line.f1_champion)} -> "
    rules = line.stopped_by.split(", ") if line.stopped_by else []
    stopped = f"; stopped by {printable(listed(rules, _MOST_RULES))}" if rules else ""
    answered = {True: "; approved", False: "; rejected by a person", None: ""}[line.approved]
    return f"F1 {before}{share(line.f1_challenger)}{stopped}{answered}"


def promotion_story(promotion: Promotion) -> str:
    """Why the champion changed, and who changed it."""
    note = f": {first_line(promotion.note)}" if promotion.note else ""
    cycle = f", cycle {promotion.cycle}" if promotion.cycle is not None else ""
    why: Mapping[PromotionReason, str] = {
        PromotionReason.GATE: "by verdict",
        PromotionReason.PERSON: f"promoted by {promotion.actor}",
        PromotionReason.ROLLBACK: f"rolled back by {promotion.actor}",
        PromotionReason.OUTSIDE: f"outside of retrainer, by {promotion.actor}",
    }
    return printable(f"{why[promotion.reason]}{cycle}{note}")


def answered(answer: Answer) -> str:
    """What a person answered to a held cycle, and why."""
    said = "approved" if answer.approved else "rejected"
    reason = f": {first_line(answer.reason)}" if answer.reason else ""
    return printable(f"{said} by {answer.actor}, {moment(answer.at)} UTC{reason}")


def elapsed(report: CycleReport) -> str:
    """How long the cycle took, interruptions included."""
    if report.ended_at is None:
        return "has not ended"
    return f"took {duration((report.ended_at - report.cycle.started_at).total_seconds())}"


def _measured(value: float | None) -> str:
    return "not measured" if value is None else share(value)


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
