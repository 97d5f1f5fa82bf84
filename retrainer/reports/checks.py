"""The checks of a verdict, and what failed: which are told in full, and in which words."""

from collections.abc import Callable, Sequence

from retrainer.domain.evaluation import MustPassResult
from retrainer.domain.rules.negative_flips import regressions
from retrainer.domain.rules.reuse import optimism
from retrainer.domain.rules.stories import failures
from retrainer.domain.verdict import Check, Outcome, Verdict
from retrainer.ports import CycleReport
from retrainer.reports.values import counted, printable, quoted

_OUTCOMES = {
    Outcome.PROMOTE: "passed",
    Outcome.HOLD: "unclear",
    Outcome.REJECT: "FAILED",
    None: "not applied",
}
#: The outcomes of which the checks' names are enough to know.
_NAMED = (Outcome.PROMOTE, None)


def told(verdict: Verdict) -> tuple[Check, ...]:
    """The checks that did not pass, the deciding ones first, and those that passed with a warning.

    Where nothing stops the challenger, first of all the check that says how good it is: the first
    one of the policy that may justify a promotion.
    """
    stopping = [c for c in verdict.checks if c.outcome in {Outcome.HOLD, Outcome.REJECT}]
    stopping.sort(key=lambda c: (not c.blocking, -c.outcome.severity if c.outcome else 0))
    passed = [c for c in verdict.checks if c.outcome is Outcome.PROMOTE]
    shown = [*stopping, *(c for c in passed if c.warns)]
    if any(check.blocking for check in stopping):
        return tuple(shown)
    good = next((c for c in passed if c.blocking and not c.guard), None)
    return tuple(shown) if good is None or good in shown else (good, *shown)


def named(verdict: Verdict) -> tuple[tuple[Outcome | None, tuple[str, ...]], ...]:
    """The names of all other checks, by their outcome."""
    shown = told(verdict)
    rest = [check for check in verdict.checks if check not in shown]
    names = ((o, tuple(check.rule for check in rest if check.outcome is o)) for o in _NAMED)
    return tuple((outcome, of) for outcome, of in names if of)


def phrase(outcome: Outcome | None) -> str:
    """`passed`, `unclear`, `FAILED` or `not applied`."""
    return _OUTCOMES[outcome]


def verdict_of(check: Check) -> str:
    """As `phrase`; an advisory check is said to be one, and so is one that warns."""
    warning = ", warning" if check.warns and check.outcome is Outcome.PROMOTE else ""
    return phrase(check.outcome) + warning + ("" if check.blocking else ", advisory")


def details_of(check: Check, report: CycleReport, most: int | None = None) -> tuple[str, ...]:
    """The check's further lines, `most` of them, without those that have a list of their own."""
    evaluation = report.state.evaluation
    listed = {must_pass(result, quote=repr) for result in failed_must_pass(report)}
    listed |= {*failed_stories(report)}
    if evaluation is not None:
        listed |= {*regressions(evaluation.flips)}
        listed |= {*(optimism(evaluation.reuse) if evaluation.reuse else ())}
    lines = tuple(printable(line) for line in check.details if line not in listed)
    if most is None or len(lines) <= most:
        return lines
    return (*lines[:most], f"… and {counted(len(lines) - most, 'more line')}")


def failed_must_pass(report: CycleReport) -> tuple[MustPassResult, ...]:
    """The must-pass utterances that the challenger failed."""
    evaluation = report.state.evaluation
    return tuple(r for r in evaluation.challenger.must_pass if r.problem) if evaluation else ()


def must_pass(failed: MustPassResult, quote: Callable[[str], str] = quoted) -> str:
    """A failed must-pass utterance, what it should be and what went wrong."""
    return f"{quote(failed.text)} ({failed.expected}): {failed.problem}"


def failed_stories(report: CycleReport) -> tuple[str, ...]:
    """The test stories that the challenger failed, those first that the champion passes."""
    evaluation = report.state.evaluation
    if evaluation is None:
        return ()
    before = evaluation.champion.stories if evaluation.champion else ()
    return failures(evaluation.challenger.stories or (), before or ())


def stories_title(failed: Sequence[str]) -> str:
    """What the failed stories have in common."""
    return f"Test stories that failed: {len(failed)}"
