"""Who may ask what of the daemon."""

import pytest
from starlette.requests import Request

from retrainer.errors import ConfigurationError
from retrainer.settings import HttpSettings
from retrainer.testing.clock import FakeClock
from retrainer.web.access import AccessDenied
from retrainer.web.failures import MOST, Failures, TooManyFailures
from retrainer.web.tokens import Access, Scope, ScopeMissing

READER, OPERATOR, FLEET = "reader-word-123456", "operator-word-1234", "fleet"
TOKENS = {
    "dashboard": {"token": READER},
    "ada": {"token": OPERATOR, "scopes": ["trigger", "approve"]},
}


def access(**http) -> Access:
    return Access(HttpSettings(**http), Failures(FakeClock()))


def request(authorization: str | None = None, query: str = "") -> Request:
    given = [] if authorization is None else [(b"authorization", authorization.encode())]
    scope = {"type": "http", "headers": given, "query_string": query.encode()}
    return Request(scope | {"client": ("192.0.2.1", 5)})


def bearer(token: str) -> Request:
    return request(f"Bearer {token}")


def test_a_token_is_good_for_its_scopes_alone():
    """And whoever uses it is known by its name."""
    door = access(tokens=TOKENS)
    assert door.require(bearer(READER), Scope.READ).name == "token dashboard"
    assert door.require(request(f"bearer   {OPERATOR}"), Scope.APPROVE).name == "token ada"
    with pytest.raises(ScopeMissing, match="'dashboard' is good for read, not for trigger"):
        door.require(bearer(READER), Scope.TRIGGER)
    with pytest.raises(ScopeMissing, match="'ada' is good for approve, trigger, not for read"):
        door.require(bearer(OPERATOR), Scope.READ)


def test_without_tokens_everybody_may_read_and_nobody_else_may_do_anything():
    """The refusal says how to configure one."""
    door = access()
    door.require(request(), Scope.READ)
    for scope in (Scope.TRIGGER, Scope.APPROVE):
        with pytest.raises(AccessDenied, match=f"scope {scope}") as caught:
            door.require(request(), scope)
        assert "[http.tokens.NAME]" in caught.value.tip
    with pytest.raises(AccessDenied, match="the token is wrong"):
        door.require(bearer("whatever"), Scope.READ)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (request(), "a token is needed"),
        (request("Basic eA=="), "a token is needed"),
        (request("", query=f"token={READER}"), "a token is needed"),
        (request("Bearer"), "wrong"),
        (bearer(READER[:-1]), "wrong"),
        (bearer(READER + "x"), "wrong"),
        (bearer(FLEET), "wrong"),
        (bearer("ü" * 20), "wrong"),
    ],
)
def test_nobody_else_is_let_in(given, words):
    """Neither with part of a token, nor in the address, nor with that of the Rasa servers."""
    with pytest.raises(AccessDenied, match=words) as caught:
        access(tokens=TOKENS, token=FLEET).require(given, Scope.READ)
    assert READER not in f"{caught.value}{caught.value.tip}"


def test_a_right_token_is_heard_from_an_address_that_sent_many_wrong_ones():
    """Behind a proxy one client that is set up wrong must not lock the others out."""
    door = access(tokens=TOKENS)
    for _ in range(MOST):
        with pytest.raises(AccessDenied):
            door.require(bearer("wrong-wrong-wrong"), Scope.READ)
    with pytest.raises(TooManyFailures):
        door.require(bearer("wrong-wrong-wrong"), Scope.READ)
    assert door.require(bearer(READER), Scope.READ).name == "token dashboard"


def test_a_request_without_a_token_is_no_wrong_guess():
    """It tells nothing of the token, and health checks of proxies send none."""
    door = access(tokens=TOKENS)
    for _ in range(3 * MOST):
        with pytest.raises(AccessDenied):
            door.require(request(), Scope.READ)


@pytest.mark.parametrize(
    ("http", "given", "admitted"),
    [
        ({}, request(), True),
        ({"token": FLEET}, request(query=f"token={FLEET}"), True),
        ({"token": FLEET}, bearer(FLEET), True),
        ({"token": FLEET}, request(), False),
        ({"tokens": TOKENS}, request(), False),
        ({"tokens": TOKENS}, request(query=f"api_token={READER}"), True),
        ({"tokens": TOKENS}, bearer(OPERATOR), False),
        ({"tokens": TOKENS, "token": FLEET}, bearer(READER), True),
        ({"tokens": TOKENS, "token": FLEET}, bearer(FLEET), True),
        ({"tokens": TOKENS, "token": FLEET}, bearer(FLEET + "x"), False),
        ({"tokens": TOKENS}, bearer(""), False),
    ],
)
def test_models_are_for_the_fleet_and_for_readers(http, given, admitted):
    """As soon as there is any token, none is refused; `token` alone leaves the API as it is."""
    door = access(**http)
    if admitted:
        assert door.admit_to_models(given) is None
    else:
        with pytest.raises(AccessDenied):
            door.admit_to_models(given)


@pytest.mark.parametrize(
    "http",
    [
        {"tokens": TOKENS | {"bob": {"token": READER}}},
        {"tokens": TOKENS, "token": READER},
    ],
)
def test_two_equal_tokens_are_a_wrong_configuration(http):
    """Otherwise who did something, or what a token may do, would depend on their order."""
    with pytest.raises(ConfigurationError, match="has the same token as") as caught:
        access(**http)
    assert READER not in f"{caught.value}{caught.value.tip}"
