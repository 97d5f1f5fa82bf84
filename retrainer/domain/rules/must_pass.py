"""Utterances that every promoted model has to understand."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation
from retrainer.domain.rules.limits import ROUNDING, require_share
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class MustPassUtterances:
    """At most `maximum_failed` (a share, 0 to 1) of the must-pass utterances fail."""

    maximum_failed: float = 0.0

    def __post_init__(self) -> None:
        require_share("maximum_failed", self.maximum_failed)

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT when too many fail; not applicable when the assistant has none.

        `observed` and `limit` of the check count utterances.
        """
        results = evaluation.challenger.must_pass
        if not results:
            return Check(
                "must_pass",
                None,
                "0 must-pass utterances are configured, at least 1 is needed to judge by them",
                observed=0.0,
                limit=1.0,
            )
        failed = [result for result in results if result.problem]
        allowed = int(self.maximum_failed * len(results) + ROUNDING)
        passed = len(failed) <= allowed
        return Check(
            "must_pass",
            Outcome.PROMOTE if passed else Outcome.REJECT,
            f"{len(failed)} of {len(results)} must-pass utterances failed, "
            f"{'within' if passed else 'more than'} the {allowed} allowed",
            observed=float(len(failed)),
            limit=float(allowed),
            details=tuple(f"{r.text!r} ({r.expected}): {r.problem}" for r in failed),
        )
