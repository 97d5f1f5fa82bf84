"""What the guards share: several limits, each judged by itself, put into one check."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from retrainer.domain.rules.limits import ROUNDING
from retrainer.domain.verdict import Check, Outcome


@dataclass(frozen=True, slots=True)
class Bound:
    """One observed value and its limit, both of them in `words`; `details` as in a check."""

    outcome: Outcome
    words: str
    observed: float | None
    limit: float
    details: tuple[str, ...] = ()


def at_most(
    observed: float, limit: float, words: str, *, beyond: Outcome, details: tuple[str, ...] = ()
) -> Bound:
    """PROMOTE up to the limit, else what `beyond` says; HOLD where it is no number."""
    if math.isnan(observed):
        return Bound(Outcome.HOLD, words, None, limit)
    if observed <= limit + ROUNDING:
        return Bound(Outcome.PROMOTE, words, observed, limit)
    return Bound(beyond, words, observed, limit, details)


def combine(rule: str, bounds: Sequence[Bound]) -> Check:
    """The guard's check: as severe as the worst of its limits, of which there is at least one.

    Its sentence names those that are exceeded; if none is, the first, and `details` the others.
    """
    outcome = max((bound.outcome for bound in bounds), key=lambda o: o.severity)
    deciding = [bound for bound in bounds if bound.outcome is outcome]
    passed = outcome is Outcome.PROMOTE
    named = deciding[:1] if passed else deciding
    details = tuple(detail for bound in bounds for detail in bound.details)
    return Check(
        rule,
        outcome,
        "; ".join(bound.words for bound in named),
        observed=deciding[0].observed,
        limit=deciding[0].limit,
        details=tuple(b.words for b in deciding[1:]) if passed else details,
        guard=True,
    )


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{share * 100:.2f} %"


def plain(value: float) -> str:
    """A number with four decimals, or with as many as it has."""
    rounded = f"{value:.4f}"
    short = rounded.rstrip("0").rstrip(".")
    return short if float(short) == value else rounded
