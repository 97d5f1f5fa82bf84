"""The verdict on a challenger: the heart of retrainer, pure and total."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from retrainer.domain.evaluation import Evaluation, Report
from retrainer.errors import IncomparableReports


class Outcome(StrEnum):
    """What one check, or all of them together, says of the challenger."""

    PROMOTE = "promote"
    HOLD = "hold"
    REJECT = "reject"

    @property
    def severity(self) -> int:
        """0 for PROMOTE to 2 for REJECT; the worst outcome decides."""
        return list(Outcome).index(self)


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the policy, applied.

    `outcome` is None where the rule had nothing to compare with (no champion yet).
    `observed` and `limit` are in the unit of the rule; both stand in `sentence` too.
    `details` are further lines, such as each failed utterance.
    A `guard` says nothing of how good the model is (its cost, the data it comes from): it may stop
    a promotion, and never justifies one. One that `warns` has passed, and is to be read all the same.
    """

    rule: str
    outcome: Outcome | None
    sentence: str
    observed: float | None = None
    limit: float | None = None
    blocking: bool = True
    details: tuple[str, ...] = ()
    guard: bool = False
    warns: bool = False


class Rule(Protocol):
    """One rule of a policy: a frozen dataclass of its limits with a pure `assess`."""

    def assess(self, evaluation: Evaluation) -> Check:
        """Judge the evaluation; `rule` and `blocking` of the check are filled in by the policy."""
        ...


@dataclass(frozen=True, slots=True)
class NamedRule:
    """A rule under the name that the config gives it; an advisory one is shown and never decides."""

    name: str
    rule: Rule
    blocking: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """What a challenger has to show before it may serve."""

    name: str
    rules: tuple[NamedRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, with every check that led to it."""

    outcome: Outcome
    policy: str
    checks: tuple[Check, ...]

    @property
    def reason(self) -> str:
        """The sentence that decided: that of the first of the worst blocking checks."""
        if self.outcome is Outcome.PROMOTE:
            return "every blocking check passed"
        return self.stopping[0].sentence

    @property
    def stopping(self) -> tuple[Check, ...]:
        """The blocking checks that kept the challenger from being promoted, as severe as any."""
        if self.outcome is Outcome.PROMOTE:
            return ()
        return tuple(c for c in self.checks if c.blocking and c.outcome is self.outcome)


def decide(evaluation: Evaluation, policy: Policy) -> Verdict:
    """The worst outcome among the blocking checks that apply.

    A policy under which no blocking check applies, guards apart, never promotes; nor does any where
    something kept the champion from being compared with.

    Raises:
        IncomparableReports: champion and challenger were measured on different examples.
    """
    _require_same_examples(evaluation.champion, evaluation.challenger)
    checks = tuple(_apply(named, evaluation) for named in policy.rules)
    if evaluation.champion is not None and evaluation.obstacle:
        checks = (_not_compared(evaluation), *checks)
    if not any(map(_justifies, checks)):
        checks += (_nothing_decides(policy, evaluation),)
    return Verdict(worst(checks), policy.name, checks)


def worst(checks: Sequence[Check]) -> Outcome:
    """The worst outcome among the blocking checks that apply; HOLD at best if all are guards."""
    found = [check.outcome for check in checks if check.blocking and check.outcome is not None]
    if not any(map(_justifies, checks)):
        found.append(Outcome.HOLD)
    return max(found, key=lambda outcome: outcome.severity)


def metric(report: Report, name: str) -> float | None:
    """The metric's value; None where it is missing or not a finite number."""
    value = report.metrics.get(name)
    return value if value is not None and math.isfinite(value) else None


def _apply(named: NamedRule, evaluation: Evaluation) -> Check:
    return replace(named.rule.assess(evaluation), rule=named.name, blocking=named.blocking)


def _justifies(check: Check) -> bool:
    """Whether it says something of how good the model is, and so may lead to a promotion."""
    return check.blocking and not check.guard and check.outcome is not None


def _not_compared(evaluation: Evaluation) -> Check:
    sentence = (
        f"0 of {evaluation.challenger.examples} utterances could be compared with the champion: "
        f"{evaluation.obstacle}"
    )
    return Check("comparison", Outcome.HOLD, sentence, observed=0.0, limit=1.0, guard=True)


def _nothing_decides(policy: Policy, evaluation: Evaluation) -> Check:
    if evaluation.champion is None:
        sentence = (
            f"0 blocking checks of policy {policy.name} apply without a champion, at least 1 is "
            "needed: add a floor or must-pass utterances, or promote the first model yourself"
        )
    else:
        sentence = (
            f"0 blocking checks in policy {policy.name}, at least 1 is needed: "
            "a policy that asks for nothing never promotes"
        )
    return Check("policy", Outcome.HOLD, sentence, observed=0.0, limit=1.0)


def _require_same_examples(champion: Report | None, challenger: Report) -> None:
    if champion is not None and champion.test_set != challenger.test_set:
        raise IncomparableReports(
            f"the champion {champion.model} was measured on {champion.examples} examples "
            f"({champion.test_set}), the challenger {challenger.model} on "
            f"{challenger.examples} ({challenger.test_set}): not comparable"
        )
