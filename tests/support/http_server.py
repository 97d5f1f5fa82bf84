"""An HTTP server on loopback that answers as the test says, and remembers what it was asked."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from ssl import SSLContext

from support.loopback import LoopbackServer


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """One request, and the ways to answer it badly."""

    def __init__(self, request: BaseHTTPRequestHandler, stopping: threading.Event) -> None:
        self._request, self.stopping = request, stopping

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer; `_` in a header's name stands for `-`."""
        self._request.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self._request.send_header(name.replace("_", "-"), value)
        self._request.end_headers()
        self.write(body)

    def write(self, raw: bytes) -> bool:
        """Bytes as they are; False if nobody reads any more."""
        try:
            self._request.wfile.write(raw)
            self._request.wfile.flush()
        except OSError:
            return False
        return True

    def read_slowly(self, pause: float) -> None:
        """Take the request's body a kilobyte at a time, for ever."""
        while not self.stopping.wait(pause) and self._request.rfile.read(1024):
            pass

    def hang(self, seconds: float = 30.0) -> None:
        """Do nothing, until the server stops."""
        self.stopping.wait(seconds)

    def drip(self, raw: bytes, every: float = 0.05) -> bool:
        """The same bytes again and again; True if the other side went away before the end."""
        until = time.monotonic() + 30
        while not self.stopping.wait(every) and time.monotonic() < until:
            if not self.write(raw):
                return True
        return False


Answering = Callable[[Exchange], object]


class HttpServer(LoopbackServer):
    """`answers` are taken one a request, the last one again and again; `asked` are the requests.

    With `reads` False the body of a request is left to the answer.
    """

    def __init__(self, context: SSLContext | None = None) -> None:
        self.answers: list[Answering] = []
        self.asked: list[Asked] = []
        self.reads = True
        super().__init__(context)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request with the next answer."""
        length = int(request.headers.get("Content-Length", 0)) if self.reads else 0
        body = request.rfile.read(length)
        self.asked.append(Asked(request.command, request.path, dict(request.headers), body))
        answering = self.answers[min(len(self.asked), len(self.answers)) - 1]
        answering(Exchange(request, self.stopping))


def sends(status: int, body: bytes = b"", **headers: str) -> Answering:
    """An answer as it should be."""
    return lambda exchange: exchange.send(status, body, **headers)


def drips_body(exchange: Exchange) -> None:
    """A byte from time to time, of many announced."""
    exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    exchange.drip(b" ")


def drips_headers(exchange: Exchange) -> None:
    """A header from time to time."""
    exchange.write(b"HTTP/1.1 200 OK\r\n")
    exchange.drip(b"X-More: and more\r\n")


def hangs_after_headers(exchange: Exchange) -> None:
    """A beginning, and nothing more."""
    exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    exchange.hang()


def cut_off(exchange: Exchange) -> None:
    """Less than was announced."""
    exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


def cut_off_chunk(exchange: Exchange) -> None:
    """A piece that is not whole."""
    exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf")


def cut_off_between_chunks(exchange: Exchange) -> None:
    """No last piece."""
    exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")


def closes(_: Exchange) -> None:
    """No answer at all."""


def strange(exchange: Exchange) -> None:
    """Headers that urllib3 warns of."""
    exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nbroken header\r\nX: y\r\n\r\nok")


#: Answers that do not come in time, and those that never come whole.
SLOW = (Exchange.hang, hangs_after_headers, drips_body, drips_headers)
LOST = (closes, cut_off, cut_off_chunk, cut_off_between_chunks)


@contextmanager
def http_server(*answers: Answering, context: SSLContext | None = None) -> Iterator[HttpServer]:
    """A server that listens until the end of the block."""
    with HttpServer(context) as server:
        server.answers = list(answers)
        yield server
