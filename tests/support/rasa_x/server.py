"""The server on a real socket of this machine, in a thread of the test."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from support.rasa_x import credentials, inbox_routes
from support.rasa_x.application import Application, Seen
from support.rasa_x.assistant_data import AssistantData, Parts
from support.rasa_x.eras import X_2021, Era
from support.rasa_x.model_store import ModelStore, StoredModel
from support.rasa_x.switches import Switches
from support.rasa_x.world import World

from retrainer.adapters.rasa_client import RasaClient

#: Seconds that requests in the air are given when a server ends.
GRACE = 5.0


class RasaXServer:
    """A running server; see the package for how tests use it."""

    username, password = credentials.USERNAME, credentials.PASSWORD
    api_token, service_token = credentials.API_TOKEN, credentials.SERVICE_TOKEN

    def __init__(self, url: str, application: Application) -> None:
        self.url, self._application = url, application
        world = application.world
        self.era, self.switches, self.data = world.era, world.switches, world.data
        self.store, self.evaluations = world.models, world.evaluations

    def put(self, parts: Parts) -> None:
        """Replace all training data."""
        self.data.put(parts)

    def add_model(self, name: str, archive: Path, *, tag: str = "") -> StoredModel:
        """Store a model as if it had been there for long; zipped archives in 2018."""
        model = self.store.add(name, archive)
        model.calls_until_listed, model.uploaded_at = 0, float("-inf")
        if tag:
            self.store.move_tag(name, tag)
        return model

    def add_message(self, text: str, intent: str, confidence: float = 0.9) -> None:
        """Put a message into the inbox."""
        logs = self.data.logs
        logs.append(inbox_routes.message(len(logs) + 1, text, intent, confidence))

    def tags(self) -> dict[str, set[str]]:
        """The tags of each model."""
        return {model.name: set(model.tags) for model in self.store.all()}

    @property
    def requests(self) -> list[Seen]:
        """Every request that was answered, in order."""
        return list(self._application.record.seen)

    def count(self, operation: str) -> int:
        """How often an operation was asked for, by its name in `description`."""
        return sum(seen.operation == operation for seen in self.requests)

    @property
    def violations(self) -> list[str]:
        """What clients did that the description does not have; tests may clear it."""
        return self._application.record.violations

    def require_conformance(self) -> None:
        """Fail if the client or the server broke the description.

        Raises:
            AssertionError: with each breach.
        """
        record = self._application.record
        assert not record.mistakes, "the server broke its description:\n" + "\n".join(
            record.mistakes
        )
        assert not record.violations, "the client broke the description:\n" + "\n".join(
            record.violations
        )


@contextmanager
def rasa_x(
    folder: Path,
    *,
    era: Era = X_2021,
    parts: Parts | None = None,
    rasa: RasaClient | None = None,
    switches: Switches | None = None,
) -> Iterator[RasaXServer]:
    """A server that listens until the end of the block; `folder` is its storage.

    Raises:
        AssertionError: at the end of a block that did not fail, if a request or a reply broke the
            description.
    """
    credentials.public_key()  # makes the key now, not in several requests at once
    switches = switches or Switches()
    models = ModelStore(folder / "models", era, switches)
    world = World(folder, era, switches, models, AssistantData(), rasa)
    world.data.put(parts or Parts())
    application = Application(world)
    with serving(application) as url:
        server = RasaXServer(url, application)
        yield server
    server.require_conformance()


class _PromptServer(uvicorn.Server):
    """Ends as soon as it can; uvicorn's own takes 0.3 s, and each test has a server of its own."""

    async def main_loop(self) -> None:
        """Serve until `should_exit` is set."""
        while not await self.on_tick(0):  # noqa: ASYNC110 - uvicorn sets a flag, no event
            await asyncio.sleep(0.005)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests in the air come to their end, within `GRACE` seconds."""
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        state, loop = self.server_state, asyncio.get_running_loop()
        for connection in list(state.connections):
            connection.shutdown()
        end = loop.time() + GRACE
        while (state.connections or state.tasks) and loop.time() < end:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        for task in state.tasks:
            task.cancel()


@contextmanager
def serving(application: Application) -> Iterator[str]:
    """Its address, while it listens; requests in the air are given `GRACE` seconds at the end."""
    config = uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = _PromptServer(config)
    # With the protocol named, asyncio sets TCP_NODELAY; each reply takes 40 ms longer without.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread = threading.Thread(target=server.run, args=([listening],), name="rasa-x")
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
        assert not thread.is_alive(), "the server did not stop within 10 s"
