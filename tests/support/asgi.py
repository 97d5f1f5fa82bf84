"""Requests to an ASGI application without a socket."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette


@dataclass(frozen=True)
class Reply:
    """What the application answered; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: The sizes of the pieces that the body came in.
    pieces: tuple[int, ...]


async def request(
    app: Starlette,
    path: str,
    query: str = "",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One request, to its end; the client stays connected."""
    sent: list[dict[str, Any]] = []
    begun = False

    async def receive() -> dict[str, Any]:
        nonlocal begun
        if begun:
            await asyncio.Event().wait()
        begun = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    given = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"models.example"), *given],
        "server": ("127.0.0.1", 5010),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
    }
    await app(scope, receive, send)
    start, *rest = sent
    bodies = [message.get("body", b"") for message in rest]
    return Reply(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(bodies),
        tuple(map(len, bodies)),
    )
