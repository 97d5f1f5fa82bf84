"""The HTTP server: where it may listen, and how it stops."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from retrainer.errors import ConfigurationError, RetrainerError
from retrainer.web.models import ModelServer, failure

#: Seconds after which a client that takes nothing any more is given up.
STALLED = 60.0


#: What would be open to everybody, and what to do about it.
MODELS = (
    "everybody there could read the models",
    (
        "set RETRAINER_HTTP__TOKEN to a long random word, and the same `token` in the "
        'endpoints.yml of the Rasa servers; or listen at host = "127.0.0.1"'
    ),
)


def listen(
    host: str, port: int, *, token: bool, otherwise: tuple[str, str] = MODELS
) -> socket.socket:
    """A socket that listens; `port` 0 takes a free one, `token` says whether one is asked for.

    `otherwise` says what were wrong without one, and what to do.

    Raises:
        ConfigurationError: the address is not to be had, or others could read models without one.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:  # a label that is too long is a UnicodeError
        raise ConfigurationError(
            f"[http] host = {host!r} is no address or name that is known on this machine",
            tip='"127.0.0.1" is this machine alone, "0.0.0.0" every address that it has',
        ) from error
    if not token and not _is_loopback(str(address[0])):
        raise ConfigurationError(
            f"[http] host = {host!r} can be reached from other machines, and there is no token: "
            f"{otherwise[0]}",
            tip=otherwise[1],
        )
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED * 1000))
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"[http] host = {host!r}, port = {port}: {error.strerror}",
            tip="choose another `port` (RETRAINER_HTTP__PORT), or see who has it with `ss -ltnp`",
        ) from error
    return listening


def is_local(listening: socket.socket) -> bool:
    """Whether only programs on this machine reach it."""
    return _is_loopback(str(listening.getsockname()[0]))


def _is_loopback(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback


def address_of(listening: socket.socket) -> str:
    """The address for other programs, such as http://127.0.0.1:5010."""
    host, port = listening.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def application(models: ModelServer) -> Starlette:
    """The models and `/healthz`, with every failure as JSON."""

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        look = asyncio.create_task(models.look())
        yield
        look.cancel()
        with suppress(asyncio.CancelledError):
            await look

    return Starlette(
        routes=[*models.routes, Route("/healthz", _health)],
        exception_handlers={HTTPException: _refusal},
        lifespan=life,
    )


def serve(app: Starlette, listening: socket.socket, *, stop_limit: float) -> None:
    """Serve until SIGTERM or SIGINT; then running downloads get `stop_limit` seconds."""
    # uvicorn raises its signals again when it has stopped; SIGTERM is no failure here
    signal.signal(signal.SIGTERM, lambda *_: None)
    config = uvicorn.Config(
        Stoppable(app),
        log_config=None,
        log_level="warning",
        access_log=False,  # addresses may hold the token
        server_header=False,
        timeout_graceful_shutdown=max(1, round(stop_limit)),
    )
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


class Stoppable:
    """The application, where a download that outlasts `stop_limit` is no error with a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with suppress(asyncio.CancelledError):
            await self._app(scope, receive, send)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refusal(request: Request, error: Exception) -> Response:
    """There is no such path, or it is not to be written to."""
    if not isinstance(error, HTTPException):
        raise error
    sentence = f"{request.method} {request.url.path} is not served here"
    return failure(error.status_code, RetrainerError(sentence), error.headers)
