"""Where the log goes: a file, a terminal, a pipe or a socket that may fail, or hang."""

import os
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import TextIO

#: Lines that may wait to be written.
_WAITING = 1000
#: Seconds that a line waits for its place among those, and the end of the log for all of them.
_PATIENCE = 1.0


class PatientStream:
    """Writes lines to a stream; never raises because of it, and never stands still with it for long.

    A reader that stopped reading (`SIGSTOP`, a frozen pager, a terminal after Ctrl-S, a disk that
    hangs) would hold up whoever logs. So a thread writes. When 1,000 lines wait for it, the next
    one waits for a second, and all that follow are dropped at once, until the reader reads again.
    What a full disk or a closed pipe does not take is dropped as well. How many lines were lost is
    said where they are missing, in the words of `notice`: a log with a hole is better than a
    service that stands still, or one that ends because of its log.

    A stream in memory, without a descriptor, is written to as it is.
    """

    def __init__(self, stream: TextIO, notice: Callable[[int], str]) -> None:
        self._stream, self._notice = stream, notice
        self._descriptor = _descriptor(stream)
        self._waiting: Queue[tuple[str, int] | None] = Queue(_WAITING)
        self._dropped = 0
        self._ending = False
        if self._descriptor is not None:
            Thread(target=self._work, args=(self._descriptor,), name="log", daemon=True).start()

    def write(self, text: str) -> None:
        """Write a line; called by one thread at a time."""
        if self._descriptor is None:
            self._stream.write(text)
            return
        try:
            self._waiting.put((text, self._dropped), timeout=0 if self._dropped else _PATIENCE)
        except Full:
            self._dropped += 1
        else:
            self._dropped = 0

    def close(self) -> None:
        """Give what waits a second, then leave it; the stream itself stays open."""
        if self._ending or self._descriptor is None:
            return
        self._ending = True
        with suppress(Full):
            self._waiting.put(None, timeout=_PATIENCE)
        with self._waiting.all_tasks_done:
            self._waiting.all_tasks_done.wait_for(
                lambda: not self._waiting.unfinished_tasks, _PATIENCE
            )

    def _work(self, descriptor: int) -> None:
        """Write what waits, until the end."""
        lost, broken_off = 0, False
        while not (self._ending and self._waiting.empty()):
            line = self._waiting.get()
            if line is not None:
                text, dropped = line
                lost += dropped
                said = ("\n" if broken_off else "") + (self._notice(lost) if lost else "") + text
                content = said.encode(errors="backslashreplace")
                written = _written(descriptor, content)
                lost = 0 if written == len(content) else lost + 1
                broken_off = 0 < written < len(content) or (broken_off and not written)
            self._waiting.task_done()
        os.close(descriptor)


def _written(descriptor: int, content: bytes) -> int:
    """Write as many bytes as can be written."""
    written = 0
    with suppress(OSError):
        while written < len(content):
            written += os.write(descriptor, content[written:])
    return written


def _descriptor(stream: TextIO) -> int | None:
    """A descriptor of our own for what is below the stream; None for one in memory.

    Ours, since the number of one that somebody closed soon stands for another file.
    """
    with suppress(OSError, ValueError, AttributeError):
        stream.flush()
        return os.dup(stream.fileno())
    return None
