"""Who may read models: whoever has the token."""

import hmac

from starlette.requests import Request

from retrainer.errors import RetrainerError

#: Parameters that Rasa may send its token in: its own default, and the one of Rasa X.
PARAMETERS = ("token", "api_token")


class AccessDenied(RetrainerError):
    """A request without the token, or with another one."""


def bearer_of(request: Request) -> bytes | None:
    """What the request has as a bearer token; None if it has none."""
    kind, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return bearer.strip().encode("latin-1") if kind.lower() == "bearer" else None


def tokens_of(request: Request) -> list[bytes]:
    """What the request has in every place that Rasa may send its token in."""
    given = [value for name in PARAMETERS for value in request.query_params.getlist(name)]
    sent = [value.encode(errors="replace") for value in given]
    bearer = bearer_of(request)
    return sent if bearer is None else [*sent, bearer]


def require_token(request: Request, token: str | None) -> None:
    """Let pass whoever has the token, in the address or as a bearer; None: everybody.

    Raises:
        AccessDenied: there is none, or it is another one.
    """
    if token is None:
        return
    sent = tokens_of(request)
    good = [hmac.compare_digest(value, token.encode()) for value in sent]
    if not any(good):
        raise AccessDenied(
            "the token is wrong" if sent else "a token is needed, and the request has none",
            tip="send the token of [http] as ?token=, ?api_token= or as a bearer; in endpoints.yml "
            "it is `token` below `models`",
        )
