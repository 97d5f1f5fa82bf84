"""The log of a long-running service: which lines it has, and where they go."""

from retrainer.adapters.logs.configuration import configure
from retrainer.adapters.logs.context import amend, context

__all__ = ["amend", "configure", "context"]
