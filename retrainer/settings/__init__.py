"""What a user may configure: the model of the TOML file, and how it is read."""

from retrainer.settings.loading import anchored, find_config, load
from retrainer.settings.model import (
    AssistantSettings,
    NotifierSettings,
    PluginSettings,
    RasaSettings,
    Settings,
    TrainingSettings,
)
from retrainer.settings.policies import policy_of

__all__ = [
    "AssistantSettings",
    "NotifierSettings",
    "PluginSettings",
    "RasaSettings",
    "Settings",
    "TrainingSettings",
    "anchored",
    "find_config",
    "load",
    "policy_of",
]
