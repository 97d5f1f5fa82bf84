"""The platform `rasa_server` with two real Rasa servers."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.archives import write_rasa_model
from support.rasa_projects import DOMAIN, STORIES, write_project
from support.rasa_run import RasaServer as RasaRun
from support.rasa_run import pulling, rasa_server

from retrainer.adapters.files import sha256
from retrainer.adapters.model_archive import read_metadata
from retrainer.adapters.rasa_client import RasaClient
from retrainer.adapters.rasa_server.fleet import Fleet, FleetOptions
from retrainer.adapters.rasa_server.platform import RasaServerPlatform
from retrainer.adapters.rasa_server.server import RasaServer, ServerOptions
from retrainer.domain.cycle import Model
from retrainer.domain.examples import Example, MustPass
from retrainer.domain.predictions import Prediction
from retrainer.errors import PlatformError, PlatformNotReady, ServerError
from retrainer.pipeline import by_hand
from retrainer.pipeline.world import Desk
from retrainer.testing.clock import FakeClock
from retrainer.testing.stores import FakeRunStore

pytestmark = pytest.mark.rasa

TOKEN, SECRET = "open sesame", "a secret of more than thirty-two characters"

NLU = """
version: "3.1"
nlu:
  - intent: greet
    examples: |
      - hello
      - hi there
      - good morning
      - hey
  - intent: bye
    examples: |
      - bye
      - good bye
      - see you later
      - until tomorrow
  - intent: order
    examples: |
      - I want a pizza
      - bring me two burgers please
      - order soup for me
  - intent: faq/hours
    examples: |
      - when are you open
      - what are your opening hours
  - intent: faq/place
    examples: |
      - where are you
      - what is your address
"""
#: A model that answers nothing to a greeting.
SILENT = STORIES.replace("{intent: greet}, {action: utter_greet}", "{intent: greet}")

GREETING = MustPass(Example("good morning", "greet"))


class ModelServer(ThreadingHTTPServer):
    """What Rasa pulls from: the archive that `platform` says is active, with its ETag."""

    daemon_threads = True
    platform: Any = None

    @property
    def url(self) -> str:
        """Where the champion is."""
        return f"http://127.0.0.1:{self.server_port}/champion"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            platform = self.server.platform  # type: ignore[attr-defined]
            name = platform.active() if platform else None
            if name is None:
                return self._send(404)
            archive = platform.fetch(name)
            etag = f'"{sha256(archive)}"'
            if self.headers["If-None-Match"] == etag:
                return self._send(304)
            return self._send(200, archive.read_bytes(), ETag=etag, filename=f"{name}.tar.gz")

        def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for header, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Say nothing."""


@dataclass
class Premises:
    """Two servers: `follower` pulls the champion by itself, `told` has to be told what to load."""

    models: dict[str, tuple[Model, Path]]
    pulled: ModelServer
    follower: RasaRun
    told: RasaRun
    folder: Path

    def server(self, run: RasaRun) -> dict[str, str]:
        """A server as the config has it."""
        return {"url": run.url} | ({"token": run.token} if run.token else {})

    def platform(self, *servers: RasaRun, **options: Any) -> RasaServerPlatform:
        """A platform of its own registry with all models in it, none of them active."""
        options.setdefault("confirm_within", 60.0)
        options.setdefault("timeout", 10.0)
        made = RasaServerPlatform.from_options(
            RasaServerPlatform.Options(
                servers=tuple(self.server(server) for server in servers), **options
            ),
            folder=self.folder / str(len(list(self.folder.iterdir()))),
        )
        for model, archive in self.models.values():
            made.upload(model, archive)
        self.pulled.platform = made
        return made

    def serves(self, run: RasaRun) -> str | None:
        """The name of the model whose id the server reports."""
        server = RasaServer(ServerOptions(**self.server(run)), timeout=10.0)
        loaded = server.status()
        ids = {self.id(name): name for name in self.models}
        return ids.get(str(loaded.id)) if loaded else None

    def id(self, name: str) -> str:
        """The id that Rasa gave the model."""
        return str(read_metadata(self.models[name][1])["model_id"])


