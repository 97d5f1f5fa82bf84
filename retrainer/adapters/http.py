"""The one HTTP client: limits of time, few retries, clear errors, and no secret in any word.

Rasa X takes its token in the URL, so an address is never shown without being `redacted`.
"""

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any, Self

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from retrainer.adapters.deadline import within
from retrainer.adapters.files import storage_errors
from retrainer.adapters.http_answer import Answer
from retrainer.adapters.redaction import redacted
from retrainer.errors import ServerError

#: Seconds that a server has to accept a connection.
CONNECT = 10.0
#: Tries of a call that may be repeated, and seconds before the second of them.
TRIES, PAUSE = 4, 0.5
_CHUNK = 1024 * 1024
_BUSY = frozenset({429, 502, 503, 504})


class _NoSecrets(logging.Filter):
    """urllib3 logs every address at level DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), ()
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_NoSecrets())


class Http:
    """One server at `base`, an address without a trailing slash that paths are added to.

    `auth` signs every request; `secrets` are never shown. `verify` is False, or a file of
    certificate authorities. Each call is limited as a whole, in seconds: a server that drips its
    answer is cut off too.
    """

    def __init__(
        self,
        base: str,
        *,
        auth: AuthBase | None = None,
        secrets: Collection[str] = (),
        verify: bool | str = True,
    ) -> None:
        self.base = base.rstrip("/")
        self.secrets = tuple(secrets)
        self.auth = auth or _NoAuth()
        self._session = requests.Session()
        self._session.verify = verify

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        limit: float,
        repeat: bool = False,
        params: Mapping[str, str | int] | None = None,
        content: Any = None,  # noqa: ANN401 - bytes, or a file-like object that is streamed
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call, whatever its status; `body` is sent as JSON, `content` as it is.

        With `repeat` it is tried again after 429, 502, 503, 504 and lost connections, within
        `limit`; only for calls that may happen twice. `content` must be bytes then.

        Raises:
            ServerError: no answer.
        """
        where = self.where(method, path)

        def once() -> Answer:
            with self._open(method, path, limit, params, content, body, headers) as response:
                answer = response.content
            return Answer(response.status_code, response.headers, answer, where, self.secrets)

        return self._limited(once, where, limit, repeat=repeat)

    def download(
        self,
        path: str,
        into: Path,
        *,
        limit: float,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """GET into a file, a piece at a time; the answer's body is empty if it is 200.

        Any other status leaves the file alone and has its body in the answer. Tried again as a
        call with `repeat` is.

        Raises:
            ServerError: no answer, or not all of it came.
            StorageError: the file could not be written.
        """
        where = self.where("GET", path)
        abandoned = Event()

        def once() -> Answer:
            with self._open("GET", path, limit, params, None, None, headers) as response:
                if response.status_code != 200:  # noqa: PLR2004 - HTTP's OK
                    body = response.content
                else:
                    body = b""
                    with storage_errors("writing", into), into.open("wb") as file:
                        for piece in response.iter_content(_CHUNK):
                            if abandoned.is_set():
                                raise TimeoutError
                            file.write(piece)
            return Answer(response.status_code, response.headers, body, where, self.secrets)

        try:
            return self._limited(once, where, limit, repeat=True)
        finally:
            abandoned.set()

    def where(self, method: str, path: str) -> str:
        """A call in words, without secrets."""
        return redacted(f"{method} {self.base}{path}", self.secrets)

    def _open(
        self,
        method: str,
        path: str,
        limit: float,
        params: Mapping[str, str | int] | None,
        content: Any,  # noqa: ANN401 - as `call`
        body: object,
        headers: Mapping[str, str] | None,
    ) -> requests.Response:
        return self._session.request(
            method,
            self.base + path,
            params=params,
            data=content,
            json=body,
            headers=headers,
            auth=self.auth,
            timeout=(min(CONNECT, limit), limit),
            allow_redirects=method == "GET",
            stream=True,
        )

    def _limited(
        self, once: Callable[[], Answer], where: str, limit: float, *, repeat: bool
    ) -> Answer:
        """Call until it is answered, within the limit and the number of tries."""
        end, pause = time.monotonic() + limit, PAUSE
        for left in reversed(range(TRIES if repeat else 1)):
            try:
                answer = within(max(end - time.monotonic(), 0.01), once, name="http")
            except (requests.RequestException, HTTPError, OSError) as error:
                if isinstance(error, requests.Timeout | TimeoutError):
                    raise ServerError(f"{where} had no answer within {limit:g} s") from None
                if not left or time.monotonic() + pause >= end:
                    raise _unreachable(where, error) from None
            else:
                wait = _retry_after(answer) or pause
                if answer.status not in _BUSY or not left or time.monotonic() + wait >= end:
                    return answer
                pause = wait
            time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - to spread retries
            pause *= 2
        raise AssertionError(where)


class _NoAuth(AuthBase):
    """No credentials, those of ~/.netrc included."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _unreachable(where: str, error: Exception) -> ServerError:
    """What happened, without the words of the error, which hold the address and its secrets."""
    words = str(error)
    host = where.split(" ")[1]
    if isinstance(error, requests.exceptions.SSLError):
        return ServerError(
            f"{where}: the server's certificate is not trusted",
            tip="name the file of your certificate authority with `ca_file`",
        )
    if "NameResolution" in words or "getaddrinfo" in words or "resolve" in words:
        return ServerError(f"{where}: the name of the host is not known", tip=f"check {host}")
    if "refused" in words:
        return ServerError(f"{where}: nobody listens there", tip=f"is the server up? check {host}")
    if "RemoteDisconnected" in words or "reset" in words or "IncompleteRead" in words:
        return ServerError(f"{where}: the server closed the connection before it had answered")
    return ServerError(f"{where}: the connection failed ({type(error).__name__})")


def _retry_after(answer: Answer) -> float | None:
    with suppress(ValueError):
        seconds = float(answer.headers.get("Retry-After", ""))
        return seconds if 0 < seconds < 3600 else None  # noqa: PLR2004 - an hour
    return None
