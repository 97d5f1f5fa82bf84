"""A running process goes over to a configuration that was read again."""

from retrainer.settings import require_unchanged
from retrainer.wiring.application import Application


def on_open_database(new: Application, old: Application) -> Application:
    """The new configuration, on the connections that the old one has open.

    Raises:
        ConfigurationError: something has changed that takes a restart.
    """
    require_unchanged(old.config, old.settings, new.settings)
    vars(new)["bare_engine"] = old.bare_engine  # where a cached property keeps its value
    return new
