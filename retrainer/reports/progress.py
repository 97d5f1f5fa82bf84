"""What goes on inside a step, in words, and how often that is worth a line."""

import time
from collections.abc import Callable

from retrainer.ports import Progress

#: Parts of what is to do, and seconds where that is not known, between two lines of a log.
_PARTS, _SECONDS = 10, 30.0


class Pace:
    """Which news are worth a line: a new component, then each tenth of what it works through.

    Where it is not known how much there is to do, one every half minute. `now` gives seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last, self._tenth, self._since = "", 0, now()

    def restart(self) -> None:
        """Begin anew, as each step does."""
        self._last = ""

    def is_due(self, progress: Progress) -> bool:
        """Whether it is worth a line; if so, it counts as said."""
        tenth = _PARTS * (progress.done or 0) // progress.total if progress.total else None
        if progress.what == self._last:
            waited = self._now() - self._since >= _SECONDS
            if not (waited if tenth is None else tenth > self._tenth):
                return False
        self._last, self._tenth, self._since = progress.what, tenth or 0, self._now()
        return True


def describe(progress: Progress) -> str:
    """`DIETClassifier: 12 of 100 epochs`."""
    if progress.done is None:
        return progress.what
    total = "" if progress.total is None else f" of {progress.total}"
    return f"{progress.what}: {progress.done}{total} {progress.unit}".rstrip()
