"""The HTTP side of the daemon: made of its parts, and served in a thread beside it."""

import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from retrainer import __version__
from retrainer.errors import RetrainerError
from retrainer.store.owner import describe
from retrainer.web import acting, metrics, reading
from retrainer.web.answers import Json, NotServed, answer_to, refusal
from retrainer.web.connections import BoundedConnection
from retrainer.web.daemon_view import DaemonView
from retrainer.web.documents import HealthDocument, ReadinessDocument
from retrainer.web.edge import Edge
from retrainer.web.failures import Failures
from retrainer.web.health import liveness, readiness
from retrainer.web.models import ModelServer
from retrainer.web.server import Stoppable, address_of, is_local, listen
from retrainer.web.surroundings import EVERYWHERE, Here, Reader, Surroundings, failures
from retrainer.web.threads import Lane
from retrainer.web.tokens import Access
from retrainer.wiring import Application

_API = (
    "everybody there could read the history",
    (
        "configure a token as [http.tokens.NAME] (RETRAINER_HTTP__TOKENS__NAME__TOKEN), which "
        '`token` of [http] does not replace: it is for models alone; or listen at host = "127.0.0.1"'
    ),
)
#: Names of this machine that only programs on it use.
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
#: Seconds that the thread gets to end beyond `http.stop_limit`.
_GRACE = 2.0

_log = logging.getLogger(__name__)


@contextmanager
def beside(app: Application, daemon: DaemonView) -> Iterator[None]:
    """Serve by HTTP, in a thread, for as long as the block runs; then stop within `stop_limit`.

    What fails in here is logged, and never reaches the daemon.

    Raises:
        ConfigurationError: it cannot listen as [http] says; nothing was begun.
    """
    http = app.settings.http
    with listen(http.host, http.port, token=bool(http.tokens), otherwise=_API) as listening:
        server = uvicorn.Server(
            uvicorn.Config(
                Stoppable(application(app, daemon, listening)),
                http=BoundedConnection,
                ws="none",
                log_config=None,
                log_level="error",
                access_log=False,  # addresses may hold a token
                server_header=False,
                proxy_headers=False,  # anybody may write them
                timeout_graceful_shutdown=max(1, round(http.stop_limit.total_seconds())),
            )
        )
        thread = threading.Thread(target=_serve, args=(server, listening), name="http", daemon=True)
        thread.start()
        _log.info("listening at %s", address_of(listening))
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(http.stop_limit.total_seconds() + _GRACE)
            if thread.is_alive():
                _log.warning("the HTTP side did not stop within %s", http.stop_limit)


def application(app: Application, daemon: DaemonView, listening: socket.socket) -> ASGIApp:
    """All that is served, as one application."""
    http, clock = app.settings.http, app.clock
    access = Access(http, Failures(clock))
    here = Surroundings(
        daemon=daemon,
        access=access,
        metrics=metrics.Metrics(daemon),
        look=Lane("the database", at_once=4, waiting=60),
        act=Lane("the platform", at_once=2, waiting=10),
        started_at=clock.now(),
        hook_secret=http.hook_secret.get_secret_value() if http.hook_secret else None,
    )
    models = ModelServer(
        _platforms(app),
        clock=clock,
        tell=_log.info,
        admit=access.admit_to_models,
        rasa_x_assistant=http.rasa_x_assistant,
    )
    hosts = None
    if is_local(listening) and not http.tokens:
        hosts = {*_LOCAL, http.host, str(listening.getsockname()[0])}
    return Edge(_Following(_api(here, models), app, daemon, models), hosts=hosts)


class _Following:
    """Serves the models of the assistants that the daemon looks after now."""

    def __init__(
        self, served: ASGIApp, app: Application, daemon: DaemonView, models: ModelServer
    ) -> None:
        self._served, self._app, self._daemon, self._models = served, app, daemon, models

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        current = self._daemon.application
        if current is not self._app:
            self._app = current
            self._models.follow(_platforms(current))
        await self._served(scope, receive, send)


