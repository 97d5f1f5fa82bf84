"""Models for Rasa servers to pull, on a path of our own and on those of Rasa X."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial, wraps

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from retrainer import __version__
from retrainer.errors import ModelNotFound, RetrainerError
from retrainer.ports import Clock, Platform
from retrainer.web.access import AccessDenied, require_token
from retrainer.web.archives import Archive
from retrainer.web.conditions import UnsatisfiableRange, is_current, part_of
from retrainer.web.failures import TooManyFailures
from retrainer.web.following import Shelf

CHAMPION = "champion"
#: What the model that serves is called in Rasa X, and was in 2018.
TAGS = ("production", "active", CHAMPION)
#: The project of a Rasa X where nobody made another.
_DEFAULT = "default"
#: Bytes that a download holds in memory at a time.
_PIECE = 128 * 1024

_Endpoint = Callable[[Request], Awaitable[Response]]


class ModelServer:
    """The models of some assistants by HTTP; `routes` may be mounted anywhere.

    Without `token` everybody may read; `admit` decides instead, and raises AccessDenied or
    TooManyFailures. `rasa_x_assistant` is the one that Rasa X's own addresses,
    which name none, stand for; not needed if there is only one.
    """

    def __init__(
        self,
        platforms: Mapping[str, Platform],
        *,
        clock: Clock,
        tell: Callable[[str], None],
        token: str | None = None,
        admit: Callable[[Request], None] | None = None,
        rasa_x_assistant: str | None = None,
    ) -> None:
        self._clock, self._tell = clock, tell
        self._admit = admit or partial(require_token, token=token)
        self._rasa_x_assistant = rasa_x_assistant
        self.follow(platforms)

    def follow(self, platforms: Mapping[str, Platform]) -> None:
        """Serve the models of these assistants from now on; downloads that run go on."""
        self._shelves = {
            assistant: Shelf(assistant, platform, clock=self._clock, tell=self._tell)
            for assistant, platform in platforms.items()
        }
        only = next(iter(platforms)) if len(platforms) == 1 else None
        self._only, self._default = only, self._rasa_x_assistant or only

    @property
    def routes(self) -> list[Route]:
        """Every path that a model is found at; HEAD is answered wherever GET is."""
        by_name = self._guarded(self._by_name)
        by_tag = self._guarded(self._by_tag)
        tagged = ("/api/models/tags/{tag}", "/api/projects/{project}/models/tags/{tag}")
        return [
            Route("/models/{assistant}/{alias}", by_name),
            *(Route(prefix + path, by_tag) for prefix in ("", "/{assistant}") for path in tagged),
        ]

    async def look(self) -> None:
        """Look for every champion now, so that the first poll is quick and problems show."""
        looks = [shelf.champion() for shelf in self._shelves.values()]
        for outcome in await asyncio.gather(*looks, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, RetrainerError):
                raise outcome  # a RetrainerError was told of

    def _guarded(self, endpoint: _Endpoint) -> _Endpoint:
        """The endpoint for those who have the token, with each failure as JSON."""

        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            try:
                self._admit(request)
                return await endpoint(request)
            except AccessDenied as error:
                return failure(401, error, {"WWW-Authenticate": "Bearer"})
            except TooManyFailures as error:
                return failure(429, error, {"Retry-After": str(error.retry_after)})
            except ModelNotFound as error:
                return failure(404, error)
            except RetrainerError as error:
                return failure(503, error, {"Retry-After": "5"})

        return guarded

    async def _by_name(self, request: Request) -> Response:
        assistant, alias = request.path_params["assistant"], request.path_params["alias"]
        shelf = self._shelf(assistant)
        if alias == CHAMPION:
            return _answer(request, _champion(assistant, await shelf.champion()))
        archive = await shelf.named(alias)
        if archive is None:
            raise ModelNotFound(
                f"{assistant} has no model {alias!r}",
                tip=f"ask for {CHAMPION!r}, or for a model that `retrainer models` lists",
            )
        return _answer(request, archive)

    async def _by_tag(self, request: Request) -> Response:
        tag = request.path_params["tag"]
        assistant = request.path_params.get("assistant") or self._assistant_of(
            request.path_params.get("project", _DEFAULT)
        )
        shelf = self._shelf(assistant)
        if tag not in TAGS:
            raise ModelNotFound(f"there is no tag {tag!r}; known are {', '.join(TAGS)}")
        return _answer(request, _champion(assistant, await shelf.champion()))

    def _assistant_of(self, project: str) -> str:
        """Which assistant a project of Rasa X stands for."""
        if project in self._shelves:
            return project
        assistant = self._default if project == _DEFAULT else self._only
        if assistant is None:
            raise ModelNotFound(
                f"the project {project!r} may be any of {len(self._shelves)} assistants: "
                f"{', '.join(self._shelves)}",
                tip="put the assistant before the path, as /ASSISTANT/api/..., or set "
                f"`rasa_x_assistant` in [http], which the project {_DEFAULT!r} then stands for",
            )
        return assistant

    def _shelf(self, assistant: str) -> Shelf:
        if assistant not in self._shelves:
            raise ModelNotFound(
                f"there is no assistant {assistant!r}; known are {', '.join(self._shelves)}"
            )
        return self._shelves[assistant]


def failure(
    code: int, error: RetrainerError, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """What went wrong, in the form that Rasa and Rasa X say it in."""
    document: dict[str, object] = {
        "version": __version__,
        "status": "failure",
        "message": error.message,
        "reason": type(error).__name__,
        "details": {},
        "help": error.tip,
        "code": code,
    }
    return JSONResponse(document, code, headers)


def _champion(assistant: str, archive: Archive | None) -> Archive:
    if archive is None:
        raise ModelNotFound(
            f"{assistant} has no champion yet",
            tip="run a cycle with `retrainer run-once`, or choose a model with `retrainer promote`",
        )
    return archive


def _answer(request: Request, archive: Archive) -> Response:
    """The archive, or the part of it that is asked for, or that the client has it already."""
    headers = {"ETag": archive.etag, "Cache-Control": "private, no-cache"}
    if is_current(", ".join(request.headers.getlist("If-None-Match")), archive.etag):
        return Response(status_code=304, headers=headers)
    file = re.sub(r"[^A-Za-z0-9._-]", "_", f"{archive.name}.tar.gz")
    headers |= {
        "Accept-Ranges": "bytes",
        "filename": file,  # Rasa names its copy so, and shows it in /status
        "Content-Disposition": f'attachment; filename="{file}"',
    }
    if request.method == "HEAD":
        headers["Content-Length"] = str(archive.size)
        return Response(headers=headers, media_type="application/gzip")
    wanted = request.headers.get("Range"), request.headers.get("If-Range")
    try:
        part = part_of(archive.size, archive.etag, *wanted)
    except UnsatisfiableRange:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{archive.size}"})
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{archive.size}"
    status, part = (200, range(archive.size)) if part is None else (206, part)
    headers["Content-Length"] = str(len(part))
    return StreamingResponse(_pieces(archive, part), status, headers, "application/gzip")


async def _pieces(archive: Archive, part: range) -> AsyncIterator[bytes]:
    """The bytes, a piece at a time; the archive stays open meanwhile."""
    for start in range(part.start, part.stop, _PIECE):
        yield await run_in_threadpool(archive.read, start, min(_PIECE, part.stop - start))
