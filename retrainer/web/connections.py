"""Connections: how many there may be, and how long a client may take to ask for something."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Connections at a time. Each is a file descriptor, of which the daemon needs some itself.
MOST = 256
#: Seconds that the head of a request may take.
PATIENCE = 10.0


class BoundedConnection(H11Protocol):
    """A connection that has to come to the point.

    A client that sends its request a byte at a time is dropped after `PATIENCE`. When there are
    `MOST` connections a new one takes the place of the one that has been asking for longest; where
    all are being answered the new one is dropped.
    """

    _asking_since = 0.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in the parent class
        """A client connected."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > MOST:
            others = (c for c in self.connections if isinstance(c, BoundedConnection))
            asking = [c for c in others if c._deadline is not None]  # noqa: SLF001 - of its own class
            min(asking, key=lambda c: c._asking_since).transport.abort()  # noqa: SLF001 - as above

    def data_received(self, data: bytes) -> None:
        """A part of a request came."""
        super().data_received(data)
        if self._is_answered():
            self._stop_waiting()
        elif self._deadline is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_answered(self) -> bool:
        """Whether a request has come whole, but for its body."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._asking_since = self.loop.time()
        self._deadline = self.loop.call_later(PATIENCE, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self._is_answered():
            self.transport.abort()
