"""The connection to Rasa X: routes of other years, lists in pieces, and what is no list."""

import json
from collections.abc import Iterator

import pytest
from support.http_server import Exchange, HttpServer, http_server, sends
from support.rasa_x import ERAS, Era, rasa_x

from retrainer.adapters.rasa_x.connection import MODELS, MODELS_OF_2018, RasaX
from retrainer.adapters.rasa_x.connection_options import ConnectionOptions
from retrainer.errors import ServerError

NEW, OLD = "/projects/{project}/training_examples", "/projects/{project}/data"
MISSING = sends(404, b'{"message": "not found"}', Content_Type="application/json")
PAGE = sends(200, b"<!DOCTYPE html><html></html>", Content_Type="text/html")


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server() as server:
        yield server


def connection(server: HttpServer, **given: object) -> RasaX:
    plain = {"url": server.url, "api_token": "s3cret", "timeout": 5}
    return RasaX(ConnectionOptions.model_validate(plain | given))


def items(content: object, **headers: str):
    return sends(200, json.dumps(content).encode(), Content_Type="application/json", **headers)


def paths(server: HttpServer) -> list[str]:
    return [asked.target.partition("?")[0] for asked in server.asked]


@pytest.mark.parametrize("missing", [MISSING, sends(405), PAGE], ids=["404", "405", "page"])
def test_the_route_that_is_there_is_found_and_remembered(server: HttpServer, missing):
    """Names of routes changed over the years: each is tried once, then the known one is used."""
    server.answers = [missing, items([1]), items([2])]
    with connection(server) as rasa_x:
        assert rasa_x.call("GET", NEW, OLD).json() == [1]
        assert rasa_x.call("GET", NEW, OLD).json() == [2]
    new, old = NEW.format(project="default"), OLD.format(project="default")
    assert paths(server) == [f"/api{new}", f"/api{old}", f"/api{old}"]


def test_no_route_at_all_is_told_by_the_newest(server: HttpServer):
    """The error names the route of today, which the documents have."""
    server.answers = [MISSING]
    with (
        connection(server) as rasa_x,
        pytest.raises(ServerError, match="training_examples answered 404") as caught,
    ):
        rasa_x.call("GET", NEW, OLD)
    assert caught.value.status == 404


def test_names_in_routes_cannot_leave_their_place(server: HttpServer):
    """A name with a slash stays one part of the path."""
    server.answers = [items([])]
    with connection(server) as rasa_x:
        rasa_x.call("GET", MODELS + "/{model}", names={"model": "../a b/{project}"})
    assert paths(server) == ["/api/projects/default/models/..%2Fa%20b%2F%7Bproject%7D"]


def test_a_list_comes_in_pages(server: HttpServer):
    """All items come, however many the server gives at once, bare or under a key."""
    server.answers = [items([1, 2]), items({"data": [3]}), items([])]
    with connection(server) as rasa_x:
        assert list(rasa_x.pages(NEW, size=2)) == [[1, 2], [3]]
    assert [asked.target.partition("limit")[2][:12] for asked in server.asked] == [
        f"=2&offset={offset}&"[:12] for offset in (0, 2, 3)
    ]


def test_an_announced_number_ends_the_list(server: HttpServer):
    """With `X-Total-Count` no call is made that would bring nothing."""
    server.answers = [items([1, 2], X_Total_Count="3"), items([3], X_Total_Count="3")]
    with connection(server) as rasa_x:
        assert list(rasa_x.pages(NEW, size=2)) == [[1, 2], [3]]
    assert len(server.asked) == 2


@pytest.mark.parametrize("rest", [[], [1, 2]], ids=["nothing more", "the same again"])
def test_a_list_that_ends_too_early_is_an_error(server: HttpServer, rest):
    """A truncated list is never taken for a short one."""
    server.answers = [items([1, 2], X_Total_Count="5"), items(rest, X_Total_Count="5")]
    with connection(server) as rasa_x, pytest.raises(ServerError, match=r"2 items .* announced 5"):
        list(rasa_x.pages(NEW, size=2))


@pytest.mark.parametrize("all_items", [[1, 2], [1, 2, 3]])
def test_a_server_that_knows_no_pages_is_read_once(server: HttpServer, all_items):
    """Servers of 2018 send everything each time; no item comes twice."""
    server.answers = [items(all_items)]
    with connection(server) as rasa_x:
        assert list(rasa_x.pages(NEW, size=2)) == [all_items]


@pytest.mark.parametrize("content", [{}, {"data": {}}, "text", None, 7])
def test_what_is_no_list_is_an_error(server: HttpServer, content):
    """An object that holds no list is not taken for an empty one."""
    server.answers = [items(content)]
    with connection(server) as rasa_x, pytest.raises(ServerError, match="a list or an object"):
        list(rasa_x.pages(NEW))


@pytest.mark.parametrize("answer", [b"{}", b"[]", b'{"access_token": 7}'])
def test_a_login_without_a_token_is_an_error(server: HttpServer, answer):
    """A server that says yes and gives no token is not asked for anything more."""
    server.answers = [sends(200, answer, Content_Type="application/json")]
    with (
        connection(server, api_token=None, username="me", password="s3cret") as rasa_x,
        pytest.raises(ServerError, match="without an `access_token`"),
    ):
        rasa_x.call("GET", NEW)
    assert len(server.asked) == 1


def test_a_session_is_never_shown(server: HttpServer):
    """A server that repeats the login in its error does not get it into ours."""

    def repeat(exchange: Exchange) -> None:
        exchange.send(400, f"bad {server.asked[-1].headers['Authorization']}".encode())

    login = items({"access_token": "jwt-s3cret"})
    server.answers = [login, repeat]
    with (
        connection(server, api_token=None, username="me", password="pass-word") as rasa_x,
        pytest.raises(ServerError, match=r"bad Bearer \*\*\*") as caught,
    ):
        rasa_x.call("GET", NEW)
    assert "s3cret" not in str(caught.value)


def test_a_call_that_may_not_be_repeated_is_not(server: HttpServer):
    """A second POST could train, or store, twice: one try, then the error."""
    server.answers = [sends(503), items([])]
    with connection(server) as rasa_x, pytest.raises(ServerError, match="503"):
        rasa_x.call("POST", NEW)
    assert len(server.asked) == 1


@pytest.mark.parametrize("era", ERAS, ids=lambda era: era.name)
def test_the_era_is_told_and_found(tmp_path, era: Era):
    """Each server is known for what it is, by its version and by its routes."""
    with rasa_x(tmp_path, era=era) as server:
        options = ConnectionOptions.model_validate(
            {"url": server.url, "api_token": server.api_token}
        )
        with RasaX(options) as found:
            assert found.era == era.name
            assert found.version.product == ("" if era.separate_models else era.product)
            assert found.models_route == (MODELS_OF_2018 if era.separate_models else MODELS)
        given = options.model_copy(update={"era": "2018"})
        with RasaX(given) as told:
            assert (told.era, told.models_route) == ("2018", MODELS_OF_2018)


def test_a_server_without_versions_is_known_by_its_routes(server: HttpServer):
    """What `/api/version` does not say, the list of models does."""
    server.answers = [items({}), MISSING, items([])]
    with connection(server) as rasa_x:
        assert rasa_x.era == "2018"
    server.asked.clear()
    server.answers = [MISSING, MISSING, items([])]
    with connection(server) as rasa_x:
        assert rasa_x.models_route == "/models"
