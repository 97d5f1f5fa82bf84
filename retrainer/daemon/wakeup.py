"""Something to wait on that threads and signal handlers may end."""

import os
import select


class Wakeup:
    """A pipe: unlike an Event, a signal handler may wake the very thread that it interrupts."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def wake(self) -> None:
        """End the running or the next `wait`; may be called from anywhere."""
        try:
            os.write(self._in, b"!")
        except BlockingIOError:
            return  # as awake as can be

    def wait(self, seconds: float) -> None:
        """Wait until woken, that many seconds at most."""
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)
        try:
            os.read(self._out, 1 << 16)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self._out)
        os.close(self._in)
