"""What a user may configure: the model of the TOML file, and how it is read."""

from retrainer.settings.credentials import with_credentials
from retrainer.settings.loading import (
    anchored,
    find_config,
    load,
    load_if_there,
    require_unchanged,
)
from retrainer.settings.model import (
    AssistantSettings,
    HttpSettings,
    NotifierSettings,
    PluginSettings,
    RasaSettings,
    Settings,
)
from retrainer.settings.policies import policy_of
from retrainer.settings.training import TrainingSettings

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
    "load_if_there",
    "policy_of",
    "require_unchanged",
    "with_credentials",
]
