"""The rules that a policy may name, one file each.

To add one: write a frozen dataclass with its limits as fields and a pure `assess`, and list it
here under the name that the config uses.
"""

from collections.abc import Mapping

from retrainer.domain.rules.actions import ServedActions
from retrainer.domain.rules.calibration import Calibration
from retrainer.domain.rules.cost import BoundedCost
from retrainer.domain.rules.data import SoundData
from retrainer.domain.rules.entities import Entities
from retrainer.domain.rules.floor import Floor
from retrainer.domain.rules.known_intents import KnownIntents
from retrainer.domain.rules.ladder import Ladder
from retrainer.domain.rules.must_pass import MustPassUtterances
from retrainer.domain.rules.negative_flips import NegativeFlips
from retrainer.domain.rules.non_inferiority import NonInferiority
from retrainer.domain.rules.per_entity import PerEntity
from retrainer.domain.rules.per_intent import PerIntent
from retrainer.domain.rules.platform_gain import PlatformGain
from retrainer.domain.rules.response_selection import ResponseSelection
from retrainer.domain.rules.reuse import HoldoutReuse
from retrainer.domain.rules.simple import Simple
from retrainer.domain.rules.stories import PassedStories
from retrainer.domain.rules.superiority import Superiority
from retrainer.domain.rules.suspicious_gain import SuspiciousGain
from retrainer.domain.verdict import Rule

RULES: Mapping[str, type[Rule]] = {
    "actions": ServedActions,
    "calibration": Calibration,
    "cost": BoundedCost,
    "data": SoundData,
    "entities": Entities,
    "floor": Floor,
    "known_intents": KnownIntents,
    "ladder": Ladder,
    "must_pass": MustPassUtterances,
    "negative_flips": NegativeFlips,
    "non_inferiority": NonInferiority,
    "per_entity": PerEntity,
    "per_intent": PerIntent,
    "platform_gain": PlatformGain,
    "response_selection": ResponseSelection,
    "reuse": HoldoutReuse,
    "simple": Simple,
    "stories": PassedStories,
    "superiority": Superiority,
    "suspicious_gain": SuspiciousGain,
}

__all__ = [
    "RULES",
    "BoundedCost",
    "Calibration",
    "Entities",
    "Floor",
    "HoldoutReuse",
    "KnownIntents",
    "Ladder",
    "MustPassUtterances",
    "NegativeFlips",
    "NonInferiority",
    "PassedStories",
    "PerEntity",
    "PerIntent",
    "PlatformGain",
    "ResponseSelection",
    "ServedActions",
    "Simple",
    "SoundData",
    "Superiority",
    "SuspiciousGain",
]
