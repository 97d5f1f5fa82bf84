"""How far the challenger's confidence can be trusted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.limits import ROUNDING, require_share
from retrainer.domain.verdict import Check, Outcome, metric


@dataclass(frozen=True, slots=True)
class Calibration:
    """Ceilings (shares, 0 to 1) for three metrics of which less is better; None: no ceiling.

    They are fallback_rate, calibration_error and confident_mistakes. `worse_by` is how much each
    of the three may rise against the champion; None: not compared. At least one limit is needed.
    """

    maximum_fallback_rate: float | None = None
    maximum_error: float | None = None
    maximum_confident_mistakes: float | None = None
    worse_by: float | None = None

    def __post_init__(self) -> None:
        limits = {
            "maximum_fallback_rate": self.maximum_fallback_rate,
            "maximum_error": self.maximum_error,
            "maximum_confident_mistakes": self.maximum_confident_mistakes,
            "worse_by": self.worse_by,
        }
        given = {name: limit for name, limit in limits.items() if limit is not None}
        if not given:
            raise ValueError(f"at least 1 limit is needed, 0 are given: {', '.join(limits)}")
        for name, limit in given.items():
            require_share(name, limit)

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT beyond a limit; HOLD when what has one could not be measured.

        `observed` and `limit` of the check are of the figure that is furthest beyond its limit, or
        closest to it.
        """
        demands = [*self._demands(evaluation)]
        if not demands:
            return Check(
                "calibration",
                None,
                "no champion to compare the confidence with, "
                f"a rise of at most {self.worse_by:.4f} applies from the second model on",
                limit=self.worse_by,
            )
        measured = {d: d.excess for d in demands if d.observed is not None}
        exceeded = sum(excess > ROUNDING for excess in measured.values())
        unmeasured = [d for d in demands if d not in measured]
        if unmeasured and not exceeded:
            return Check(
                "calibration",
                Outcome.HOLD,
                f"{unmeasured[0].what} was not measured on {evaluation.challenger.examples} "
                f"examples, at most {unmeasured[0].limit:.4f} is allowed",
                limit=unmeasured[0].limit,
                details=tuple(map(str, demands)),
            )
        worst = max(measured, key=lambda d: measured[d])
        return Check(
            "calibration",
            Outcome.REJECT if exceeded else Outcome.PROMOTE,
            f"{exceeded} of {len(demands)} limits are exceeded: {worst}",
            observed=worst.observed,
            limit=worst.limit,
            details=tuple(str(d) for d in demands if d != worst),
        )

    def _demands(self, evaluation: Evaluation) -> Iterator["_Demand"]:
        ceilings: Mapping[str, float | None] = {
            "fallback_rate": self.maximum_fallback_rate,
            "calibration_error": self.maximum_error,
            "confident_mistakes": self.maximum_confident_mistakes,
        }
        for name, ceiling in ceilings.items():
            after = metric(evaluation.challenger, name)
            if ceiling is not None:
                yield _Demand(name, after, ceiling)
            if self.worse_by is not None and evaluation.champion is not None:
                before = metric(evaluation.champion, name)
                rise = None if before is None or after is None else after - before
                yield _Demand(f"the rise of {name}", rise, self.worse_by)


@dataclass(frozen=True, slots=True)
class _Demand:
    """A figure, None where it was not measured, and the most that it may be."""

    what: str
    observed: float | None
    limit: float

    @property
    def excess(self) -> float:
        return (self.observed or 0.0) - self.limit

    def __str__(self) -> str:
        seen = "was not measured" if self.observed is None else f"is {self.observed:.4f}"
        return f"{self.what} {seen}, at most {self.limit:.4f} is allowed"
