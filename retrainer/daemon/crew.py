"""Who works: one thread for each cycle, so many at a time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from retrainer.errors import NoThreadLeft


@dataclass(frozen=True, slots=True)
class _Work:
    thread: threading.Thread
    cancel: Callable[[], None]


class Crew:
    """Runs at most `size` pieces of work at a time, one for each name.

    The threads do not keep the process alive: what they leave behind is taken up at the next start.
    """

    def __init__(self, size: int, *, done: Callable[[], None]) -> None:
        self.size = size
        self._done = done
        self._lock = threading.Lock()
        self._working: dict[str, _Work] = {}

    @property
    def names(self) -> frozenset[str]:
        """What is being worked on."""
        with self._lock:
            return frozenset(self._working)

    @property
    def free(self) -> int:
        """How many more could begin now."""
        with self._lock:
            return max(0, self.size - len(self._working))

    def begin(self, name: str, work: Callable[[], None], *, cancel: Callable[[], None]) -> None:
        """Work on it in a thread of its own; `cancel` cuts it off, and may be called again.

        Raises:
            NoThreadLeft: none can be started now.
            ValueError: the name is being worked on already.
        """

        def run() -> None:
            try:
                work()
            finally:
                with self._lock:
                    del self._working[name]
                self._done()

        with self._lock:
            if name in self._working:
                raise ValueError(f"{name} is being worked on already")
            thread = threading.Thread(target=run, name=f"cycle-{name}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise NoThreadLeft from error
            self._working[name] = _Work(thread, cancel)

    def cancel(self) -> None:
        """Cut off everything that is being worked on."""
        with self._lock:
            working = tuple(self._working.values())
        for work in working:
            work.cancel()
