"""A cycle for programs: `retrainer show --json`, `retrainer run-once --json`.

The keys are an interface: they are added to, never renamed, within one `format`.

| key | what it holds |
|---|---|
| `format` | 1 |
| `result` | PROMOTED, HELD, REJECTED, would PROMOTE (dry run) ..., SKIPPED, FAILED, ABANDONED, RUNNING |
| `headline` | what happened, in one line for people |
| `cycle` | number, assistant, trigger, status, times, flags; `seconds` from start to end |
| `error` | `step`, `message`, `tip` of a failed or abandoned cycle |
| `same_as` | number of the cycle with the same inputs, for a skipped one |
| `snapshot`, `data`, `findings` | the training data, and what the validation said of it |
| `model` | the challenger, as it was trained |
| `candidates` | the challengers that were tried, where there were several |
| `champion` | name of the model that served when the evaluation began |
| `promoted` | `from` and `to`, if the champion was changed; `confirmed` if it then served |
| `promotions` | rows that the cycle wrote on the ledger, as `retrainer ledger --json`; null if not asked |
| `answer` | what a person answered to a held cycle: approved, actor, reason, at |
| `verdict` | outcome, policy, the reason, and every check with observed value, limit and sentence |
| `evaluation` | both reports with metrics, intents and must-pass utterances; all flips; what was left out |

What is not known is null, and so is a figure that is no finite number. Times are ISO 8601 in UTC.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from retrainer.domain.cycle import Promotion
from retrainer.ports import Answer, CycleReport, Request
from retrainer.reports import words
from retrainer.reports.rows import HistoryLine


def to_json(
    report: CycleReport,
    promotions: Sequence[Promotion] | None = None,
    answer: Answer | None = None,
) -> dict[str, Any]:
    """The report as plain dictionaries, lists, strings, numbers and None; see the module."""
    cycle, state = report.cycle, report.state
    seconds = (report.ended_at - cycle.started_at).total_seconds() if report.ended_at else None
    error = {"step": report.failed_step, "message": report.error, "tip": report.tip}
    verdict = plain(state.verdict)
    if state.verdict is not None:
        verdict["reason"] = plain(state.verdict.reason)
    document: dict[str, Any] = plain(
        {
            "format": 1,
            "result": words.outcome(report),
            "headline": words.headline(report),
            "cycle": plain(cycle)
            | {"challenger": cycle.challenger, "ended_at": report.ended_at, "seconds": seconds},
            "error": error if report.error is not None else None,
            "same_as": state.same_as,
            "fingerprint": state.fingerprint,
            "snapshot": state.snapshot,
            "data": state.data,
            "findings": state.findings,
            "model": state.model,
            "candidates": state.candidates,
            "champion": state.champion,
            "promoted": state.promoted and dict(zip(("from", "to"), state.promoted, strict=True)),
            "confirmed": state.confirmed,
            "promotions": promotions and [promotion_to_json(p) for p in promotions],
            "answer": answer and answer_to_json(answer),
            "verdict": verdict,
            "evaluation": state.evaluation,
        }
    )
    return document


def promotion_to_json(promotion: Promotion) -> dict[str, Any]:
    """A row of the ledger: assistant, from, to, reason, actor, note, cycle, at."""
    document: dict[str, Any] = plain(
        {
            "assistant": promotion.assistant,
            "from": promotion.previous,
            "to": promotion.model,
            "reason": promotion.reason,
            "actor": promotion.actor,
            "note": promotion.note,
            "cycle": promotion.cycle,
            "at": promotion.at,
        }
    )
    return document


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """What a person answered to a held cycle: approved, actor, reason, at."""
    document: dict[str, Any] = plain(answer)
    del document["cycle"]
    return document


def request_to_json(request: Request) -> dict[str, Any]:
    """What asks for a cycle, and the number of the cycle that answered."""
    document: dict[str, Any] = plain(request)
    return document


#: The keys of a cycle in one line: `retrainer history --json`, and the columns of `--csv`.
HISTORY_KEYS = (
    "number",
    "assistant",
    "trigger",
    "status",
    "verdict",
    "stopped_by",
    "approved",
    "promoted",
    "dry_run",
    "started_at",
    "ended_at",
    "seconds",
    "champion",
    "challenger",
    "f1_champion",
    "f1_challenger",
    "examples",
    "same_as",
    "resumed",
    "failed_step",
    "error",
)


def history_to_json(line: HistoryLine) -> dict[str, Any]:
    """A cycle in one line, with `HISTORY_KEYS`; what is not known is None."""
    cycle, seconds = line.cycle, None
    if line.ended_at is not None:
        seconds = (line.ended_at - cycle.started_at).total_seconds()
    of_cycle = ("number", "assistant", "trigger", "status", "dry_run", "started_at", "resumed")
    known = {name: getattr(cycle, name) for name in of_cycle} | {"seconds": seconds}
    document: dict[str, Any] = plain(
        {name: known[name] if name in known else getattr(line, name) for name in HISTORY_KEYS}
    )
    return document


def status_to_json(status: object, next_starts: Mapping[str, datetime | None]) -> dict[str, Any]:
    """What is going on (a dataclass of the store), and when each assistant's next cycle is due."""
    document: dict[str, Any] = plain(status)
    return document | {"next": plain(next_starts)}


def plain(value: object) -> Any:  # noqa: ANN401, PLR0911 - JSON is any of these, a line each
    """Values of the domain as JSON has them; a half of a surrogate pair becomes its escape."""
    if isinstance(value, str):
        return str(value).encode(errors="backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {plain(str(name)): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value
