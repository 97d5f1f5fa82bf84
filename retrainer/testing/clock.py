"""A clock that stands still until it is told otherwise."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Shows the same time until `advance`."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the clock was made, never going back."""
        return self._monotonic

    def advance(self, length: timedelta) -> None:
        """Let time pass."""
        self._now += length
        self._monotonic += length.total_seconds()
