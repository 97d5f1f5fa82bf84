"""One Rasa Open Source server (`rasa run --enable-api`) and the model that it serves."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from retrainer.adapters.http.answer import Answer, refused
from retrainer.adapters.http.client import Http
from retrainer.adapters.rasa_server.parse import prediction
from retrainer.domain.predictions import Prediction
from retrainer.errors import ServerError

_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_NOT_ALLOWED, _NOT_FOUND, _NO_MODEL = frozenset({401, 403}), 404, 409
#: What a proxy answers with as long as the server behind it is away.
_AWAY = frozenset({502, 503, 504})
#: Seconds that a signed token is valid for; the clocks of two machines differ.
_VALID = 300


class ServerOptions(BaseModel):
    """One server, and who asks it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str
    """Address of the server, such as http://rasa-1:5005."""

    token: SecretStr | None = Field(default=None, min_length=1)
    """What the server was started with as `--auth-token`."""

    jwt_secret: SecretStr | None = Field(default=None, min_length=1)
    """What the server was started with as `--jwt-secret`; the method has to be HS256."""

    @field_validator("url")
    @classmethod
    def _usable(cls, url: str) -> str:
        if not _URL.fullmatch(url):
            raise ValueError("it must be like http://HOST:5005, without user, password, ? and #")
        return url.rstrip("/")


@dataclass(frozen=True, slots=True)
class RasaVersion:
    """A server's own version, and the oldest one whose models it loads; None if it does not say."""

    version: str
    minimum: str | None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """The model that a server serves; None is what it does not say."""

    id: str | None
    file: str | None

    def __str__(self) -> str:
        return f"{self.file or 'a model'} (model_id {self.id or 'unknown'})"


class RasaServer:
    """A server. `verify` is as for `Http`; `secrets` are not shown, beside its own.

    `timeout` is in seconds, for each call that does not say otherwise.
    """

    def __init__(
        self,
        options: ServerOptions,
        *,
        timeout: float,
        verify: bool | str = True,
        secrets: Collection[str] = (),
    ) -> None:
        self.url = options.url
        self._timeout = timeout
        self._token, self._jwt_secret = _plain(options.token), _plain(options.jwt_secret)
        self._secrets = (*secrets, *filter(None, (self._token, self._jwt_secret)))
        self._http = Http(options.url, verify=verify, secrets=self._secrets)

    def __str__(self) -> str:
        return self.url

    def version(self) -> RasaVersion:
        """Its version of Rasa; needs no authentication.

        Raises:
            ServerError: no answer, or none of a Rasa server.
        """
        answer = self._call("GET", "/version", repeat=True)
        said = _object(answer)
        minimum = said.get("minimum_compatible_version")
        if not isinstance(said.get("version"), str):
            raise _strange(answer, '{"version": ...}')
        return RasaVersion(said["version"], str(minimum) if minimum else None)

    def status(self) -> LoadedModel | None:
        """The model that it serves; None if it has none.

        Raises:
            ServerError: no answer, or none of a Rasa server, or it does not know who asks.
        """
        answer = self._call("GET", "/status", repeat=True, accept={_NO_MODEL})
        said = _object(answer)
        if answer.status == _NO_MODEL:
            return None
        model, file = said.get("model_id"), said.get("model_file")
        if not (isinstance(model, str) or isinstance(file, str)):
            raise _strange(answer, '{"model_file": ..., "model_id": ...}')
        return LoadedModel(str(model) if model else None, str(file) if file else None)

    def parse(self, text: str, *, limit: float) -> Prediction:
        """What it understands, within `limit` seconds; no conversation takes place.

        Raises:
            ServerError: no answer, or none of a Rasa server.
        """
        answer = self._call("POST", "/model/parse", limit=limit, repeat=True, body={"text": text})
        try:
            return prediction(text, _object(answer))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise _strange(answer, "what Rasa says of an utterance") from None

    def converse(self, sender: str, message: str, *, limit: float) -> tuple[Mapping[str, Any], ...]:
        """Say something in the conversation `sender`; what it answers within `limit` seconds.

        Again: the conversation goes on.

        Raises:
            ServerError: no answer, or none of a Rasa server.
        """
        body = {"sender": sender, "message": message}
        answer = self._call("POST", "/webhooks/rest/webhook", limit=limit, body=body)
        said = answer.json()
        if not (isinstance(said, list) and all(isinstance(one, Mapping) for one in said)):
            raise _strange(answer, "a list of messages")
        return tuple(said)

    def load(self, body: Mapping[str, object], *, limit: float) -> None:
        """Ask it to load a model, within `limit` seconds; it answers nobody meanwhile.

        `body` is `{"model_file": PATH}` or `{"model_server": {"url": ...}}`. That it took the
        question does not mean that it serves the model; what it served before it does if it raises.

        Raises:
            ServerError: it could not.
        """
        self._call("PUT", "/model", limit=limit, body=body)

    def _call(
        self,
        method: str,
        path: str,
        *,
        limit: float | None = None,
        repeat: bool = False,
        body: Mapping[str, object] | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        headers = {}
        if self._jwt_secret:
            user = {"username": "retrainer", "role": "admin"}
            claims = {"user": user, "exp": int(time.time()) + _VALID}
            bearer = signed(claims, self._jwt_secret)
            headers["Authorization"] = f"Bearer {bearer}"
            self._http.secrets = (*self._secrets, bearer)
        answer = self._http.call(
            method,
            path,
            limit=self._timeout if limit is None else limit,
            repeat=repeat,
            params={"token": self._token} if self._token else None,
            body=body,
            headers=headers,
        )
        if 200 <= answer.status < 300 or answer.status in accept:  # noqa: PLR2004 - HTTP's success
            return answer
        raise refused(answer, tip=_tip(answer.status, path))


def is_away(error: ServerError) -> bool:
    """Whether there was no answer of the server at all, so that it may be down or starting."""
    return error.status is None or error.status in _AWAY


def signed(claims: Mapping[str, object], secret: str) -> str:
    """A JSON Web Token with these claims, signed with HS256."""
    parts = [
        _encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    ]
    signature = hmac.digest(secret.encode(), ".".join(parts).encode(), hashlib.sha256)
    return ".".join((*parts, _encoded(signature)))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _object(answer: Answer) -> Mapping[str, Any]:
    said = answer.json()
    if not isinstance(said, Mapping):
        raise _strange(answer, "a JSON object")
    return said


def _strange(answer: Answer, expected: str) -> ServerError:
    return ServerError(
        f"{answer.where} answered {answer.status} with {answer.complaint()!r}, "
        f"{expected} was expected",
        tip="is this the address of a Rasa server?",
        status=answer.status,
    )


def _tip(status: int, path: str) -> str | None:
    if status in _NOT_ALLOWED:
        return (
            "check `token` (the server's --auth-token) or `jwt_secret` (its --jwt-secret, with "
            "HS256) of this server"
        )
    if status == _NOT_FOUND:
        return (
            "add `rest:` to the credentials.yml of the server, or set `smoke = []`"
            if path.startswith("/webhooks")
            else "start the server with `rasa run --enable-api`"
        )
    return None
