"""Who asks: a user's login (JWT), a user's API token, the deployment's service token."""

import time
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.rasa_x.exchange import UNAUTHORISED, Call, Refusal
from support.rasa_x.switches import Switches

USERNAME = "me"
PASSWORD = "pass-SECRET-word"
API_TOKEN = "api-SECRET-token"
SERVICE_TOKEN = "service-SECRET-token"


@cache
def _key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def public_key() -> str:
    """What `/version` publishes, so that others can check a login."""
    encoded = _key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


def log_in(username: object, password: object, lifetime: float) -> str | None:
    """A login's token that lasts so many seconds; None for the wrong user or password."""
    if (username, password) != (USERNAME, PASSWORD):
        return None
    claims = {
        "username": username,
        "exp": time.time() + lifetime,
        "user": {"username": username, "roles": ["admin"]},
        "scopes": ["*"],
    }
    return jwt.encode(claims, _key(), algorithm="RS256")


def require_known(call: Call, switches: Switches, *, api_token: bool, service_token: bool) -> None:
    """Refuse whoever may not ask; the flags say which tokens the route is documented to take."""
    scheme, _, bearer = call.headers.get("authorization", "").partition(" ")
    if bearer:  # the service token is no login: it is refused here
        if scheme.lower() != "bearer" or not _is_valid(bearer):
            raise Refusal(UNAUTHORISED)
        return
    by_api_token = api_token or switches.api_token_everywhere
    if by_api_token and call.query.get("api_token") == API_TOKEN:
        return
    by_service_token = service_token or switches.service_token_everywhere
    if by_service_token and call.query.get("token") == SERVICE_TOKEN:
        return
    raise Refusal(UNAUTHORISED)


def _is_valid(bearer: str) -> bool:
    """Whether it is a login of ours that still lasts, to a fraction of a second."""
    try:
        claims = jwt.decode(
            bearer, _key().public_key(), algorithms=["RS256"], options={"verify_exp": False}
        )
    except jwt.InvalidTokenError:
        return False
    return float(claims["exp"]) > time.time()
