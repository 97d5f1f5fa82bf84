"""Test stories: whole conversations that have to go on working."""

from dataclasses import dataclass

from retrainer.domain.evaluation import Evaluation, StoryResult
from retrainer.domain.verdict import Check, Outcome

_Results = tuple[StoryResult, ...]


@dataclass(frozen=True, slots=True)
class PassedStories:
    """At most `maximum_new` stories fail that the champion passes, and `maximum_failed` in all.

    `maximum_failed` is None where the champion alone is the measure.

    Raises:
        ValueError: a number is negative.
    """

    maximum_new: int = 0
    maximum_failed: int | None = None

    def __post_init__(self) -> None:
        for name in ("maximum_new", "maximum_failed"):
            if (value := getattr(self, name)) is not None and value < 0:
                raise ValueError(f"{name} must be 0 or more, not {value}")

    def assess(self, evaluation: Evaluation) -> Check:
        """REJECT when too many fail; HOLD when they could not be run for one of the models.

        Not applicable where the assistant has none, nor for a first model without
        `maximum_failed`. `observed` and `limit` of the check count stories.
        """
        after, champion = evaluation.challenger.stories, evaluation.champion
        before = champion.stories if champion else ()
        if after == before == ():
            sentence = "0 test stories are configured, at least 1 is needed to judge by them"
            return Check("stories", None, sentence, observed=0.0, limit=1.0)
        if champion is None and self.maximum_failed is None:
            sentence = (
                f"no champion whose test stories could be compared, at most {self.maximum_new} "
                "may begin to fail from the second model on"
            )
            return Check("stories", None, sentence, limit=float(self.maximum_new))
        if after is None:
            return self._unknown(f"could not be run for {evaluation.challenger.model}")
        if self.maximum_failed is not None:
            limited = _limited(after, before or (), self.maximum_failed)
            if champion is None or limited.outcome is Outcome.REJECT:
                return limited
        return self._compared(after, before, champion.model if champion else "")

    def _compared(self, after: _Results, before: _Results | None, champion: str) -> Check:
        if before is None:
            return self._unknown(f"could not be run for {champion}")
        if [_key(result) for result in after] != [_key(result) for result in before]:
            return self._unknown(f"are not those that {champion} was tested with")
        new = _newly_failed(after, before)
        passed = len(new) <= self.maximum_new
        return Check(
            "stories",
            Outcome.PROMOTE if passed else Outcome.REJECT,
            f"{len(new)} of {len(after)} test stories failed that the champion passes, "
            f"{'within' if passed else 'more than'} the {self.maximum_new} allowed; "
            f"{len(_failed(after))} failed in all, {len(_failed(before))} of the champion's",
            observed=float(len(new)),
            limit=float(self.maximum_new),
            details=failures(after, before),
        )

    def _unknown(self, why: str) -> Check:
        sentence = f"the test stories {why}, at most {self.maximum_new} may have begun to fail"
        return Check("stories", Outcome.HOLD, sentence, limit=float(self.maximum_new))


def _limited(after: _Results, before: _Results, allowed: int) -> Check:
    failed = len(_failed(after))
    passed = failed <= allowed
    return Check(
        "stories",
        Outcome.PROMOTE if passed else Outcome.REJECT,
        f"{failed} of {len(after)} test stories failed, "
        f"{'within' if passed else 'more than'} the {allowed} allowed",
        observed=float(failed),
        limit=float(allowed),
        details=failures(after, before),
    )


def _failed(results: _Results) -> _Results:
    return tuple(result for result in results if result.problem)


def _newly_failed(after: _Results, before: _Results) -> _Results:
    passed = {_key(result) for result in before if not result.problem}
    return tuple(result for result in _failed(after) if _key(result) in passed)


def failures(after: _Results, before: _Results) -> tuple[str, ...]:
    """A line for every story that failed, those first that the champion passes."""
    new = _newly_failed(after, before)
    ordered = [*new, *(result for result in _failed(after) if result not in new)]
    return tuple(
        f"{r.name} ({r.file}){', passed by the champion' if r in new else ''}: {r.problem}"
        for r in ordered
    )


def _key(result: StoryResult) -> tuple[str, str]:
    return result.file, result.name
