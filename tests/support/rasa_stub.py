"""A Rasa server as far as `retrainer` asks one, on a real socket: quick to start, and able to lie."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.http_server import Answering, Exchange, HttpServer, http_server

from retrainer.adapters.model_archive import read_metadata
from retrainer.errors import ModelArchiveError

#: How Rasa's JSON errors look.
_FAILURE = {"version": "3.6.21", "status": "failure", "details": {}, "help": None}


@dataclass
class StubRasa:
    """A server that knows `PUT /model` with a file, or what the test puts into `loaded`.

    `answers` replaces the answer of a method and path; `follows` is asked for the archive that the
    server has pulled by now. `own_models` is a `models:` in its endpoints.yml: told to load, it
    says 204 and does nothing.
    """

    server: HttpServer
    loaded: dict[str, str] | None = None
    version: str = "3.6.21"
    minimum: str = "3.5.0"
    token: str | None = None
    own_models: bool = False
    said: list[dict[str, Any]] = field(default_factory=lambda: [{"text": "Hello"}])
    parsed: dict[str, Any] = field(
        default_factory=lambda: {"intent": {"name": "greet", "confidence": 0.9}, "entities": []}
    )
    answers: dict[tuple[str, str], Answering] = field(default_factory=dict)
    follows: Any = None

    @property
    def url(self) -> str:
        """Its address."""
        return self.server.url

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Method and path of what it was asked."""
        return [(asked.method, urlsplit(asked.target).path) for asked in self.server.asked]

    @property
    def told(self) -> list[dict[str, Any]]:
        """What it was told to load."""
        return [json.loads(asked.body) for asked in self.server.asked if asked.method == "PUT"]

    def load(self, archive: Path) -> None:
        """Serve this archive."""
        self.loaded = {"model_file": archive.name, "model_id": read_metadata(archive)["model_id"]}

    def answer(self, exchange: Exchange) -> None:
        """Answer the request that came last."""
        asked = self.server.asked[-1]
        url = urlsplit(asked.target)
        if override := self.answers.get((asked.method, url.path)):
            override(exchange)
        elif url.path == "/version":
            _json(exchange, {"version": self.version, "minimum_compatible_version": self.minimum})
        elif url.path == "/webhooks/rest/webhook":
            _json(exchange, self.said)
        elif self.token and parse_qs(url.query).get("token") != [self.token]:
            _failure(exchange, 401, "User is not authenticated.", "NotAuthenticated")
        elif (asked.method, url.path) == ("PUT", "/model"):
            self._put(exchange, json.loads(asked.body))
        elif self._current() is None:
            _failure(exchange, 409, "No agent loaded.", "Conflict")
        elif url.path == "/status":
            _json(exchange, {**(self.loaded or {}), "num_active_training_jobs": 0})
        elif url.path == "/model/parse":
            _json(exchange, self.parsed)
        else:
            exchange.send(404, b"Requested URL not found", Content_Type="text/plain")

    def _current(self) -> dict[str, str] | None:
        if self.follows is not None and (archive := self.follows()) is not None:
            self.load(archive)
        return self.loaded

    def _put(self, exchange: Exchange, body: dict[str, Any]) -> None:
        if not self.own_models:
            try:
                self.load(Path(body["model_file"]))
            except ModelArchiveError:
                return _failure(exchange, 400, "Agent could not be loaded.", "BadRequest")
        return exchange.send(204)


@contextmanager
def stub_rasa(**attributes: Any) -> Iterator[StubRasa]:
    """A stub that listens until the end of the block."""
    with http_server() as server:
        stub = StubRasa(server, **attributes)
        server.answers = [stub.answer]
        yield stub


def _json(exchange: Exchange, content: object) -> None:
    exchange.send(200, json.dumps(content).encode(), Content_Type="application/json")


def _failure(exchange: Exchange, status: int, message: str, reason: str) -> None:
    content = {**_FAILURE, "message": message, "reason": reason, "code": status}
    exchange.send(status, json.dumps(content).encode(), Content_Type="application/json")
