"""The policies that every config may name."""

from collections.abc import Mapping

from retrainer.domain.rules import IntentDrop, MustPassUtterances, Simple, Superiority
from retrainer.domain.verdict import NamedRule, Policy

_MUST_PASS = NamedRule("must_pass", MustPassUtterances())
_INTENTS = NamedRule("intents", IntentDrop())

#: Used where the config names no policy. Chosen by simulation, see the README.
DEFAULT = Policy(
    "default",
    (
        NamedRule("better", Superiority(alpha=0.23, minimum_items=300, alpha_if_few=0.05)),
        _MUST_PASS,
        _INTENTS,
    ),
)
STRICT = Policy("strict", (NamedRule("better", Superiority(alpha=0.05)), _MUST_PASS, _INTENTS))
#: What the first retraining scripts did, but on examples that neither model has seen.
LEGACY_2018 = Policy("legacy-2018", (NamedRule("better", Simple(metric="f1_weighted")), _MUST_PASS))

POLICIES: Mapping[str, Policy] = {policy.name: policy for policy in (DEFAULT, STRICT, LEGACY_2018)}
