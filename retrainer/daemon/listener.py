"""What a cycle is at, as lines of the log and as the status of the service."""

import logging
import time
from collections.abc import Callable, Sequence

from retrainer.adapters.logs import amend
from retrainer.domain.cycle import Cycle, Status
from retrainer.domain.verdict import Outcome, metric
from retrainer.ports import CycleReport, Progress
from retrainer.reports.progress import Pace, describe
from retrainer.reports.values import duration
from retrainer.reports.words import error_details, summary

_log = logging.getLogger(__name__)
#: Seconds between two statuses of one step: epochs may be over in no time.
_STATUS = 1.0


class LogListener:
    """A `CycleListener` that logs; `tell` hears the same in a few words, and more often.

    What it logs, and all else that is logged meanwhile, has the cycle's number and the step on it,
    until the log's `context` ends that stands around the cycle. `now` gives seconds.
    """

    def __init__(
        self,
        tell: Callable[[str], None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._now = tell, now
        self._pace = Pace(now)
        self._cycle = ""
        self._step: str | None = None
        self._since = self._told = now()

    def begun(self, cycle: Cycle, steps: Sequence[str], done: Sequence[str]) -> None:
        """Log which cycle it is, and what of it is done."""
        del steps
        amend(assistant=cycle.assistant, cycle=cycle.number, step=None)
        self._cycle, self._step = f"{cycle.assistant}#{cycle.number}", None
        dry = ", a dry run" if cycle.dry_run else ""
        if cycle.resumed:
            _log.info("the cycle goes on after %s%s", ", ".join(done) or "its start", dry)
        else:
            _log.info("the cycle begins, asked for by %s%s", _asked(cycle), dry)

    def step(self, name: str) -> None:
        """Log how long the step before took, and that this one begins."""
        self._step_ended("done in %s")
        amend(step=name)
        self._step, self._since = name, self._now()
        self._pace.restart()
        _log.info("begins")
        self._say(name)

    def progress(self, progress: Progress) -> None:
        """Log a new component, and what is worth a line of its advance."""
        worth_a_line = self._pace.is_due(progress)
        if worth_a_line:
            _log.info("%s", describe(progress))
        if worth_a_line or self._now() - self._told >= _STATUS:
            self._say(f"{self._step}: {describe(progress)}")

    def warn(self, sentence: str) -> None:
        """Log it as a warning."""
        _log.warning("%s", sentence)

    def ended(self, report: CycleReport) -> None:
        """Log how the cycle ended, why, and on what figures."""
        failed = report.failed_step is not None and report.failed_step == self._step
        self._step_ended("failed after %s" if failed else "done in %s")
        amend(step=None)
        verdict, evaluation = report.state.verdict, report.state.evaluation
        before = evaluation and evaluation.champion
        after = evaluation and evaluation.challenger
        facts = {
            "status": report.cycle.status.value,
            "verdict": verdict.outcome.value if verdict else None,
            "f1_before": metric(before, "f1_weighted") if before else None,
            "f1_after": metric(after, "f1_weighted") if after else None,
            "failed_step": report.failed_step,
            "tip": report.tip,
        }
        words = "\n".join(["; ".join(summary(report)), *error_details(report)])
        _log.log(_level(report), "%s", words, extra=facts)

    def _step_ended(self, words: str) -> None:
        if self._step is not None:
            _log.info(words, duration(self._now() - self._since))
            self._step = None

    def _say(self, text: str) -> None:
        self._told = self._now()
        if self._tell is not None:
            self._tell(f"{self._cycle} {text}")


def _asked(cycle: Cycle) -> str:
    words = {"manual": "a person", "data": "new data", "hook": "another program"}
    return words.get(cycle.trigger.value, f"the {cycle.trigger.value}")


def _level(report: CycleReport) -> int:
    """What a person has to look at is a warning, what went wrong an error."""
    if report.cycle.status is Status.FAILED:
        return logging.ERROR
    verdict = report.state.verdict
    held = verdict is not None and verdict.outcome is Outcome.HOLD
    return logging.WARNING if held or report.cycle.status is Status.ABANDONED else logging.INFO
