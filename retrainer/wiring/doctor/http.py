"""The doctor looks at [http]: who may reach it, and how good its secrets are."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address

from pydantic import SecretStr

from retrainer.errors import ConfigurationError
from retrainer.reports.values import counted
from retrainer.settings import HttpSettings
from retrainer.wiring.application import Application
from retrainer.wiring.doctor.diagnosis import Diagnosis, failure, good, warning

#: What a secret needs at least, to be none that can be guessed.
_SHORTEST, _FEWEST_DIFFERENT = 16, 8
_MAKE = "make one with `openssl rand -hex 32`"


def http(app: Application) -> Iterator[Diagnosis]:
    """Whether it is reachable by those alone who are meant.

    Raises:
        ConfigurationError: its host is none.
    """
    settings, what = app.settings.http, "http"
    outside = not _is_loopback(settings.host)
    if settings.enabled:
        tokens = ", ".join(settings.tokens) or "no tokens: everybody on this machine may read"
        hooks = "hooks are taken" if settings.hook_secret else "no hooks"
        yield good(what, f"{settings.host}:{settings.port}, {tokens}, {hooks}")
    else:
        yield good(what, "`retrainer run` does not listen (http.enabled = false)", minor=True)
    yield from (failure(what, error) for error in _refusals(app, settings, outside=outside))
    for key, secret in _secrets(settings):
        if problem := _weakness(secret.get_secret_value()):
            yield warning(what, f"http.{key} {problem}", f"{_MAKE}, and set it as http.{key}")
    if outside:
        yield warning(
            what,
            f"{settings.host} can be reached from other machines, and what is sent there, tokens "
            "too, is not encrypted",
            'put a proxy with TLS in front of it, and listen at host = "127.0.0.1"',
        )


def _refusals(
    app: Application, settings: HttpSettings, *, outside: bool
) -> Iterator[ConfigurationError]:
    """Why it would not be served so."""
    if settings.enabled and outside and not settings.tokens:
        yield ConfigurationError(
            f"[http] host = {settings.host!r} can be reached from other machines, "
            "and there is no token: everybody there could read the history",
            tip="configure a token as [http.tokens.NAME], or listen at 127.0.0.1",
        )
    name, known = settings.rasa_x_assistant, app.settings.assistants
    if name is not None and name not in known:
        yield ConfigurationError(
            f"{app.config}: http.rasa_x_assistant: there is no assistant {name!r}; "
            f"known are {', '.join(known)}",
            tip="name one of them, or leave it out",
        )


def _secrets(settings: HttpSettings) -> Iterator[tuple[str, SecretStr]]:
    given = {"token": settings.token, "hook_secret": settings.hook_secret}
    yield from ((key, secret) for key, secret in given.items() if secret is not None)
    for name, token in settings.tokens.items():
        yield f"tokens.{name}.token", token.token


def _weakness(secret: str) -> str | None:
    if len(secret) < _SHORTEST:
        return f"has {len(secret)} characters, at least {_SHORTEST} are needed"
    different = len(set(secret))
    if different < _FEWEST_DIFFERENT:
        signs = counted(different, "different character")
        return f"has {signs}, at least {_FEWEST_DIFFERENT} are needed"
    return None


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return all(ip_address(str(each[4][0]).partition("%")[0]).is_loopback for each in found)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"[http] host = {host!r} is no address or name that is known on this machine",
            tip='"127.0.0.1" is this machine alone, "0.0.0.0" every address that it has',
        ) from error
