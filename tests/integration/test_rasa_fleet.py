"""Rasa servers that are slow, wrong, down or lying: small servers on loopback that play them."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.archives import write_rasa_model
from support.http_server import sends
from support.rasa_stub import StubRasa, stub_rasa

from retrainer.adapters.rasa_server.fleet import Fleet, FleetOptions, WantedModel
from retrainer.adapters.rasa_server.platform import RasaServerPlatform
from retrainer.adapters.rasa_server.server import RasaServer, ServerOptions
from retrainer.domain.examples import Example, MustPass
from retrainer.errors import PlatformError, PlatformNotReady, RetrainerError, ServerError

NEW = WantedModel("new", "1" * 32, "new.tar.gz")
LOADED = {"model_file": NEW.file, "model_id": NEW.id}
OLD = {"model_file": "old.tar.gz", "model_id": "0" * 32}
GREETING = MustPass(Example("hi", "greet"), minimum_confidence=0.8)
PAGE = sends(200, b"<html><title>Sign in</title></html>", Content_Type="text/html")
SANIC = sends(500, b"<!DOCTYPE html><title>500 \xe2\x80\x94 Internal Server Error</title>")


@pytest.fixture
def stub() -> Iterator[StubRasa]:
    with stub_rasa(loaded=LOADED) as server:
        yield server


def fleet(*urls: str | StubRasa, **options: Any) -> Fleet:
    options = {"confirm_within": 0.4, "timeout": 0.3, "smoke": ("hello",), **options}
    servers = tuple({"url": url if isinstance(url, str) else url.url} for url in urls)
    return Fleet(FleetOptions(servers=servers, **options))


def test_a_server_that_serves_answers_and_understands_is_confirmed(stub):
    """Status, smoke conversation, must-pass utterances, and status again: nothing else."""
    fleet(stub).confirm(NEW, must_pass=(GREETING,))
    assert stub.calls == [
        ("GET", "/status"),
        ("POST", "/webhooks/rest/webhook"),
        ("POST", "/model/parse"),
        ("GET", "/status"),
    ]


def test_a_server_is_waited_for(stub):
    """A server that pulls takes its time; until then it serves the old model, or none."""
    seen = iter([None, OLD, OLD, LOADED])

    def next_status(exchange):
        stub.loaded = next(seen, LOADED)
        del stub.answers["GET", "/status"]
        stub.answer(exchange)
        stub.answers["GET", "/status"] = next_status

    stub.answers["GET", "/status"] = next_status
    fleet(stub, confirm_within=5.0).confirm(NEW)
    assert stub.calls.count(("GET", "/status")) >= 4


@pytest.mark.parametrize(
    ("loaded", "seen"),
    [
        (OLD, r"serves old.tar.gz \(model_id 0{32}\)"),
        ({**OLD, "model_file": NEW.file}, r"serves new.tar.gz \(model_id 0{32}\)"),
        (None, "serves no model"),
    ],
)
def test_another_model_is_not_confirmed(stub, loaded, seen):
    """Its id says which model it is, not the name of its file; what was expected is said too."""
    stub.loaded = loaded
    with pytest.raises(PlatformError, match=rf"{stub.url} {seen} after 0.4 s, new .*expected"):
        fleet(stub).confirm(NEW)


def test_a_server_without_ids_is_known_by_its_file(stub):
    """Versions before 3 name only the file."""
    stub.loaded = {"model_file": NEW.file, "fingerprint": {}}
    fleet(stub).confirm(NEW)


def test_a_smoke_message_without_an_answer_fails(stub):
    """An empty list is how Rasa says nothing."""
    stub.said = []
    with pytest.raises(PlatformError, match=rf"{stub.url} .* no answer to the smoke .*'hello'"):
        fleet(stub).confirm(NEW)


def test_smoke_messages_are_one_conversation_of_its_own(stub):
    """Each confirmation talks to a bot that does not know it yet."""
    for _ in range(2):
        fleet(stub, smoke=("hello", "bye")).confirm(NEW)
    said = [json.loads(a.body) for a in stub.server.asked if a.target.startswith("/webhooks")]
    assert [one["message"] for one in said] == ["hello", "bye"] * 2
    assert said[0]["sender"] == said[1]["sender"] != said[2]["sender"] == said[3]["sender"]


@pytest.mark.parametrize(
    ("intent", "problem"),
    [
        ({"name": "bye", "confidence": 0.99}, "understood as bye instead of greet"),
        ({"name": "greet", "confidence": 0.5}, "confidence 0.500 is below 0.800"),
        ({"name": "nlu_fallback", "confidence": 0.9}, "understood as nlu_fallback"),
        ({"name": None, "confidence": 0.0}, "understood as nothing"),
    ],
)
def test_a_lying_status_is_found_out_by_what_is_understood(stub, intent, problem):
    """Whatever `/status` says: what the model passed when it was evaluated has to pass there too."""
    ranking = [intent, {"name": "greet", "confidence": 0.3}]
    stub.parsed = {"intent": intent, "entities": [], "intent_ranking": ranking}
    with pytest.raises(PlatformError, match=f"1 of the 1 must-pass .*'hi': {problem}"):
        fleet(stub).confirm(NEW, must_pass=(GREETING,))


@pytest.mark.parametrize(
    "intent", [{"name": "nlu_fallback", "confidence": 0.9}, {"name": None, "confidence": 0.0}]
)
def test_what_must_not_be_understood_may_end_in_the_fallback(stub, intent):
    """An utterance that is to be refused is confirmed by the fallback, and by no intent at all."""
    ranking = [intent, {"name": "greet", "confidence": 0.3}]
    stub.parsed = {"intent": intent, "entities": [], "intent_ranking": ranking}
    fleet(stub).confirm(NEW, must_pass=(MustPass(Example("blah", "nlu_fallback"), 0.8),))


def test_a_server_that_understands_what_it_must_not_is_found_out(stub):
    """What the model refused when it was evaluated has to be refused there too."""
    refused = MustPass(Example("blah", "nlu_fallback"))
    wrong = r"1 of the 1 must-pass .*'blah': understood as greet \(0.900\), it must not be"
    with pytest.raises(PlatformError, match=wrong):
        fleet(stub).confirm(NEW, must_pass=(refused,))


def test_two_servers_behind_one_address_are_found_out(stub):
    """A server that serves another model after the questions than before them is no one server."""

    def changed(exchange):
        stub.loaded = OLD
        exchange.send(200, b'[{"text": "Hello"}]', Content_Type="application/json")

    stub.answers["POST", "/webhooks/rest/webhook"] = changed
    with pytest.raises(PlatformError, match=r"served new and then old.tar.gz") as caught:
        fleet(stub).confirm(NEW)
    assert "load balancer" in str(caught.value.tip)


BROKEN = {
    "page": (PAGE, "a web page, JSON is needed"),
    "sanic": (SANIC, "answered 500: a web page titled '500 — Internal Server Error'"),
    "text": (sends(404, b"Requested URL not found"), "answered 404: Requested URL not found"),
    "shape": (sends(200, b'"fine"'), "'\"fine\"', a JSON object was expected"),
    "nothing": (sends(200), "answered 200 with nothing"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/status"), ("POST", "/model/parse"), ("POST", "/webhooks/rest/webhook")],
)
def test_what_is_no_answer_of_rasa_is_one_clear_error(stub, method, path, kind):
    """Pages of Sanic and of proxies, text and other JSON: each says who answered what, at once."""
    answer, words = BROKEN[kind]
    stub.answers[method, path] = answer
    if kind == "shape" and path.startswith("/webhooks"):
        words = "a list of messages was expected"
    began = time.monotonic()
    with pytest.raises(ServerError) as caught:
        fleet(stub, confirm_within=30.0).confirm(NEW, must_pass=(GREETING,))
    assert f"{method} {stub.url}{path}" in str(caught.value)
    assert words in str(caught.value)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("how", ["hangs", "drips", "closes"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/status"), ("POST", "/model/parse"), ("POST", "/webhooks/rest/webhook")],
)
def test_a_server_that_never_comes_to_an_end_costs_a_bounded_time(stub, method, path, how):
    """Nothing, a byte now and then, or a closed connection: an error in time."""
    ways: dict[str, Callable[[Any], object]] = {
        "hangs": lambda exchange: exchange.hang(),
        "drips": lambda exchange: exchange.drip(b"HTTP/1.1 200 OK\r\nX-Slow: yes\r\n"),
        "closes": lambda exchange: exchange.write(b""),
    }
    stub.answers[method, path] = ways[how]
    began = time.monotonic()
    with pytest.raises(PlatformError, match=r"no answer within|closed the connection"):
        fleet(stub).confirm(NEW, must_pass=(GREETING,))
    assert time.monotonic() - began < 5


def test_questions_without_end_are_cut_off(stub):
    """A server that is slow, but just in time each time, does not keep a cycle for hours."""

    def slow(exchange):
        time.sleep(0.15)
        exchange.send(200, json.dumps(stub.parsed).encode(), Content_Type="application/json")

    stub.answers["POST", "/model/parse"] = slow
    with pytest.raises(PlatformError, match=r"answered \d questions in 0.4 s|no answer within"):
        fleet(stub).confirm(NEW, must_pass=(GREETING,) * 50)


@pytest.mark.parametrize(
    ("version", "minimum", "problem"),
    [
        ("3.6.21", "3.5.0", None),
        ("3.6.2", "3.6.0", None),
        ("3.5.17", "3.5.0", r"is Rasa 3.5.17, it is to serve a model of Rasa 3.6.20"),
        ("3.7.0", "3.5.0", r"is Rasa 3.7.0"),
        ("3.6.21", "3.6.21", r"loads models of 3.6.21 or newer, it is to serve one of 3.6.20"),
    ],
)
def test_versions_have_to_fit(stub, version, minimum, problem):
    """A server loads models of its own minor version, from the oldest that it knows."""
    stub.version, stub.minimum, stub.loaded = version, minimum, None
    if problem is None:
        return fleet(stub).require_ready("3.6.20")
    with pytest.raises(PlatformNotReady, match=problem):
        fleet(stub).require_ready("3.6.20")
    return None


def test_every_server_that_is_not_ready_is_named(stub):
    """One look shows all that has to be mended."""
    with stub_rasa(token="sesame") as closed, stub_rasa(version="3.1.0") as old:
        with pytest.raises(PlatformNotReady) as caught:
            fleet(stub, closed, old, "http://127.0.0.1:1").require_ready("3.6.21")
        for server in (closed.url, old.url, "http://127.0.0.1:1"):
            assert server in str(caught.value)
        assert stub.url not in str(caught.value)


def test_a_server_without_its_api_says_how_to_start_it(stub):
    """`rasa run` without --enable-api knows none of the routes."""
    stub.answers["GET", "/status"] = sends(404, b"Not Found")
    with pytest.raises(PlatformNotReady, match="404") as caught:
        fleet(stub).require_ready("3.6.21")
    assert "--enable-api" in str(caught.value.tip)


def test_by_choice_servers_that_are_down_are_left_behind(stub, caplog):
    """The others are asked; a server that none can reach is said to be left behind."""
    some = fleet("http://127.0.0.1:1", stub, unreachable="promote")
    some.require_ready("3.6.21")
    some.confirm(NEW, must_pass=(GREETING,))
    assert "new is promoted without a server that is down: GET http://127.0.0.1:1" in caplog.text
    assert ("POST", "/model/parse") in stub.calls


def test_no_server_at_all_is_never_enough():
    """A model that nobody serves is not promoted, whatever is chosen."""
    none = fleet("http://127.0.0.1:1", unreachable="promote")
    with pytest.raises(PlatformNotReady, match="nobody listens there"):
        none.require_ready("3.6.21")
    with pytest.raises(PlatformError, match="no server could be asked for new"):
        none.confirm(NEW)


def test_a_server_that_a_promotion_takes_down_is_not_left_behind(stub):
    """What answered before and does not after has the promoted model to blame."""
    with stub_rasa(loaded=LOADED) as other:
        some = fleet(stub, other, unreachable="promote")
        some.require_ready("3.6.21")
        other.answers["GET", "/status"] = sends(503)
        with pytest.raises(
            PlatformError, match=f"{other.url} did not answer .*503.* new .*expected"
        ):
            some.confirm(NEW)


def test_servers_are_told_one_after_the_other(tmp_path):
    """A model that is no good takes down one server, not all; and one that serves is not told."""
    _, archive = write_rasa_model(tmp_path, "bad")
    wanted = WantedModel("bad", "", "")
    with stub_rasa(loaded=OLD, said=[]) as one, stub_rasa(loaded=OLD) as two:
        one.load(archive)
        wanted = WantedModel("bad", one.loaded["model_id"], archive.name)
        one.loaded = OLD
        with pytest.raises(PlatformError, match="no answer to the smoke"):
            fleet(one, two).confirm(wanted, load={"model_file": str(archive)})
        assert (len(one.told), len(two.told)) == (1, 0)
        one.said = [{"text": "Hello"}]
        fleet(one, two).confirm(wanted, load={"model_file": str(archive)})
        assert (len(one.told), len(two.told)) == (1, 1)


def platform(folder: Path, *servers: dict[str, Any], **options: Any) -> RasaServerPlatform:
    options = {"confirm_within": 0.4, "timeout": 0.3, **options}
    made = RasaServerPlatform.from_options(
        RasaServerPlatform.Options(servers=servers, **options), folder=folder / "registry"
    )
    for name in ("one", "two"):
        made.upload(*write_rasa_model(folder, name))
    return made


def test_servers_that_pull_are_followed(tmp_path):
    """The pointer is moved, and servers that pull are waited for until they have the model."""
    with stub_rasa() as stub:
        pulls = platform(tmp_path, {"url": stub.url}, confirm_within=2.0)
        stub.follows = lambda: pulls.fetch(pulls.active()) if pulls.active() else None
        for name in ("one", "two", "one"):
            pulls.activate(name, expected=pulls.active())
            pulls.confirm(name)
        assert stub.told == []
        stub.follows = None
        pulls.activate("two", expected="one")
        with pytest.raises(PlatformError, match="after 2 s, two") as caught:
            pulls.confirm("two")
        assert "wait_time_between_pulls" in str(caught.value.tip)


def test_a_server_that_is_told_in_vain_is_explained(tmp_path):
    """It says 204 and keeps its own model: the `models:` of its endpoints.yml is named."""
    with stub_rasa(loaded=OLD, own_models=True) as stub:
        told = platform(tmp_path, {"url": stub.url}, activation="file")
        told.activate("one", expected=None)
        with pytest.raises(PlatformError, match=r"serves old.tar.gz .* `models:` of its own"):
            told.confirm("one")
        assert stub.told == [{"model_file": str(told.fetch("one"))}]


def test_what_servers_are_told(tmp_path):
    """The archive's path as they see it, or the model server to follow, with its token."""
    with stub_rasa(loaded=OLD, own_models=True) as stub:
        file = platform(tmp_path, {"url": stub.url}, activation="file", path="/mnt/{name}.tgz")
        server = {"url": "http://models/bank/champion", "token": "t0p secret"}
        block = platform(
            tmp_path, {"url": stub.url}, activation="model_server", model_server=server
        )
        for told in (file, block):
            told.activate("one", expected=told.active())
            with pytest.raises(PlatformError, match="one") as caught:
                told.confirm("one")
            assert "t0p" not in f"{caught.value} {caught.value.tip} {told!r} {vars(told)}"
        assert stub.told == [
            {"model_file": "/mnt/one.tgz"},
            {"model_server": {**server, "wait_time_between_pulls": 10}},
        ]


