"""A better model that nobody can afford to serve is no better."""

import math
from dataclasses import dataclass, fields

from retrainer.domain.cost import Cost
from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.bounds import Bound, at_most, combine, percent, plain
from retrainer.domain.verdict import Check, Outcome

_MB, _MS = 1e6, 1e3


@dataclass(frozen=True, slots=True)
class BoundedCost:
    """Limits on the archive's size and on the time to parse one utterance; None: no such limit.

    `maximum_mb` is in millions of bytes, `maximum_median_ms` and `maximum_p95_ms` in milliseconds;
    `maximum_growth` and `maximum_slowdown` are shares of the champion's size and median that
    may come on top of it. Both models are timed in turns, in the same process.
    """

    maximum_growth: float | None = 0.5
    maximum_slowdown: float | None = 0.5
    maximum_mb: float | None = None
    maximum_median_ms: float | None = None
    maximum_p95_ms: float | None = None

    def __post_init__(self) -> None:
        limits = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, limit in limits.items():
            if limit is not None and not 0 <= limit < math.inf:
                raise ValueError(f"{name} must be a number from 0 on, not {limit}")
        if all(limit is None for limit in limits.values()):
            raise ValueError(f"at least one of {', '.join(limits)} is needed, there are 0")

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT beyond a limit, HOLD where it was not measured; not applicable without either."""
        after, champion = evaluation.challenger.cost, evaluation.champion
        bounds = self._absolute(after)
        if champion is not None:
            bounds += self._relative(champion.cost, after)
        if bounds:
            return combine("cost", bounds)
        more = max(
            limit for limit in (self.maximum_growth, self.maximum_slowdown) if limit is not None
        )
        return Check(
            "cost",
            None,
            "no champion to compare size and speed with, "
            f"at most {percent(more)} more applies from the second model on",
            limit=more,
            guard=True,
        )

    def _absolute(self, cost: Cost | None) -> list[Bound]:
        measured = (
            ("size of the archive:", "MB", _size(cost), self.maximum_mb),
            ("median time of a parse:", "ms", _time(cost, "median"), self.maximum_median_ms),
            ("time that 19 of 20 parses take:", "ms", _time(cost, "p95"), self.maximum_p95_ms),
        )
        return [
            _bound(f"{what} {_shown(value, unit)}, at most {plain(limit)} {unit}", value, limit)
            for what, unit, value, limit in measured
            if limit is not None
        ]

    def _relative(self, before: Cost | None, after: Cost | None) -> list[Bound]:
        measured = (
            ("the archive", "MB", _size(before), _size(after), self.maximum_growth),
            (
                "the median time of a parse",
                "ms",
                _time(before, "median"),
                _time(after, "median"),
                self.maximum_slowdown,
            ),
        )
        bounds = []
        for what, unit, then, now, limit in measured:
            if limit is None:
                continue
            more = now / then - 1 if then > 0 and now >= 0 else math.nan
            change = "not comparable" if math.isnan(more) else f"{more * 100:+.2f} %"
            words = (
                f"{what} went from {_shown(then, unit)} to {_shown(now, unit)} ({change}), "
                f"at most {percent(limit)} more"
            )
            bounds.append(_bound(words, round(more, 4), limit))
        return bounds


def _bound(words: str, value: float, limit: float) -> Bound:
    return at_most(value, limit, words, beyond=Outcome.REJECT)


def _size(cost: Cost | None) -> float:
    """Millions of bytes; NaN where it is not known."""
    return cost.size / _MB if cost is not None and cost.size > 0 else math.nan


def _time(cost: Cost | None, which: str) -> float:
    """Milliseconds; NaN where they were not measured."""
    seconds: float | None = getattr(cost, which, None)
    return math.nan if seconds is None or not math.isfinite(seconds) else seconds * _MS


def _shown(value: float, unit: str) -> str:
    return "not measured" if math.isnan(value) else f"{plain(value)} {unit}"