@pytest.fixture(scope="module")
def premises(
    rasa: RasaClient, rasa_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Premises]:
    folder = tmp_path_factory.mktemp("servers")
    models = {}
    for number, (name, stories) in enumerate(
        (("first", STORIES), ("second", STORIES), ("silent", SILENT))
    ):
        project = write_project(folder / name, nlu=NLU, domain=DOMAIN, stories=stories)
        if name == "second":
            nlu = NLU.replace("- hey", "- hey\n      - howdy partner")
            (project.data[0] / "nlu.yml").write_text(nlu, encoding="utf-8")
        archive = rasa.train(project, name, folder, lambda _: None)
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
        size = archive.stat().st_size
        models[name] = Model(name, sha256(archive), size, rasa.versions().rasa, at), archive
    pulled = ModelServer(("127.0.0.1", 0), ModelServer.Handler)
    thread = Thread(target=pulled.serve_forever, args=(0.05,))
    thread.start()
    follows = rasa_server(rasa_python, folder / "run-follower", endpoints=pulling(pulled.url))
    jwt = ("--jwt-secret", SECRET)
    is_told = rasa_server(rasa_python, folder / "run-told", token=TOKEN, arguments=jwt)
    (folder / "registries").mkdir()
    try:
        with follows as follower, is_told as told:
            yield Premises(models, pulled, follower, told, folder / "registries")
    finally:
        pulled.shutdown()
        thread.join()
        pulled.server_close()


def desk(platform: RasaServerPlatform) -> Desk:
    clock = FakeClock()
    return Desk("shop", clock, platform, FakeRunStore(clock))


def activate(platform: RasaServerPlatform, name: str, **confirming: Any) -> None:
    platform.activate(name, expected=platform.active())
    platform.confirm(name, **confirming)


def test_two_servers_follow_a_promotion_and_a_rollback(premises):
    """Told to follow the model server, or following by itself: both serve what is promoted."""
    block = {"url": premises.pulled.url, "wait_time_between_pulls": 1}
    platform = premises.platform(
        premises.follower,
        premises.told,
        activation="model_server",
        model_server=block,
        smoke=("hello",),
    )
    platform.require_ready("3.6.21")
    table = desk(platform)
    by_hand.promote(table, "first", actor="ada", note="")
    by_hand.promote(table, "second", actor="ada", note="")
    assert [premises.serves(run) for run in (premises.follower, premises.told)] == ["second"] * 2
    platform.confirm("second", must_pass=(GREETING,))
    by_hand.rollback(table, actor="ada", note="")
    assert [premises.serves(run) for run in (premises.follower, premises.told)] == ["first"] * 2


def test_servers_that_pull_need_nobody_to_tell_them(premises):
    """With activation = "pull" moving the pointer is all, and each server is waited for."""
    platform = premises.platform(premises.follower, smoke=("hello",))
    activate(platform, "first", must_pass=(GREETING,))
    activate(platform, "second", must_pass=(GREETING,))
    assert premises.serves(premises.follower) == "second"


def test_a_smoke_failure_is_rolled_back(premises):
    """A model that answers nothing is taken back, the one before is confirmed, and people read why."""
    platform = premises.platform(premises.told, activation="file", smoke=("hello",))
    table = desk(platform)
    by_hand.promote(table, "first", actor="ada", note="")
    with pytest.raises(PlatformError, match=r"first is back: .* no answer to the smoke .*'hello'"):
        by_hand.promote(table, "silent", actor="ada", note="")
    assert (platform.active(), premises.serves(premises.told)) == ("first", "first")
    platform.confirm("first")


def test_a_model_that_a_server_cannot_load_is_taken_back(premises, tmp_path):
    """An archive that only looks like a model is refused by the server, which keeps its own."""
    platform = premises.platform(premises.told, activation="file")
    broken, archive = write_rasa_model(tmp_path, "broken")
    platform.upload(broken, archive)
    table = desk(platform)
    by_hand.promote(table, "first", actor="ada", note="")
    with pytest.raises(PlatformError, match=r"did not load broken: .*could not be loaded"):
        by_hand.promote(table, "broken", actor="ada", note="")
    assert (platform.active(), premises.serves(premises.told)) == ("first", "first")


def test_an_archive_that_is_no_model_is_never_made_active(premises, tmp_path):
    """What is cut off before it was stored does not get as far as a server."""
    platform = premises.platform(premises.told, activation="file")
    activate(platform, "first")
    model, archive = premises.models["second"]
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[:-100])
    size = cut.stat().st_size
    platform.upload(replace(model, name="cut", sha256=sha256(cut), size=size), cut)
    with pytest.raises(PlatformError, match="damaged, or no Rasa model"):
        platform.activate("cut", expected="first")
    assert (platform.active(), premises.serves(premises.told)) == ("first", "first")


