"""Plugins: found by entry point, their options checked against their own model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from retrainer.errors import ConfigurationError, RetrainerError
from retrainer.settings.environment import place
from retrainer.settings.loading import invalid
from retrainer.settings.model import PluginSettings


def plugin_of(group: str, settings: PluginSettings) -> Any:  # noqa: ANN401 - each group has its own
    """The class of the plugin; None if there is none of that name in the group.

    Raises:
        ConfigurationError: it cannot be imported.
    """
    point = _points(group).get(settings.type)
    if point is None:
        return None
    try:
        return point.load()
    except Exception as error:  # importing it runs somebody else's code
        raise ConfigurationError(
            f"the plugin {settings.type!r} of retrainer.{group} ({point.value}) cannot be imported: "
            f"{type(error).__name__}: {error}",
            tip="is it installed for the Python that retrainer runs in, with all that it needs?",
        ) from error


@cache  # what is installed is read from many files, and every cycle and every look asks for it
def _points(group: str) -> Mapping[str, EntryPoint]:
    """The plugins of a group by their names."""
    return {point.name: point for point in entry_points(group=f"retrainer.{group}")}


@dataclass(frozen=True)
class Plugins:
    """Makes the plugins that a config `file` and the `environment` name."""

    file: Path
    environment: Mapping[str, str]

    def make(
        self, group: str, settings: PluginSettings, folder: Path, *keys: str, **given: object
    ) -> Any:  # noqa: ANN401 - each group has its own port
        """The plugin that stands at these keys of the configuration.

        `folder` is where its relative paths start, `given` what every plugin of the group is handed
        beside its options.

        Raises:
            ConfigurationError: there is none of that name, or it does not take the options.
        """
        where = place(self.file, (*keys, "type"), self.environment)
        try:
            plugin = plugin_of(group, settings)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}", tip=error.tip) from error
        if plugin is None:
            raise ConfigurationError(
                f"{where}: unknown {settings.type!r}; known are {', '.join(sorted(_points(group)))}"
            )
        try:
            options = plugin.Options.model_validate(settings.options)
        except ValidationError as error:  # it holds the options, and so maybe secrets: `from None`
            raise invalid(
                self.file, error, plugin.Options, *keys, environment=self.environment
            ) from None
        try:
            return plugin.from_options(options, folder=folder, **given)
        except RetrainerError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin's bug is no reason to end the daemon
            # Its words, and so the traceback, may hold a secret that it was given.
            raise ConfigurationError(
                f"{where}: {settings.type!r} raised {type(error).__name__} when it was made, which "
                "is a fault of its own code",
                tip="tell whoever maintains the plugin",
            ) from None
