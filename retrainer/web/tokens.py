"""Who may ask what of the daemon: bearer tokens with scopes."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from starlette.requests import Request

from retrainer.errors import ConfigurationError, RetrainerError
from retrainer.settings import HttpSettings
from retrainer.web.access import AccessDenied, bearer_of, tokens_of
from retrainer.web.failures import Failures


class Scope(StrEnum):
    """What a token is good for."""

    READ = "read"
    TRIGGER = "trigger"
    APPROVE = "approve"


class ScopeMissing(RetrainerError):
    """The token is not good for this."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as it is written into the records."""

    name: str


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    digest: bytes
    scopes: frozenset[str]


#: Of a server that only programs on this machine reach, and that has no tokens.
_ANYBODY = Caller("anybody on this machine")
_HOW = (
    "configure one as [http.tokens.NAME] with `token` (or RETRAINER_HTTP__TOKENS__NAME__TOKEN) and "
    '`scopes = ["read", "trigger", "approve"]`, and send it as `Authorization: Bearer ...`'
)


class Access:
    """Checks tokens; all of them are compared each time, as digests of equal length.

    Without any token everybody may read, which is right on loopback alone (see `web.listen`).

    Raises ConfigurationError if two tokens are equal.
    """

    def __init__(self, http: HttpSettings, failures: Failures) -> None:
        self._failures = failures
        self._known = tuple(
            _Known(name, _digest(given.token.get_secret_value()), frozenset(given.scopes))
            for name, given in http.tokens.items()
        )
        self._models = _digest(http.token.get_secret_value()) if http.token else None
        of_models = [_Known("", self._models, frozenset())] if self._models else []
        names: dict[bytes, str] = {}
        for known in (*of_models, *self._known):
            if known.digest in names:
                first = names[known.digest]
                raise ConfigurationError(
                    f"[http.tokens.{known.name}] has the same token as "
                    f"{f'[http.tokens.{first}]' if first else '`token` in [http]'}",
                    tip="give each its own: what a token may do, and who did it, depends on it",
                )
            names[known.digest] = known.name

    def require(self, request: Request, scope: Scope) -> Caller:
        """Who asks, if that one may.

        Raises:
            AccessDenied: a token is needed, or it is wrong.
            ScopeMissing: the token is for something else.
            TooManyFailures: the token is wrong, as many before it from this address.
        """
        given = bearer_of(request)
        if not self._known and given is None:
            if scope is Scope.READ:
                return _ANYBODY
            raise AccessDenied(f"this needs a token with the scope {scope}", tip=_HOW)
        if given is None:
            raise AccessDenied("a token is needed, and the request has none", tip=_HOW)
        found = self._find([given])
        if found is None:
            raise self._wrong(request)
        if scope not in found.scopes:
            raise ScopeMissing(
                f"the token {found.name!r} is good for {', '.join(sorted(found.scopes))}, "
                f"not for {scope}",
                tip=f'add "{scope}" to `scopes` of [http.tokens.{found.name}]',
            )
        return Caller(f"token {found.name}")

    def admit_to_models(self, request: Request) -> None:
        """Let pass who may pull models: with `token` of [http], or any that may read.

        Raises:
            AccessDenied: a token is needed, or it is wrong.
            TooManyFailures: as `require`.
        """
        if self._models is None and not self._known:
            return
        given = tokens_of(request)
        if not given:
            raise AccessDenied(
                "a token is needed, and the request has none",
                tip="send the token of [http] as ?token=, ?api_token= or as a bearer; in "
                "endpoints.yml it is `token` below `models`",
            )
        found = self._find(given)
        fleet = [hmac.compare_digest(_digest(one), self._models or b"") for one in given]
        if not any(fleet) and (found is None or Scope.READ not in found.scopes):
            raise self._wrong(request)

    def _find(self, given: Iterable[str | bytes]) -> _Known | None:
        found = None
        for digest in map(_digest, given):
            for known in self._known:  # to the end in any case: how long it takes says nothing
                if hmac.compare_digest(digest, known.digest):
                    found = known
        return found

    def count_failure(self, request: Request) -> None:
        """Count a wrong token or signature of this client.

        Raises:
            TooManyFailures: there were too many of it.
        """
        self._failures.count(request.client.host if request.client else None)

    def _wrong(self, request: Request) -> AccessDenied:
        self.count_failure(request)
        return AccessDenied("the token is wrong", tip=_HOW)


def _digest(token: str | bytes) -> bytes:
    given = token if isinstance(token, bytes) else token.encode(errors="replace")
    return sha256(given).digest()
