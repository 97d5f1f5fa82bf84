"""Who is told, made from their settings."""

from collections.abc import Mapping
from pathlib import Path

from retrainer.errors import ConfigurationError
from retrainer.pipeline.conclusion import EVENTS
from retrainer.ports import Fetch, Notifier
from retrainer.reports.message import render
from retrainer.settings import Settings
from retrainer.settings.plugins import Plugins


def make_notifiers(
    config: Path, settings: Settings, plugins: Plugins, *, fetch: Fetch
) -> Mapping[str, Notifier]:
    """The notifiers by the name that the config gives them.

    Raises:
        ConfigurationError: an unknown plugin, option or event, with the key's path.
    """
    made: dict[str, Notifier] = {}
    for name, given in settings.notifiers.items():
        unknown = sorted(set(given.on) - set(EVENTS))
        if unknown:
            raise ConfigurationError(
                f"{config}: notifiers.{name}.on: unknown {', '.join(unknown)}; "
                f"known are {', '.join(EVENTS)}"
            )
        made[name] = plugins.make(
            "notifiers", given, config.parent, "notifiers", name, render=render, fetch=fetch
        )
    return made
