"""The rules that a policy may name, one file each.

To add one: write a frozen dataclass with its limits as fields and a pure `assess`, and list it
here under the name that the config uses.
"""

from collections.abc import Mapping

from retrainer.domain.rules.floor import Floor
from retrainer.domain.rules.gain import Gain
from retrainer.domain.rules.intent_drop import IntentDrop
from retrainer.domain.rules.must_pass import MustPassUtterances
from retrainer.domain.rules.platform_gain import PlatformGain
from retrainer.domain.rules.superiority import Superiority
from retrainer.domain.verdict import NamedRule, Policy, Rule

RULES: Mapping[str, type[Rule]] = {
    "floor": Floor,
    "gain": Gain,
    "intent_drop": IntentDrop,
    "must_pass": MustPassUtterances,
    "platform_gain": PlatformGain,
    "superiority": Superiority,
}

#: Used where the config names no policy.
DEFAULT_POLICY = Policy(
    "default",
    (
        NamedRule("better", Gain(metric="f1_weighted")),
        NamedRule("must_pass", MustPassUtterances()),
        NamedRule("intents", IntentDrop()),
    ),
)

__all__ = [
    "DEFAULT_POLICY",
    "RULES",
    "Floor",
    "Gain",
    "IntentDrop",
    "MustPassUtterances",
    "PlatformGain",
    "Superiority",
]