def test_an_utterance_that_the_live_server_does_not_understand_is_rolled_back(premises):
    """What the model passed when it was evaluated has to be understood where users are."""
    platform = premises.platform(premises.told, activation="file")
    activate(platform, "first")
    wrong = MustPass(Example("good bye", "order"))
    platform.activate("second", expected="first")
    with pytest.raises(PlatformError, match=r"1 of the 2 must-pass .* as bye instead of order"):
        platform.confirm("second", must_pass=(GREETING, wrong))


def test_models_of_its_own_in_endpoints_are_explained(premises):
    """A server that says 204 and keeps its own model is found out, and the cause is named."""
    platform = premises.platform(premises.follower, activation="file", confirm_within=2.0)
    other = premises.platform(premises.follower)
    activate(other, "first")
    platform.activate("second", expected=None)
    with pytest.raises(
        PlatformError, match=r"serves first.tar.gz .* second .* `models:`"
    ) as caught:
        platform.confirm("second")
    assert "endpoints.yml" in str(caught.value.tip)
    assert premises.serves(premises.follower) == "first"


@pytest.mark.parametrize(
    ("who", "known"),
    [
        ({"token": TOKEN}, True),
        ({"jwt_secret": SECRET}, True),
        ({"token": "wrong", "jwt_secret": SECRET}, True),
        ({"token": TOKEN, "jwt_secret": "wrong"}, True),
        ({"token": "wrong"}, False),
        ({"jwt_secret": "wrong"}, False),
        ({}, False),
    ],
)
def test_a_server_that_asks_who_asks(premises, who, known):
    """A token or a signed JWT opens the server; without one, one clear error with no secret in it."""
    server = RasaServer(ServerOptions(url=premises.told.url, **who), timeout=10.0)
    if known:
        assert server.version().version == "3.6.21"
        server.status()
        return
    with pytest.raises(ServerError, match="401: User is not authenticated") as caught:
        server.status()
    assert caught.value.status == 401
    assert "check `token`" in str(caught.value.tip)
    assert "wrong" not in f"{caught.value} {caught.value.tip}"
    options = FleetOptions(servers=({"url": premises.told.url, **who},))
    with pytest.raises(PlatformNotReady, match="401"):
        Fleet(options).require_ready("3.6.21")


def test_a_server_that_is_down_holds_or_is_left_behind(premises, caplog):
    """By default nothing is changed; by choice the others go on, and it is said which one is down."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        down = replace(premises.told, url=f"http://127.0.0.1:{gone.getsockname()[1]}")
    table = {"activation": "file", "timeout": 1.0}
    holding = premises.platform(premises.told, down, **table)
    with pytest.raises(PlatformNotReady, match=rf"{down.url}.*nobody listens") as caught:
        holding.activate("first", expected=None)
    assert 'unreachable = "promote"' in str(caught.value.tip)
    assert holding.active() is None
    going_on = premises.platform(premises.told, down, unreachable="promote", **table)
    activate(going_on, "second")
    assert premises.serves(premises.told) == "second"
    assert f"without a server that is down: GET {down.url}" in caplog.text


def test_a_live_server_is_judged_as_the_model_was(rasa, diet_model, premises):
    """Entities with roles, retrieval intents and fallbacks count the same over HTTP and in a worker."""
    server = RasaServer(ServerOptions(**premises.server(premises.told)), timeout=60.0)
    texts = [
        "from Berlin to Paris",
        "a pizza from Naples",
        "bring me two burgers please",
        "when are you open",
        "what is your address",
        "xyzzy",
    ]
    answers = []
    for archive in (diet_model, premises.models["first"][1]):
        server.load({"model_file": str(archive)}, limit=120)
        live = [server.parse(text, limit=60) for text in texts]
        trained = rasa.predict(archive, texts, lambda _: None)
        assert [rounded(answer) for answer in live] == [rounded(answer) for answer in trained]
        answers += live
    assert "nlu_fallback" in {answer.served_intent for answer in answers}
    assert "faq/hours" in {answer.response for answer in answers}
    assert any(entity.role for answer in answers for entity in answer.entities)


def rounded(answer: Prediction) -> Prediction:
    """The answer with confidences that are the same however the texts were put together."""
    return replace(
        answer,
        confidence=round(answer.confidence, 3),
        served_confidence=round(answer.served_confidence, 3),
        ranking=tuple((intent, round(value, 3)) for intent, value in answer.ranking),
    )
