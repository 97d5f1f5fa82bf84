"""A Slack on loopback: it checks messages as Slack does, and fails in every way that Slack may."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.loopback import LoopbackServer

TOKEN = "xoxb-SECRET-TOKEN"
WEBHOOK_PATH = "/services/T0SECRET/B0SECRET/XXSECRETXX"
CHANNEL = "#assistants"
#: Not documented; seen by users of chat.postMessage.
MOST_CHARACTERS = 13_200


def problem_with(message: dict[str, Any]) -> str | None:
    """The name of Slack's error for a message that it would refuse; None for a good one."""
    blocks = message.get("blocks", [])
    if not message.get("text") and not blocks:
        return "no_text"
    if len(message.get("text", "")) > 4_000:
        return "msg_too_long"
    if not isinstance(blocks, list) or len(blocks) > 50 or not all(map(_is_valid, blocks)):
        return "invalid_blocks"
    if len(json.dumps(blocks, ensure_ascii=False)) > MOST_CHARACTERS:
        return "msg_blocks_too_long"
    return None


def _is_valid(block: dict[str, Any]) -> bool:
    match block:
        case {"type": "header", "text": {"type": "plain_text"} as text, **rest}:
            return not rest and _is_text(text, 150)
        case {"type": "section", "text": {"type": "mrkdwn"} as text, **rest}:
            return not rest and _is_text(text, 3_000)
        case {"type": "section", "fields": [_, *_] as fields, **rest}:
            return not rest and len(fields) <= 10 and all(_is_text(f, 2_000) for f in fields)
        case {"type": "context", "elements": [_, *_] as elements, **rest}:
            return not rest and len(elements) <= 10 and all(_is_text(e, 2_000) for e in elements)
    return False


def _is_text(text: dict[str, Any], longest: int) -> bool:
    allowed = {"mrkdwn": {"type", "text", "verbatim"}, "plain_text": {"type", "text", "emoji"}}
    content = text.get("text")
    return (
        set(text) <= allowed.get(text["type"], set())
        and isinstance(content, str)
        and 1 <= len(content) <= longest
        and not any(sign in content for sign in "<>")
    )


class SlackServer(LoopbackServer):
    """`mode` says how it answers; `messages` are those that it took; `requests` counts all.

    Modes: ok, rate_limited, server_error, hang, drip, garbage, html, list, closed, or the name of
    an error of Slack's.
    """

    def __init__(self) -> None:
        self.mode = "ok"
        self.requests = 0
        self.messages: list[dict[str, Any]] = []
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request in the current mode."""
        self.requests += 1
        body = request.rfile.read(int(request.headers["Content-Length"]))
        failures = {
            "hang": lambda: self.stopping.wait(30),
            "drip": lambda: self._drip(request),
            "closed": lambda: None,
            "rate_limited": lambda: self._send(request, 429, b"", {"Retry-After": "30"}),
            "server_error": lambda: self._send(request, 503, b"down for maintenance"),
            "garbage": lambda: self._send(request, 200, b"\xff\xfe\x00 not text"),
            "list": lambda: self._send(request, 200, b"[1]"),
            "html": lambda: self._send(request, 200, b"<p>Cannot POST " + request.path.encode()),
        }
        if self.mode in failures:
            failures[self.mode]()
        elif request.path == WEBHOOK_PATH:
            self._webhook(request, json.loads(body))
        elif request.path == "/api/chat.postMessage":
            self._post_message(request, json.loads(body))
        else:
            self._send(request, 404, b"no_service")

    def _webhook(self, request: BaseHTTPRequestHandler, message: dict[str, Any]) -> None:
        problem = self._problem(message)
        self._send(request, 400 if problem else 200, (problem or "ok").encode())

    def _post_message(self, request: BaseHTTPRequestHandler, message: dict[str, Any]) -> None:
        problem: str | None
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            problem = "invalid_auth"
        elif message.get("channel") != CHANNEL:
            problem = "channel_not_found"
        else:
            problem = self._problem(message)
        answer = {"ok": False, "error": problem} if problem else {"ok": True, "ts": "1.2"}
        self._send(request, 200, json.dumps(answer).encode())

    def _problem(self, message: dict[str, Any]) -> str | None:
        problem = problem_with(message) if self.mode == "ok" else self.mode
        if problem is None:
            self.messages.append(message)
        return problem

    def _drip(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "10000")
        request.end_headers()
        until = time.monotonic() + 30
        while not self.stopping.wait(0.05) and time.monotonic() < until:
            try:
                request.wfile.write(b" ")
            except OSError:
                return

    @staticmethod
    def _send(
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
    ) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


@contextmanager
def slack() -> Iterator[SlackServer]:
    """A server that listens until the end of the block."""
    with SlackServer() as server:
        yield server
