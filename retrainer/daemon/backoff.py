"""How long to leave something in peace that fails."""

from collections.abc import Hashable

FIRST, LONGEST = 5.0, 300.0


class Backoff:
    """Delays in seconds for each key: `first`, then twice as long each time, up to `longest`."""

    def __init__(self, *, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first, self._longest = first, longest
        self._failed: dict[Hashable, tuple[int, float]] = {}

    def failed(self, key: Hashable, now: float) -> float:
        """Count a failure at `now` (monotonic); returns the delay until the next try."""
        times = self._failed.get(key, (0, 0.0))[0]
        delay = min(self._first * 2.0 ** min(times, 30), self._longest)
        self._failed[key] = (times + 1, now + delay)
        return delay

    def worked(self, key: Hashable) -> None:
        """Forget its failures."""
        self._failed.pop(key, None)

    def is_over(self, key: Hashable, now: float) -> bool:
        """Whether it may be tried at `now`."""
        return key not in self._failed or self._failed[key][1] <= now
