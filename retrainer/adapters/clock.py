"""The system's clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The one place that reads the real clock."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        return time.monotonic()
