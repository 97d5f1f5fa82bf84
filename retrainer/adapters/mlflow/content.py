"""A cycle in MLflow's terms: parameters, metrics and tags of a run."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from retrainer.domain.cycle import State, Status
from retrainer.domain.evaluation import Evaluation, Report
from retrainer.ports import CycleReport

#: Tags: what tells the runs and the versions of models apart, and how new the aliases are.
CYCLE, MODEL, AS_OF = "retrainer.cycle", "retrainer.model", "retrainer.aliases_as_of"
#: How a run ended, in MLflow's words.
RUN_STATUS = {
    Status.RUNNING: "RUNNING",
    Status.COMPLETED: "FINISHED",
    Status.SKIPPED: "FINISHED",
    Status.FAILED: "FAILED",
    Status.ABANDONED: "KILLED",
}
#: Characters that every version of MLflow takes.
_LONGEST = 500
_REPORT = TypeAdapter(CycleReport)


def parameters(report: CycleReport) -> dict[str, str]:
    """What the cycle worked with; what is not known is left out."""
    cycle, state = report.cycle, report.state
    known: dict[str, object] = {"trigger": cycle.trigger, "forced": cycle.force}
    if state.snapshot:
        known |= {"snapshot": state.snapshot.digest, "origin": state.snapshot.origin}
    if state.data:
        known |= {
            "examples": state.data.examples,
            "intents": state.data.intents,
            "training_examples": state.data.training,
            "held_out_examples": state.data.held_out,
            "must_pass_utterances": state.data.must_pass,
        }
    if state.model:
        known["rasa_version"] = state.model.rasa_version
    if state.evaluation:
        known["test_examples"] = state.evaluation.challenger.examples
        known["test_set"] = state.evaluation.challenger.test_set
    if state.verdict:
        known["policy"] = state.verdict.policy
    return {name: _short(str(value)) for name, value in known.items() if value != ""}


def metrics(report: CycleReport) -> dict[str, float]:
    """The figures of champion and challenger, and how long things took, in seconds.

    What is not a finite number is left out: MLflow would have to store a 0 for it.
    """
    state = report.state
    figures: dict[str, float] = {}
    if report.ended_at:
        figures["cycle.seconds"] = (report.ended_at - report.cycle.started_at).total_seconds()
    if state.model:
        figures["training.seconds"] = state.model.training_seconds
        figures["model.bytes"] = float(state.model.size)
    if state.evaluation:
        figures |= _figures("challenger", state.evaluation.challenger)
        figures |= _figures("champion", state.evaluation.champion)
        figures |= _compared(state.evaluation)
        regressions = sum(flip.regression for flip in state.evaluation.flips)
        figures["flips.regressions"] = float(regressions)
        figures["flips.improvements"] = float(len(state.evaluation.flips) - regressions)
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def tags(report: CycleReport, summary: str) -> dict[str, str]:
    """What the run is found by; `summary` becomes its description."""
    cycle, state = report.cycle, report.state
    known: dict[str, str | None] = {
        CYCLE: cycle.challenger,
        "retrainer.assistant": cycle.assistant,
        "retrainer.number": str(cycle.number),
        "retrainer.status": cycle.status,
        "retrainer.dry_run": "true" if cycle.dry_run else None,
        "retrainer.verdict": state.verdict.outcome if state.verdict else None,
        "retrainer.reason": state.verdict.reason if state.verdict else None,
        "retrainer.challenger": state.model.name if state.model else None,
        "retrainer.champion": state.champion,
        "retrainer.champion_after": serving(state),
        "retrainer.failed_step": report.failed_step,
        "retrainer.error": report.error,
        "mlflow.note.content": summary,
        "mlflow.source.name": "retrainer",
        "mlflow.source.type": "JOB",
        **_commits(state),
    }
    return {name: _short(str(value)) for name, value in known.items() if value}


def serving(state: State) -> str | None:
    """The model that the cycle left as champion; None if it did not learn of any."""
    return state.promoted[1] if state.promoted and state.confirmed else state.champion


def as_json(report: CycleReport) -> bytes:
    """The whole report, per-intent figures included."""
    document = _REPORT.dump_python(report, mode="json")
    return json.dumps(_finite(document), indent=1).encode()


def milliseconds(at: datetime) -> int:
    """Since 1970, as MLflow counts."""
    return round(at.timestamp() * 1000)


def _figures(role: str, measured: Report | None) -> dict[str, float]:
    if measured is None:
        return {}
    figures = {f"{role}.{name}": value for name, value in measured.metrics.items()}
    failed = sum(result.problem is not None for result in measured.must_pass)
    figures[f"{role}.must_pass_failed"] = float(failed)
    if measured.stories:
        failed = sum(result.problem is not None for result in measured.stories)
        figures[f"{role}.stories_failed"] = float(failed)
    if measured.cost and measured.cost.median is not None and measured.cost.p95 is not None:
        figures[f"{role}.parse_median.seconds"] = measured.cost.median
        figures[f"{role}.parse_p95.seconds"] = measured.cost.p95
    return figures


def _compared(evaluation: Evaluation) -> dict[str, float]:
    """What the paired comparison counted, as users get the answers."""
    if evaluation.served is None:
        return {}
    counts = evaluation.served.totals
    return {
        "paired.utterances": float(counts.items),
        "paired.only_challenger_right": float(counts.wins),
        "paired.only_champion_right": float(counts.losses),
    }


def _commits(state: State) -> dict[str, str]:
    """The commit that MLflow shows beside the run: that of the first part that has one."""
    origins = state.snapshot.origins if state.snapshot else ()
    commit = next((origin.revision for origin in origins if origin.revision), "")
    return {"mlflow.source.git.commit": commit}


def _short(text: str) -> str:
    clean = text.encode(errors="backslashreplace").decode()  # half a surrogate pair is no text
    return clean if len(clean) <= _LONGEST else f"{clean[: _LONGEST - 1]}…"


def _finite(value: Any) -> Any:  # noqa: ANN401 - JSON
    """JSON has no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
