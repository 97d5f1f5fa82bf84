"""What every request passes: the name it asks for, how much it may send, safe headers."""

import asyncio
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrainer.web.answers import refusal

#: Bytes that a body may have; git servers tell of every commit of a push.
SMALL, LARGE = 64 * 1024, 1024 * 1024
#: Paths that a large body may be sent to.
HOOKS = "/hooks/"
#: Seconds that the whole body may take.
PATIENCE = 10.0

_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Edge:
    """An application behind these checks.

    `hosts` are the names that the server may be asked for by; None: any. Where everybody who
    reaches it may read, a web page that makes its own name lead to this machine (DNS rebinding)
    would read too, in the browser of somebody here: the name that the browser sends gives it away.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str] | None) -> None:
        self._app = app
        self._hosts = None if hosts is None else frozenset(name.lower() for name in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SAFE.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        if self._hosts is not None and _host(headers) not in self._hosts:
            answer = refusal(
                421,
                f"this server is not asked for by the name {headers.get('host', '')!r}",
                "as long as it has no tokens it answers to the names of this machine alone, such "
                "as localhost; [http.tokens.NAME] makes it answer to any",
            )
            await answer(scope, receive, safely)
        elif scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, safely)
        else:
            await self._with_body(scope, receive, safely)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = LARGE if scope["path"].startswith(HOOKS) else SMALL
        too_late = False
        try:
            async with asyncio.timeout(PATIENCE):
                body = await _body(scope, receive, most)
        except TimeoutError:
            body, too_late = None, True
        if body is None:
            status, problem = 413, f"the body has more than the {most} bytes that it may have"
            if too_late:
                status, problem = 408, f"the body did not come within {PATIENCE:.0f} s"
            await refusal(status, problem, headers={"Connection": "close"})(scope, receive, send)
            return
        begun = False

        async def replay() -> Message:
            nonlocal begun
            if begun:
                return await receive()
            begun = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


async def _body(scope: Scope, receive: Receive, most: int) -> bytes | None:
    """The whole body; None if it is too large, which is noticed while it comes."""
    length = Headers(scope=scope).get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)  # the client went away
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _host(headers: Headers) -> str:
    """The name without the port."""
    host = headers.get("host", "").lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")
