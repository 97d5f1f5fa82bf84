"""Why a server could not be reached, in words of our own: those of the error may hold secrets."""

import socket
import ssl
from collections.abc import Iterator
from http.client import RemoteDisconnected
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import (
    IncompleteRead,
    NameResolutionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
)

from retrainer.errors import ServerError

_Kinds = tuple[type[BaseException], ...]
_LOST = (ConnectionError, RemoteDisconnected, IncompleteRead, ProtocolError)
_UNKNOWN_NAME = (NameResolutionError, socket.gaierror)
#: A refused connection is a ConnectTimeoutError to urllib3, too.
_TIMEOUT = (TimeoutError, ReadTimeoutError, requests.Timeout)
_SLOW = "is the server up, and not busy? the options `timeout` and the like set how long to wait"
_CLOSED = "the log of the server, or of a proxy in front of it, should say why"
#: The first that fits: what it is, in words, and what to do.
_FAULTS: tuple[tuple[_Kinds, str, str], ...] = (
    (
        (ProxyError, requests.exceptions.ProxyError),
        "the proxy did not let it through",
        "check HTTP_PROXY and HTTPS_PROXY; NO_PROXY names the hosts to reach without one",
    ),
    ((ssl.SSLError,), "there is no secure connection", "does it speak https? check {address}"),
    ((requests.ConnectTimeout,), "nobody took the connection in time", "check {address}"),
    (_UNKNOWN_NAME, "the name of the host is not known", "check {address}"),
    ((ConnectionRefusedError,), "nobody listens there", "is the server up? check {address}"),
)


def is_timeout(error: Exception) -> bool:
    """Whether the time was up."""
    return _has(error, _TIMEOUT)


def is_lost(error: Exception) -> bool:
    """Whether the connection was refused or lost, which may be otherwise in a moment."""
    return _has(error, _LOST) and not _has(error, (*_TIMEOUT, ssl.SSLError))


def unreachable(where: str, error: Exception, limit: float) -> ServerError:
    """What to raise; `where` is the call in words, `limit` the seconds that it was given."""
    where += _elsewhere(where, error)
    untrusted = next(
        (c for c in _causes(error) if isinstance(c, ssl.SSLCertVerificationError)), None
    )
    if untrusted is not None:
        return ServerError(
            f"{where}: the server's certificate is not trusted: {untrusted.verify_message}",
            tip="name the file of your certificate authority with `ca_file`",
        )
    for kinds, words, tip in _FAULTS:
        if _has(error, kinds):
            return ServerError(f"{where}: {words}", tip=tip.format(address=where.split(" ")[1]))
    if is_timeout(error):
        return ServerError(f"{where} had no answer within {limit:g} s", tip=_SLOW)
    if _has(error, _LOST):
        words = "the server closed the connection before it had answered"
        return ServerError(f"{where}: {words}", tip=_CLOSED)
    return ServerError(f"{where}: the connection failed ({type(error).__name__})")


def _elsewhere(where: str, error: Exception) -> str:
    """The server that a redirection led to, in words; empty if it is the one that was asked."""
    request = error.request if isinstance(error, requests.RequestException) else None
    if request is None or not request.url:
        return ""
    asked, other = urlsplit(where.split(" ")[1]), urlsplit(request.url)
    if (asked.hostname, asked.port) == (other.hostname, other.port):
        return ""
    port = f":{other.port}" if other.port else ""
    return f", which redirects to {other.scheme}://{other.hostname}{port}"


def _has(error: BaseException, kinds: _Kinds) -> bool:
    return any(isinstance(cause, kinds) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps: requests and urllib3 put causes among the arguments."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
