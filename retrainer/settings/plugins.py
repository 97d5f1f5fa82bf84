"""Plugins: found by entry point, their options checked against their own model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from retrainer.errors import ConfigurationError
from retrainer.settings.environment import place
from retrainer.settings.loading import invalid
from retrainer.settings.model import PluginSettings


def plugin_of(group: str, settings: PluginSettings) -> Any:  # noqa: ANN401 - each group has its own
    """The class of the plugin; None if there is none of that name in the group."""
    point = _points(group).get(settings.type)
    return None if point is None else point.load()


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
        plugin = plugin_of(group, settings)
        if plugin is None:
            where = place(self.file, (*keys, "type"), self.environment)
            raise ConfigurationError(
                f"{where}: unknown {settings.type!r}; known are {', '.join(sorted(_points(group)))}"
            )
        try:
            options = plugin.Options.model_validate(settings.options)
        except ValidationError as error:  # it holds the options, and so maybe secrets: `from None`
            raise invalid(
                self.file, error, plugin.Options, *keys, environment=self.environment
            ) from None
        return plugin.from_options(options, folder=folder, **given)
