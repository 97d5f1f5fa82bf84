"""The rules that a policy may name, one file each.

To add one: write a frozen dataclass with its limits as fields and a pure `assess`, and list it
here under the name that the config uses.
"""

from collections.abc import Mapping

from retrainer.domain.rules.floor import Floor
from retrainer.domain.rules.intent_drop import IntentDrop
from retrainer.domain.rules.must_pass import MustPassUtterances
from retrainer.domain.rules.platform_gain import PlatformGain
from retrainer.domain.rules.simple import Simple
from retrainer.domain.rules.superiority import Superiority
from retrainer.domain.verdict import Rule

RULES: Mapping[str, type[Rule]] = {
    "floor": Floor,
    "intent_drop": IntentDrop,
    "must_pass": MustPassUtterances,
    "platform_gain": PlatformGain,
    "simple": Simple,
    "superiority": Superiority,
}

__all__ = [
    "RULES",
    "Floor",
    "IntentDrop",
    "MustPassUtterances",
    "PlatformGain",
    "Simple",
    "Superiority",
]
