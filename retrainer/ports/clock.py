"""The time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The one place where the pipeline learns the time."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...
