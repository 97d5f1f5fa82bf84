"""What a user may configure: the model of the TOML file, and how it is read."""

from retrainer.settings.credentials import with_credentials
from retrainer.settings.loading import anchored, find_config, load, require_unchanged
from retrainer.settings.model import (
    AssistantSettings,
    HttpSettings,
    NotifierSettings,
    PluginSettings,
    RasaSettings,
    Settings,
    TrainingSettings,
)
from retrainer.settings.policies import policy_of

__all__ = [
    "AssistantSettings",
    "HttpSettings",
    "NotifierSettings",
    "PluginSettings",
    "RasaSettings",
    "Settings",
    "TrainingSettings",
    "anchored",
    "find_config",
    "load",
    "policy_of",
    "require_unchanged",
    "with_credentials",
]