def _platforms(app: Application) -> dict[str, Any]:
    return {name: app.platform(name) for name in app.settings.assistants}


def _api(here: Surroundings, models: ModelServer) -> FastAPI:
    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await here.metrics.refresh()
        yield

    api = FastAPI(
        title="retrainer",
        version=__version__,
        description="Keeps Rasa models fresh, and never makes one worse.",
        docs_url=None,  # the pages load scripts from elsewhere
        redoc_url=None,
        lifespan=life,
        exception_handlers={
            RetrainerError: _failed,
            RequestValidationError: _not_understood,
            HTTPException: _not_served,
            Exception: _broken,
        },
    )
    api.state.surroundings = here
    for path, endpoint, document, summary in (
        ("/healthz", _healthz, HealthDocument, "Whether the daemon lives"),
        ("/readyz", _readyz, ReadinessDocument, "Whether the daemon does its work"),
    ):
        answers = failures(421) | {503: {"model": document, "description": "It does not"}}
        api.add_api_route(
            path, endpoint, response_model=document, responses=answers, summary=summary
        )
        api.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    api.add_api_route(
        "/metrics",
        _metrics,
        response_class=Response,
        responses=EVERYWHERE() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        summary="Figures for Prometheus",
    )
    for router in (reading.router, acting.router, acting.hooks):
        api.include_router(router)
    api.router.routes.extend(models.routes)
    return api


async def _healthz(here: Here) -> Response:
    """Whether the daemon lives; asks for no token."""
    health, now = here.daemon.health, here.app.clock.now()
    found = liveness(health, started_at=here.started_at, now=now)
    status = "ok" if found.good else "hung"
    document = {"status": status, "reason": found.reason, "version": __version__}
    return Json(document, 200 if found.good else 503)


async def _readyz(here: Here) -> Response:
    """Whether the daemon does its work now; asks for no token."""
    health, now = here.daemon.health, here.app.clock.now()
    found = readiness(health, started_at=here.started_at, now=now)
    leader = describe(health.leader) if health.leader else None
    document = {"ready": found.good, "reason": found.reason, "leader": leader}
    return Json(document, 200 if found.good else 503)


async def _metrics(here: Here, caller: Reader) -> Response:
    """What is counted and measured, see the HELP lines."""
    del caller
    return Response(await here.metrics.scrape(), headers={"Content-Type": metrics.CONTENT_TYPE})


async def _failed(request: Request, error: Exception) -> Response:
    del request
    if not isinstance(error, RetrainerError):
        raise error
    return answer_to(error)


async def _not_understood(request: Request, error: Exception) -> Response:
    """What was sent is not shown: it may hold a secret that was put in the wrong place."""
    del request
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors()[:5]
    ]
    return refusal(422, "; ".join(problems), "GET /openapi.json describes what may be sent")


async def _not_served(request: Request, error: Exception) -> Response:
    """There is no such path, or it is not to be used so."""
    if not isinstance(error, HTTPException):
        raise error
    sentence = f"{request.method} {request.url.path} is not served here"
    if error.status_code == 404:  # noqa: PLR2004 - Not Found
        return answer_to(NotServed(sentence, tip="GET /openapi.json lists what is"))
    if error.status_code == 400:  # noqa: PLR2004 - Bad Request: the body is no JSON at all
        return refusal(422, str(error.detail))
    return refusal(error.status_code, sentence, None, error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    del request, error  # it is logged with its traceback
    return refusal(500, "this is a bug in retrainer", "please report it with the lines of its log")


def _serve(server: uvicorn.Server, listening: socket.socket) -> None:
    try:
        server.run(sockets=[listening])
    finally:
        if not server.should_exit:
            _log.error("the HTTP side ended; the daemon goes on without it until it is restarted")
