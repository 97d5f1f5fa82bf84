"""The server as an ASGI application: finds the operation, checks who asks, answers, checks that."""

import re
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from support.rasa_x import (
    assistant_routes,
    credentials,
    evaluation_routes,
    inbox_routes,
    model_routes,
    nlu_routes,
    status_routes,
)
from support.rasa_x.conformance import faults_of_call, faults_of_reply
from support.rasa_x.description import exists
from support.rasa_x.description_data import OPERATIONS
from support.rasa_x.exchange import (
    FORBIDDEN,
    HTML,
    Call,
    Refusal,
    Reply,
    Upload,
    failure,
    schema_failure,
)
from support.rasa_x.world import World

Handler = Callable[[World, Call], Reply]

HANDLERS: Mapping[str, Handler] = (
    status_routes.HANDLERS
    | model_routes.HANDLERS
    | evaluation_routes.HANDLERS
    | nlu_routes.HANDLERS
    | assistant_routes.HANDLERS
    | inbox_routes.HANDLERS
)

_WEB_PAGE = Reply(
    200, b"<!DOCTYPE html><html><head><title>Rasa X</title></head><body></body></html>", HTML
)
_VARIABLE = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that was answered; `operation` is empty for what the server does not have."""

    method: str
    path: str
    query: Mapping[str, str]
    status: int
    operation: str


@dataclass
class Record:
    """What happened so far.

    `violations` are breaches of the description by the client, `mistakes` those by the server
    itself, and its crashes.
    """

    seen: list[Seen] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Application:
    """Answers requests from a world."""

    def __init__(self, world: World) -> None:
        self.world, self.record = world, Record()
        self._routes = list(_routes(world))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        name, params, known_path = self._find(request)
        try:
            async with _read(request, params) as call:
                reply = await run_in_threadpool(self._answer, name, call, known_path=known_path)
        except ClientDisconnect:
            return
        except MultiPartException as error:
            reply = schema_failure(400, "BadRequest", error.message)
        query = dict(request.query_params)
        with self.record.lock:
            self.record.seen.append(
                Seen(request.method, request.url.path, query, reply.status, name)
            )
        await _response(reply)(scope, receive, send)

    def _find(self, request: Request) -> tuple[str, dict[str, str], bool]:
        """The operation's name, the variables of its path, and whether any has this path."""
        raw = request.scope["raw_path"].decode("ascii")
        known = False
        for method, pattern, name in self._routes:
            found = pattern.fullmatch(raw)
            known = known or bool(found)
            if found and method == request.method:
                return name, {k: unquote(v) for k, v in found.groupdict().items()}, True
        return "", {}, known

    def _answer(self, name: str, call: Call, *, known_path: bool) -> Reply:
        if not name:
            return self._unknown(call, known_path=known_path)
        violations = list(faults_of_call(name, call))
        try:
            reply = self._guarded(name, call)
        except Refusal as refusal:
            reply = refusal.reply
        except Exception:  # noqa: BLE001 - told at the end of the test
            with self.record.lock:
                self.record.mistakes.append(traceback.format_exc())
            return failure(500, "InternalServerError", "An unexpected error occurred.")
        mistakes = list(faults_of_reply(name, call, reply))
        with self.record.lock:
            self.record.violations += violations
            self.record.mistakes += mistakes
        return reply

    def _guarded(self, name: str, call: Call) -> Reply:
        operation, switches = OPERATIONS[name], self.world.switches
        if not operation.public:
            credentials.require_known(
                call,
                switches,
                api_token=operation.api_token,
                service_token=operation.service_token,
            )
        if name in switches.forbidden:
            return FORBIDDEN
        if call.params.get("project", "default") != "default":
            message = f"Project '{call.params['project']}' was not found."
            return failure(404, "ProjectNotFound", message)
        return HANDLERS[name](self.world, call)

    def _unknown(self, call: Call, *, known_path: bool) -> Reply:
        """A path that this server does not have; outside its API the web interface answers."""
        if not f"{call.path}/".startswith("/api/") or self.world.switches.unknown_route_is_page:
            return _WEB_PAGE
        if known_path:
            return failure(405, "MethodNotSupported", f"Method {call.method} is not allowed.")
        return failure(404, "NotFound", f"Requested URL {call.path} not found.")


def _routes(world: World) -> list[tuple[str, re.Pattern[str], str]]:
    """Those of the era; a path without variables goes before one with."""
    found = [
        (operation.method, path, name)
        for name, operation in OPERATIONS.items()
        for path, trait in operation.routes.items()
        if exists(trait, world.era)
    ]
    found.sort(key=lambda route: [part.startswith("{") for part in route[1].split("/")])
    return [
        (method, re.compile(_VARIABLE.sub(r"(?P<\1>[^/]+)", re.escape("/api" + path))), name)
        for method, path, name in found
    ]


@asynccontextmanager
async def _read(request: Request, params: Mapping[str, str]) -> AsyncIterator[Call]:
    """The request as a call; its files are gone after the block."""
    call = Call(
        method=request.method,
        path=request.url.path,
        params=params,
        query=dict(request.query_params),
        headers=dict(request.headers),
    )
    if call.media_type != "multipart/form-data":
        yield replace(call, body=await request.body())
        return
    async with request.form() as form:
        files = {
            name: Upload(part.filename or "", part.file)
            for name, part in form.items()
            if isinstance(part, UploadFile)
        }
        yield replace(call, form=files)


def _response(reply: Reply) -> Response:
    headers = dict(reply.headers)
    if isinstance(reply.body, Path):
        return FileResponse(reply.body, reply.status, headers, reply.media_type)
    if isinstance(reply.body, bytes):
        return Response(reply.body, reply.status, headers, reply.media_type)
    return StreamingResponse(reply.body, reply.status, headers, reply.media_type)
