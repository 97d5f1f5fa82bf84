"""The contract of action servers, on the fake and on the adapter, with a real server behind it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.action_server_contract import ActionServerContract
from support.action_server import action_server
from support.http_server import HttpServer, hangs_after_headers, sends
from support.rasa_run import free_port

from retrainer.adapters.action_server import HttpActionServer
from retrainer.errors import ServerError
from retrainer.testing.actions import FakeActionServer


class TestFakeActionServer(ActionServerContract):
    """The fake that other tests rely on."""

    @pytest.fixture
    def server(self) -> FakeActionServer:
        """A fake that runs two actions."""
        return FakeActionServer("validate_form", "action_pay", "action_pay")

    @pytest.fixture
    def away(self) -> FakeActionServer:
        """A fake that does not answer."""
        fake = FakeActionServer()
        fake.failure = ServerError("nobody listens there")
        return fake


@pytest.fixture(scope="module")
def url(rasa_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server of the Rasa SDK for all tests."""
    with action_server(rasa_python, tmp_path_factory.mktemp("actions")) as address:
        yield address


@pytest.mark.rasa
class TestRasaSdk(ActionServerContract):
    """The adapter, asking a server of the Rasa SDK."""

    @pytest.fixture
    def server(self, url: str) -> HttpActionServer:
        """By the address that stands in Rasa's endpoints.yml."""
        return HttpActionServer(f"{url}/webhook")

    @pytest.fixture
    def away(self) -> HttpActionServer:
        """Nobody listens."""
        return HttpActionServer(f"http://127.0.0.1:{free_port()}", timeout=0.5)


@pytest.mark.parametrize("path", ["", "/", "/webhook", "/webhook/"])
def test_the_address_may_be_that_of_the_webhook(path: str):
    """What stands in endpoints.yml can be copied as it is."""
    with HttpServer() as server:
        server.answers = [sends(200, json.dumps([{"name": "b"}, {"name": "a"}]).encode())]
        assert HttpActionServer(server.url + path).actions() == ("a", "b")
        assert [(asked.method, asked.target) for asked in server.asked] == [("GET", "/actions")]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (sends(404, b"not here"), r"/actions answered 404: not here"),
        (sends(500, b'{"error": "broken"}'), "answered 500: broken"),
        (sends(302, b"", Location="/login"), "redirected more than 5 times"),
        (sends(200, b"<html>hello</html>"), "with a web page, JSON is needed"),
        (sends(200, b""), "with nothing, JSON is needed"),
        (sends(200, b'{"name": "a"}'), "something else than a list of named actions"),
        (sends(200, b'["a"]'), "something else than a list of named actions"),
        (sends(200, b'[{"name": "a"}, {"name": 3}]'), "something else than a list of named"),
        (sends(200, b"[[[[" * 100_000), "JSON is needed"),
        (hangs_after_headers, "no answer within 0.5 s"),
    ],
    ids=[
        "404",
        "500",
        "redirects",
        "page",
        "nothing",
        "object",
        "names",
        "number",
        "deep",
        "hangs",
    ],
)
def test_what_is_no_list_of_actions(answer, complaint):
    """Another server, a proxy or a hanging one is an error that says what came, never a list."""
    with HttpServer() as server:
        server.answers = [answer]
        with pytest.raises(ServerError, match=complaint):
            HttpActionServer(server.url, timeout=0.5).actions()


def test_a_server_that_runs_nothing():
    """An empty list is a list."""
    with HttpServer() as server:
        server.answers = [sends(200, b"[]")]
        assert HttpActionServer(server.url).actions() == ()
