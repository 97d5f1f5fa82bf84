"""How the config describes a connection to Rasa X."""

import pytest
from pydantic import ValidationError

from retrainer.adapters.rasa_x.connection import RasaX
from retrainer.adapters.rasa_x.platform import RasaXPlatform

URL = "https://rasa.example"


def options(**given: object) -> RasaXPlatform.Options:
    return RasaXPlatform.Options.model_validate({"url": URL, "api_token": "s3cret", **given})


@pytest.mark.parametrize(
    "url",
    [URL, f"{URL}/", f"{URL}/api", f"{URL}/api/"],
)
def test_the_address_may_be_given_with_and_without_api(url):
    """People copy the address from the browser or from the documentation."""
    assert RasaX(options(url=url)).http.base == f"{URL}/api"


def test_the_server_may_live_below_a_path():
    """A reverse proxy may give Rasa X a path of its own."""
    assert RasaX(options(url=f"{URL}/bots/api")).http.base == f"{URL}/bots/api"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "rasa.example"},
        {"url": "https://me:s3cret@rasa.example"},
        {"url": f"{URL}/?api_token=s3cret"},
        {"url": f"{URL}/#models"},
        {"project": "../default"},
        {"tag": "a/b"},
        {"ca_file": "/nonexistent/ca.pem"},
        {"username": "me"},
        {"password": "s3cret", "api_token": None},
        {"api_token": None},
        {"token": "s3cret"},
        {"username": "me", "password": "s3cret"},
        {"era": "2017"},
        {"timeout": 0},
        {"timeout": float("inf")},
        {"colour": "red"},
    ],
)
def test_unusable_options_are_refused_without_showing_a_secret(wrong):
    """A typo fails at start, and what the person typed is not repeated."""
    with pytest.raises(ValidationError) as caught:
        options(**wrong)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "who",
    [
        {},
        {"api_token": None, "username": "me", "password": "s3cret"},
        {"api_token": None, "token": "s3cret"},
    ],
)
def test_credentials_are_never_shown(who):
    """Neither the options nor what is made of them repeat a secret."""
    given = options(**who)
    assert given.secrets == ("s3cret",)
    assert "s3cret" not in f"{given!r} {given} {RasaX(given)!r}"
