r"""A proxy on loopback that stands before any HTTP server, and fails as proxies and networks do.

    from support.fault_proxy import BodyLimit, Closed, Page, fault_proxy

    with fault_proxy(server.url) as proxy:
        proxy.on("PUT", r"/evaluations/", Page(504, forwarded=True), nth=1)
        proxy.on("POST", r"/models$", BodyLimit(1_000_000))
        proxy.on("GET", r"\.tar\.gz", Closed(after=5_000))
        ...
        assert proxy.count("PUT", r"/evaluations/") == 2

A rule's pattern is searched in the path without its query. The last rule given that matches is the
one that counts; requests that none matches pass unchanged. `forwarded` faults let the server have
the whole request and finish its job, its answer is thrown away. Each request has a connection of
its own. At the end of the block everything stops, whatever still hangs.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from support.fault_kinds import (
    BodyLimit,
    Closed,
    Dripped,
    Exchange,
    Fault,
    Hung,
    Late,
    Page,
    Passed,
    Request,
)

__all__ = [
    "BodyLimit",
    "Closed",
    "Dripped",
    "Fault",
    "FaultProxy",
    "Hung",
    "Late",
    "Page",
    "Passed",
    "Request",
    "fault_proxy",
]

#: How long the head of a request may be awaited, in seconds, and how long it may be, in bytes.
_HEAD_SECONDS, _HEAD_BYTES = 60.0, 64_000


@dataclass(slots=True)
class _Rule:
    """A fault for some requests; `nth` None: for each of them."""

    method: str
    pattern: re.Pattern[str]
    fault: Fault
    nth: int | None
    met: int = 0

    def applies(self, request: Request) -> bool:
        """Whether it is this request's turn; counts."""
        if self.method not in ("*", request.method) or not self.pattern.search(request.path):
            return False
        self.met += 1
        return self.nth is None or self.met == self.nth


class FaultProxy:
    """A running proxy; `requests` are all that came, in order, whether they failed or not."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.1)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.requests: list[Request] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def on(self, method: str, pattern: str, fault: Fault, *, nth: int | None = None) -> None:
        """Fail requests of a method ("*": any) whose path has the pattern.

        `nth` counts those that match from now on, from 1; None: all of them.
        """
        with self._lock:
            self._rules.append(_Rule(method, re.compile(pattern), fault, nth))

    def clear(self) -> None:
        """Let everything pass again."""
        with self._lock:
            self._rules.clear()

    def count(self, method: str = "*", pattern: str = "") -> int:
        """How many requests came of a method ("*": any) whose path has the pattern."""
        with self._lock:
            return sum(
                method in ("*", request.method) and bool(re.search(pattern, request.path))
                for request in self.requests
            )

    def start(self) -> None:
        """Listen."""
        self._run(self._accept)

    def stop(self) -> None:
        """Close every connection and end every thread.

        Raises:
            AssertionError: a thread goes on.
        """
        self._stopping.set()
        with suppress(OSError):  # wakes up who waits for a connection
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        end = time.monotonic() + 10
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < end:
            with self._lock:
                for each in self._open:
                    with suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
            for thread in list(self._threads):
                thread.join(0.05)
        assert not any(thread.is_alive() for thread in self._threads), "a connection hangs"

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listening.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._run(self._serve, client)

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="fault-proxy", daemon=True)
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()]
            thread.start()
            self._threads.append(thread)

    def _serve(self, client: socket.socket) -> None:
        """One request. The fault speaks to both sides; whatever breaks on the way is its point."""
        with self._known(client), suppress(OSError):
            request, rest = _read_head(client)
            if request is None:
                return
            fault = self._fault_of(request)
            with self._known(socket.socket()) as upstream:
                exchange = Exchange(request, rest, client, upstream, self._upstream, self._stopping)
                fault.apply(exchange)

    def _fault_of(self, request: Request) -> Fault:
        with self._lock:
            self.requests.append(request)
            matching = [rule for rule in self._rules if rule.applies(request)]
        return matching[-1].fault if matching else Passed()

    @contextmanager
    def _known(self, connection: socket.socket) -> Iterator[socket.socket]:
        """The socket, known to `stop` until it is closed at the end."""
        with self._lock:
            self._open.add(connection)
        try:
            yield connection
        finally:
            with self._lock:
                self._open.discard(connection)
            with suppress(OSError):  # wakes up whoever reads from it
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy before the server with this address (http://HOST:PORT), until the block ends."""
    proxy = FaultProxy(upstream)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


def _read_head(client: socket.socket) -> tuple[Request | None, bytes]:
    """The request, and what has come of its body; no request if the client leaves before."""
    client.settimeout(_HEAD_SECONDS)
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(65_536)
        if not piece or len(received) > _HEAD_BYTES:
            return None, b""
        received += piece
    client.settimeout(None)
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    path, _, query = target.partition("?")
    headers = tuple(
        (name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
    )
    return Request(method, path, query, headers), rest
