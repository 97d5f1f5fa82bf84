"""The policies that every config may name. How they do is simulated, see the README."""

from collections.abc import Mapping

from retrainer.domain.rules import (
    BoundedCost,
    Calibration,
    Entities,
    HoldoutReuse,
    KnownIntents,
    Ladder,
    MustPassUtterances,
    NegativeFlips,
    PassedStories,
    PerEntity,
    PerIntent,
    ResponseSelection,
    ServedActions,
    Simple,
    SoundData,
    Superiority,
    SuspiciousGain,
)
from retrainer.domain.verdict import NamedRule, Policy, Rule

#: Rules that may stop a promotion and never justify one, so a policy of them alone never promotes.
_GUARDS: tuple[type[Rule], ...] = (
    BoundedCost,
    HoldoutReuse,
    ServedActions,
    SoundData,
    SuspiciousGain,
)

_MUST_PASS = NamedRule("must_pass", MustPassUtterances())
_STORIES = NamedRule("stories", PassedStories())
# Intents that people trigger and nobody says have a single example.
_DATA = NamedRule("data", SoundData(minimum_examples=1))
_ACTIONS = NamedRule("actions", ServedActions())
#: Nobody promises calibrated confidences, so it is shown only; it costs no time.
_CALIBRATION = NamedRule("calibration", Calibration(worse_by=0.05), blocking=False)

#: Used where the config names no policy. Its alpha is the largest of which a year of simulated
#: nights promotes no more than 0.7 models that are worse, all rules together.
DEFAULT = Policy(
    "default",
    (
        NamedRule("better", Superiority(alpha=0.23, minimum_items=300, alpha_if_few=0.05)),
        NamedRule("known_intents", KnownIntents()),
        NamedRule("per_intent", PerIntent()),
        NamedRule("per_entity", PerEntity()),
        NamedRule("entities", Entities()),
        NamedRule("response_selection", ResponseSelection()),
        _MUST_PASS,
        _STORIES,
        # Even a much better model turns some utterances wrong: for people to see.
        NamedRule("negative_flips", NegativeFlips(), blocking=False),
        NamedRule("suspicious_gain", SuspiciousGain()),
        _DATA,
        _ACTIONS,
        NamedRule("reuse", HoldoutReuse()),
        _CALIBRATION,
    ),
)
STRICT = Policy(
    "strict",
    (
        NamedRule("better", Superiority(alpha=0.05, minimum_items=300)),
        NamedRule("known_intents", KnownIntents()),
        NamedRule("per_intent", PerIntent(margin=0.05)),
        NamedRule("per_entity", PerEntity(margin=0.05)),
        NamedRule("entities", Entities(margin=0.01)),
        NamedRule("response_selection", ResponseSelection(margin=0.01)),
        _MUST_PASS,
        _STORIES,
        NamedRule("negative_flips", NegativeFlips()),
        NamedRule("suspicious_gain", SuspiciousGain()),
        NamedRule("data", SoundData()),
        _ACTIONS,
        NamedRule("reuse", HoldoutReuse(budget=90)),
        _CALIBRATION,
    ),
)
#: Follows new data sooner, on any number of utterances, and is wrong more often.
FAST = Policy(
    "fast",
    (
        NamedRule("better", Ladder(errors=0.4)),
        NamedRule("known_intents", KnownIntents()),
        NamedRule("per_intent", PerIntent()),
        NamedRule("entities", Entities()),
        NamedRule("response_selection", ResponseSelection()),
        _MUST_PASS,
        _STORIES,
        NamedRule("negative_flips", NegativeFlips(), blocking=False),
        NamedRule("suspicious_gain", SuspiciousGain()),
        _DATA,
        _ACTIONS,
        _CALIBRATION,
    ),
)
#: What the first retraining scripts did, but on examples that neither model has seen.
LEGACY_2018 = Policy("legacy-2018", (NamedRule("better", Simple(metric="f1_weighted")), _MUST_PASS))

#: What each of them is for.
ABOUT: Mapping[Policy, str] = {
    DEFAULT: "everyday use",
    STRICT: "where a worse model costs more than an old one",
    FAST: "where an old model costs more than a worse one",
    LEGACY_2018: "the rule of the first retraining scripts, to compare with",
}

POLICIES: Mapping[str, Policy] = {policy.name: policy for policy in ABOUT}


def can_promote(policy: Policy) -> bool:
    """Whether there is a blocking rule that says how good a model is, guards apart."""
    return any(named.blocking and not isinstance(named.rule, _GUARDS) for named in policy.rules)
