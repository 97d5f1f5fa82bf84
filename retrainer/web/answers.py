"""Failures as JSON: what went wrong and what to do next, each with its status."""

import json
from collections.abc import Mapping

from starlette.responses import JSONResponse

from retrainer.errors import (
    AssistantPaused,
    ChampionMoved,
    ConfigurationError,
    CycleNotFound,
    DatabaseError,
    ModelNotFound,
    NotAwaitingApproval,
    PlatformError,
    PlatformNotReady,
    RetrainerError,
)
from retrainer.web.access import AccessDenied
from retrainer.web.failures import TooManyFailures
from retrainer.web.threads import TooBusy
from retrainer.web.tokens import ScopeMissing

_RETRY_AFTER = "5"


class NotServed(RetrainerError):
    """There is nothing of that name here."""


class Unusable(RetrainerError):
    """The request cannot be meant."""


#: The first that fits; anything else is a failure of what this server depends on.
_STATUS: Mapping[type[RetrainerError], int] = {
    AccessDenied: 401,
    ScopeMissing: 403,
    NotServed: 404,
    CycleNotFound: 404,
    ModelNotFound: 404,
    AssistantPaused: 409,
    NotAwaitingApproval: 409,
    ChampionMoved: 409,
    ConfigurationError: 409,
    Unusable: 422,
    TooManyFailures: 429,
    TooBusy: 503,
    DatabaseError: 503,
    PlatformNotReady: 503,
    PlatformError: 502,
}


class Json(JSONResponse):
    """JSON in ASCII, so that there is no text that cannot be sent."""

    def render(self, content: object) -> bytes:
        """The document as bytes."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def refusal(
    status: int, error: str, tip: str | None = None, headers: Mapping[str, str] | None = None
) -> Json:
    """What went wrong, as {"error", "tip"}."""
    return Json({"error": error, "tip": tip}, status, dict(headers or {}))


def answer_to(error: RetrainerError) -> Json:
    """The failure, with the status and the headers that belong to it."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 503)
    headers = {}
    if status == 401:  # noqa: PLR2004 - Unauthorized
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyFailures):
        headers["Retry-After"] = str(error.retry_after)
    elif status == 503:  # noqa: PLR2004 - Service Unavailable
        headers["Retry-After"] = _RETRY_AFTER
    return refusal(status, error.message, error.tip, headers)
