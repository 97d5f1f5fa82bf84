"""Looking again until something is there, for a bounded time."""

import time
from collections.abc import Iterator

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


def polls(seconds: float) -> Iterator[None]:
    """One turn now, the last one when the time is over, more and more rarely in between."""
    end, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        yield
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)
