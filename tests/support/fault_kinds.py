"""What a fault proxy may do to one request."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

_BLOCK = 65_536
#: As nginx: how long what a client still sends is thrown away after it was refused, in seconds.
_LINGER = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request; `path` is without its query."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str:
        """A header's value; empty if there is none."""
        return next((v for known, v in self.headers if known.lower() == name.lower()), "")

    @property
    def length(self) -> int | None:
        """Bytes of the body; None if it comes in chunks."""
        if "chunked" in self.header("Transfer-Encoding").lower():
            return None
        return int(self.header("Content-Length") or 0)


@dataclass(slots=True)
class Exchange:
    """One request between a client and the server, which is connected to when it is needed.

    `rest` is what has come of the body with the head.
    """

    request: Request
    rest: bytes
    client: socket.socket
    upstream: socket.socket
    address: tuple[str, int]
    stopping: threading.Event

    def wait(self, seconds: float) -> None:
        """Sleep, unless the proxy stops."""
        self.stopping.wait(seconds)

    def forward(self) -> threading.Thread:
        """Send the request on; its body goes on in the thread that is returned."""
        self.upstream.settimeout(10)
        self.upstream.connect(self.address)
        self.upstream.settimeout(None)
        if self.request.header("Expect"):  # as nginx: the body is taken before the server is asked
            self.client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        request = self.request
        target = request.path + (f"?{request.query}" if request.query else "")
        kept = [pair for pair in request.headers if pair[0].lower() not in _OF_CONNECTIONS]
        lines = [f"{request.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in [*kept, ("Connection", "close")]]
        self.upstream.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + self.rest)
        body = threading.Thread(
            target=self._send_body, args=(len(self.rest),), name="fault-proxy-body", daemon=True
        )
        body.start()
        return body

    def _send_body(self, sent: int) -> None:
        """Whatever the client sends, to the end of the body where its length is known."""
        length = self.request.length
        with suppress(OSError):
            while length is None or sent < length:
                piece = self.client.recv(_BLOCK)
                if not piece:
                    return
                self.upstream.sendall(piece)
                sent += len(piece)

    def answer(self) -> bytes:
        """The next bytes of the server's answer; none at its end."""
        return self.upstream.recv(_BLOCK)

    def finish(self) -> None:
        """Let the server do its whole job, and throw its answer away."""
        with suppress(OSError):
            while self.answer():
                pass

    def say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Answer in the server's place."""
        phrase = HTTPStatus(status).phrase
        said = {"Content-Length": str(len(body)), "Connection": "close", **headers}
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{k}: {v}" for k, v in said.items()), "", ""]
        self.client.sendall("\r\n".join(lines).encode() + body)

    def linger(self) -> None:
        """Take what the client still sends, so that it comes to read the answer."""
        with suppress(OSError):
            self.client.shutdown(socket.SHUT_WR)
            self.client.settimeout(1)
            end = time.monotonic() + _LINGER
            while time.monotonic() < end and self.client.recv(_BLOCK):
                pass


#: Headers that hold for one connection alone.
_OF_CONNECTIONS = {"connection", "expect", "keep-alive", "proxy-connection"}


