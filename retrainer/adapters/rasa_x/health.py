"""Whether the server, and the Rasa server behind it, can take a model now."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from retrainer.adapters.polling import polls
from retrainer.adapters.rasa_x.connection import NOT_FOUND, RasaX
from retrainer.errors import PlatformNotReady

_OK = 200
#: What it answers with while it starts.
_STARTING = frozenset({304, 502, 503, 504})
_NO_VERSION = frozenset({"", "0.0.0"})


@dataclass(frozen=True)
class Health:
    """What `/api/health` says. None is what it does not say.

    `status` is the HTTP status that Rasa X got of the production Rasa server, `version` that
    server's and `minimum` the oldest version whose models it loads, `migration` the state of the
    database, "completed" when it is usable, `progress` in percent.
    """

    status: int | None = None
    version: str | None = None
    minimum: str | None = None
    migration: str | None = None
    progress: float | None = None

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read it, whatever it is."""
        said = _mapping(content)
        production, migration = _mapping(said.get("production")), said.get("database_migration")
        status, progress = production.get("status"), _mapping(migration).get("progress_in_percent")
        return cls(
            status=status if isinstance(status, int) else None,
            version=str(production.get("version") or "") if production else None,
            minimum=_text(production.get("minimum_compatible_version")),
            migration=_text(_mapping(migration).get("status")),
            progress=progress if isinstance(progress, int | float) else None,
        )

    @property
    def hindrance(self) -> str | None:
        """Why nothing can be stored or served yet; None if nothing speaks against it."""
        if self.migration is not None and self.migration != "completed":
            so_far = "" if self.progress is None else f" ({self.progress:g} %)"
            return f"the migration of its database is {self.migration!r}{so_far}, not completed"
        if self.status is not None and self.status != _OK:
            return f"its production Rasa server answers {self.status}, {_OK} is needed"
        if self.version in _NO_VERSION:
            return "its production Rasa server has not reported its version: is it connected?"
        return None


def health(rasa_x: RasaX) -> Health:
    """Ask once; what a server too old to know the question says is nothing.

    Raises:
        ServerError: no answer, or none of health.
    """
    answer = rasa_x.call("GET", "/health", accept={NOT_FOUND, *_STARTING})
    if answer.status in _STARTING:
        return Health(migration=f"unknown, the server answers {answer.status}")
    return Health() if answer.status == NOT_FOUND else Health.from_json(answer.json())


def require_healthy(rasa_x: RasaX, *, wait: float) -> Health:
    """Wait for up to so many seconds until nothing speaks against storing a model.

    Raises:
        PlatformNotReady: something still does.
        ServerError: no answer, or none of health.
    """
    found = Health()
    for _ in polls(wait):
        found = health(rasa_x)
        if found.hindrance is None:
            return found
    raise PlatformNotReady(
        f"Rasa X at {rasa_x.options.root} is not ready after {wait:g} s: {found.hindrance}",
        tip=f"see {rasa_x.options.root}/api/health and the log of the Rasa server behind it",
    )


def require_compatible(rasa_x: RasaX, found: Health, rasa_version: str) -> None:
    """Make sure that the Rasa server loads models of this version.

    Raises:
        PlatformNotReady: it does not.
    """
    tip = "point `rasa.python` at an interpreter that has the Rasa of that server"
    where = f"the production Rasa server behind {rasa_x.options.root}"
    if found.minimum and _numbers(rasa_version) < _numbers(found.minimum):
        raise PlatformNotReady(
            f"{where} loads models of Rasa {found.minimum} or newer, "
            f"this one trains with {rasa_version}",
            tip=tip,
        )
    if found.version and _numbers(found.version)[:2] < _numbers(rasa_version)[:2]:
        raise PlatformNotReady(
            f"{where} is Rasa {found.version}, it does not load what Rasa {rasa_version} trains",
            tip=tip,
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return str(value) if value else None
