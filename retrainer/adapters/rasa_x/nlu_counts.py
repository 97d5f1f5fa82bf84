"""What a server says of its examples without sending them."""

from collections.abc import Iterator, Mapping
from typing import Any

from retrainer.adapters.rasa_x.connection import (
    FORBIDDEN,
    NOT_ALLOWED,
    NOT_FOUND,
    UNAUTHORISED,
    RasaX,
    listed,
    total,
)

_EXAMPLES = ("/projects/{project}/training_examples", "/projects/{project}/data")
_INTENTS = "/projects/{project}/intents"
_OK = 200


def counted(rasa_x: RasaX) -> int | None:
    """How many examples the server counts; None if it does not say.

    Raises:
        ServerError: no answer, or not as asked.
    """
    return total(rasa_x.call("GET", *_EXAMPLES, params={"limit": 1}, accept={NOT_FOUND}))


def intents_of(rasa_x: RasaX) -> list[tuple[str, list[str]]]:
    """Each intent with what stands for its examples; empty if the server does not list them.

    Raises:
        ServerError: no answer, or not as asked.
    """
    refusals = (UNAUTHORISED, FORBIDDEN, NOT_FOUND, NOT_ALLOWED)
    answer = rasa_x.call("GET", _INTENTS, accept={_OK, *refusals})
    if answer.status != _OK or answer.is_page:
        return []
    return sorted(_hashes(listed(answer)))


def _hashes(intents: list[Any]) -> Iterator[tuple[str, list[str]]]:
    for each in intents:
        if isinstance(each, Mapping):
            hashes = each.get("example_hashes")
            found = map(str, hashes) if isinstance(hashes, list) else ()
            yield str(each.get("intent")), sorted(found)
