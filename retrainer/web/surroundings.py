"""What the answers are made of: the daemon, who may ask, how many at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from retrainer.web.daemon_view import DaemonView
from retrainer.web.documents import Failure
from retrainer.web.metrics import Metrics
from retrainer.web.threads import Lane
from retrainer.web.tokens import Access, Caller, Scope
from retrainer.wiring import Application


@dataclass(frozen=True)
class Surroundings:
    """What each answer may use. `look` is for what reads, `act` for what may take minutes."""

    daemon: DaemonView
    access: Access
    metrics: Metrics
    look: Lane
    act: Lane
    started_at: datetime
    hook_secret: str | None

    @property
    def app(self) -> Application:
        """The configuration as it is now."""
        return self.daemon.application


async def surroundings(request: Request) -> Surroundings:
    """The surroundings that the application was made with."""
    found: Surroundings = request.app.state.surroundings
    return found


class Guard(SecurityBase):
    """Lets nobody pass without a token that has the scope."""

    def __init__(self, scope: Scope) -> None:
        self.model = HTTPBearer(
            description="A token of [http.tokens.NAME]. Without any, reading is open to programs "
            "on the same machine."
        )
        self.scheme_name = "token"
        self._scope = scope

    async def __call__(self, request: Request) -> Caller:
        """Who asks."""
        found = await surroundings(request)
        return found.access.require(request, self._scope)


def failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    """How these failures stand in the description of the API."""
    return {code: {"model": Failure, "description": _WORDS[code]} for code in codes}


_WORDS: Mapping[int, str] = {
    401: "A token is needed, or it is wrong",
    403: "The token is good for something else",
    404: "There is nothing of that name",
    408: "The body did not come in time",
    409: "Not now: the message says why",
    413: "The body is too large",
    421: "The server is not asked for by this name",
    422: "The request cannot be meant",
    429: "Too many wrong tokens came from this address",
    502: "The platform did not do what was asked of it",
    503: "The database or the platform cannot be used now",
}

Here = Annotated[Surroundings, Depends(surroundings)]
Reader = Annotated[Caller, Security(Guard(Scope.READ))]
Asker = Annotated[Caller, Security(Guard(Scope.TRIGGER))]
Approver = Annotated[Caller, Security(Guard(Scope.APPROVE))]

#: What may go wrong wherever a token is asked for, and the database.
EVERYWHERE = partial(failures, 401, 403, 421, 422, 429, 503)
