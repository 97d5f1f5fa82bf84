"""The models that a server lists."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from retrainer.adapters.http.redaction import redacted
from retrainer.adapters.rasa_x.connection import RasaX
from retrainer.domain.cycle import Model
from retrainer.errors import ModelNotFound, ServerError

_UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Entry:
    """One model as the server lists it.

    `hash` is its content in the server's own, undocumented words, comparable with itself alone.
    What it does not say is empty, `trained_at` the year 1970.
    """

    name: str
    tags: tuple[str, ...] = ()
    hash: str = ""
    rasa_version: str = ""
    trained_at: datetime = _UNKNOWN_TIME

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Self:
        """Read what the server says; a KeyError or TypeError if it is no model."""
        if not isinstance(item["model"], str):
            raise TypeError
        return cls(
            name=item["model"],
            tags=tuple(map(str, item.get("tags") or ())),
            hash=str(item.get("hash") or ""),
            rasa_version=str(item.get("version") or ""),
            trained_at=_time(item.get("trained_at")),
        )

    @property
    def model(self) -> Model:
        """What is known of it by this alone; `sha256` is empty."""
        return Model(self.name, "", 0, self.rasa_version, self.trained_at)


def entries(rasa_x: RasaX) -> dict[str, Entry]:
    """All models by their names, in no known order.

    Raises:
        ServerError: no answer, or not a list of models.
    """
    route = rasa_x.models_route
    found = {}
    for page in rasa_x.pages(route):
        for item in page:
            try:
                entry = Entry.from_json(item)
            except (KeyError, TypeError, AttributeError):
                raise ServerError(
                    f"{rasa_x.http.where('GET', route)} lists {redacted(str(item), rasa_x.http.secrets)[:80]!r}, "
                    "an object with the key 'model' is needed"
                ) from None
            found[entry.name] = entry
    return found


def require_listed(rasa_x: RasaX, listed: Mapping[str, Entry], name: str) -> Entry:
    """The entry of this name.

    Raises:
        ModelNotFound: there is none.
    """
    if name not in listed:
        raise ModelNotFound(
            f"there is no model {name!r} at {rasa_x.options.root}",
            tip="`retrainer models` lists the models",
        )
    return listed[name]


def _time(said: object) -> datetime:
    """Seconds since 1970, else unknown."""
    if isinstance(said, int | float) and math.isfinite(said) and 0 <= said < 2**33:  # the year 2242
        return datetime.fromtimestamp(said, UTC)
    return _UNKNOWN_TIME
