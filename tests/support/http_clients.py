"""Who asks over HTTP in tests, with a secret that must not be seen."""

import traceback
from collections.abc import Callable

import pytest
from requests import PreparedRequest
from requests.auth import AuthBase

from retrainer.errors import ServerError

SECRET = "S3CR/ET+x"
#: What would give it away.
FORMS = ("S3CR", "ET+x", "ET%2Bx")


class InQuery(AuthBase):
    """A token in the address, as Rasa X takes it."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign."""
        request.prepare_url(request.url, {"api_token": SECRET})
        return request


class InHeaders(AuthBase):
    """A token in a header, and one of a name of its own."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign."""
        request.headers["Authorization"] = f"Bearer {SECRET}"
        request.headers["X-Project-Token"] = SECRET
        return request


def failure(call: Callable[..., object], *arguments: object, **options: object) -> ServerError:
    """The error that a call ends with, after a look for the secret in all that it says."""
    with pytest.raises(ServerError) as caught:
        call(*arguments, **options)
    said = f"{''.join(traceback.format_exception(caught.value))} {caught.value.tip}"
    assert not [form for form in FORMS if form in said]
    return caught.value