class Fault(Protocol):
    """What happens to a request."""

    def apply(self, exchange: Exchange) -> None:
        """Do it; both connections are closed afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing happens."""

    def apply(self, exchange: Exchange) -> None:
        """Send everything on, both ways."""
        try:
            exchange.forward()
        except OSError:
            exchange.say(502, _page(502), _HTML)
            return
        start, at_head = b"", True
        while piece := exchange.answer():
            if at_head:
                start += piece
                while start.startswith(b"HTTP/1.1 1") and b"\r\n\r\n" in start:
                    interim, end, start = start.partition(b"\r\n\r\n")
                    exchange.client.sendall(interim + end)
                if b"\r\n\r\n" not in start:
                    continue
                piece, at_head = _closing(start), False
            exchange.client.sendall(piece)


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Something happens before the request passes."""

    happens: Callable[[], object]

    def apply(self, exchange: Exchange) -> None:
        """Let it happen, then send everything on."""
        self.happens()
        Passed().apply(exchange)


@dataclass(frozen=True, slots=True)
class Page:
    """A web page with this status, as of nginx; `body` and `headers` make it anything else.

    With `forwarded` the server gets the request and finishes its job; the page comes `after` so
    many seconds, or when the server has answered before.
    """

    status: int
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html"),)
    forwarded: bool = False
    after: float = 0.0

    def apply(self, exchange: Exchange) -> None:
        """Answer in the server's place."""
        body = _page(self.status) if self.body is None else self.body
        if not self.forwarded:
            exchange.wait(self.after)
            exchange.say(self.status, body, dict(self.headers))
            exchange.linger()
            return
        sending = exchange.forward()
        finishing = threading.Thread(target=exchange.finish, daemon=True)
        finishing.start()
        sending.join()
        finishing.join(self.after)
        with suppress(OSError):  # the client may be gone, the job goes on
            exchange.say(self.status, body, dict(self.headers))
            exchange.client.shutdown(socket.SHUT_RDWR)
        finishing.join()


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """413 for requests with a longer body; others pass."""

    size: int

    def apply(self, exchange: Exchange) -> None:
        """Refuse by what the head says, as nginx does; of chunks the size is not known."""
        length = exchange.request.length
        if length is not None and length > self.size:
            exchange.say(413, _page(413), _HTML)
            exchange.linger()
        else:
            Passed().apply(exchange)


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection ends `after` so many bytes of the answer, its head included; 0: before it.

    With `after` 0 and not `forwarded` the server never hears of the request.
    """

    after: int = 0
    forwarded: bool = True

    def apply(self, exchange: Exchange) -> None:
        """Send so much on; the server finishes all the same."""
        if not (self.forwarded or self.after):
            return
        exchange.forward()
        left = self.after
        while left and (piece := exchange.answer()):
            exchange.client.sendall(piece[:left])
            left -= len(piece[:left])
        if not self.after:  # first the job, then the lost connection
            exchange.finish()
        with suppress(OSError):
            exchange.client.shutdown(socket.SHUT_RDWR)
        exchange.finish()


@dataclass(frozen=True, slots=True)
class Hung:
    """No answer, ever; with `forwarded` the server does its job."""

    forwarded: bool = False

    def apply(self, exchange: Exchange) -> None:
        """Wait for the end."""
        if self.forwarded:
            exchange.forward()
            exchange.finish()
        exchange.stopping.wait()


@dataclass(frozen=True, slots=True)
class Late:
    """Everything passes, `seconds` later."""

    seconds: float

    def apply(self, exchange: Exchange) -> None:
        """Wait, then send everything on."""
        exchange.wait(self.seconds)
        Passed().apply(exchange)


@dataclass(frozen=True, slots=True)
class Dripped:
    """A good head, then a byte now and then, for ever."""

    seconds: float = 0.05
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)

    def apply(self, exchange: Exchange) -> None:
        """Drip until one side has enough."""
        length = {"Content-Length": str(10**9)}
        exchange.say(200, b"", {**length, **dict(self.headers)})
        while not exchange.stopping.wait(self.seconds):
            exchange.client.sendall(b" ")


_HTML = {"Content-Type": "text/html"}


def _page(status: int) -> bytes:
    title = f"{status} {HTTPStatus(status).phrase}"
    return (
        f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center>"
        "<hr><center>nginx/1.25.3</center></body></html>\r\n"
    ).encode()


def _closing(head: bytes) -> bytes:
    """The start of an answer that says that the connection ends with it."""
    lines, _, body = head.partition(b"\r\n\r\n")
    kept = [
        line
        for line in lines.split(b"\r\n")
        if line.partition(b":")[0].strip().lower().decode("latin-1") not in _OF_CONNECTIONS
    ]
    return b"\r\n".join([*kept, b"Connection: close"]) + b"\r\n\r\n" + body