def test_a_server_that_goes_down_does_not_keep_a_bad_model(tmp_path):
    """The way back is open though a server that a promotion needs does not answer any more."""
    with stub_rasa() as stub, stub_rasa() as other:
        told = platform(tmp_path, {"url": stub.url}, {"url": other.url}, activation="file")
        told.activate("one", expected=None)
        told.confirm("one")
        told.activate("two", expected="one")
        other.answers["GET", "/status"] = sends(503)
        with pytest.raises(PlatformError, match=f"{other.url} did not"):
            told.confirm("two")
        with pytest.raises(PlatformNotReady):
            told.require_ready("3.6.21")
        told.activate("one", expected="two")
        assert told.active() == "one"
        with pytest.raises(PlatformError, match=f"{other.url} did not"):
            told.confirm("one")
        assert stub.loaded is not None
        assert stub.loaded["model_file"] == "model.tar.gz"
        with pytest.raises(PlatformNotReady):
            told.activate("two", expected="one")
        assert told.active() == "one"


@pytest.mark.parametrize("shared", [True, False])
def test_no_secret_is_ever_shown(tmp_path, shared):
    """Not in an error of a server that repeats what it was sent, nor in what is printed of it."""
    token, secret = "t0ken value", "jwt-s3cret"
    who = {"token": token, "jwt_secret": secret}
    with stub_rasa() as stub:

        def echo(exchange):
            asked = stub.server.asked[-1]
            said = f"no: {asked.target} {asked.headers.get('Authorization')} {token} {secret}"
            exchange.send(401, json.dumps({"message": said}).encode())

        stub.answers["GET", "/status"] = echo
        own, common = ({}, {f"server_{key}": value for key, value in who.items()})
        if not shared:
            own, common = who, {}
        made = platform(tmp_path, {"url": stub.url, **own}, **common)
        with pytest.raises(RetrainerError) as caught:
            made.require_ready("3.6.21")
        asked = stub.server.asked[-1]
        bearer = asked.headers["Authorization"].removeprefix("Bearer ")
        assert "token=t0ken" in asked.target
        shown = f"{caught.value} {caught.value.tip} {vars(made)} {vars(made._fleet)}"
        for hidden in (token, "t0ken", secret, bearer):
            assert hidden not in shown


def test_a_server_is_asked_as_an_administrator(stub):
    """The signed token holds for a few minutes and says who asks."""
    server = RasaServer(ServerOptions(url=stub.url, jwt_secret="s" * 40), timeout=5.0)
    server.status()
    assert stub.server.asked[-1].headers["Authorization"].count(".") == 2
