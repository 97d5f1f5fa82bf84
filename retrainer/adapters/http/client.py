"""The one HTTP client: limits of time, few retries, clear errors, and no secret in any word.

Rasa X takes its token in the URL, so an address is never shown without being `redacted`.
"""

import logging
import random
import re
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from retrainer.adapters.deadline import within
from retrainer.adapters.files import storage_errors
from retrainer.adapters.http.answer import Answer
from retrainer.adapters.http.download import (
    LARGEST_ANSWER,
    LARGEST_DOWNLOAD,
    beside,
    pieces,
    write,
)
from retrainer.adapters.http.faults import is_lost, is_timeout, unreachable
from retrainer.adapters.http.redaction import redacted
from retrainer.errors import ConfigurationError, ServerError

#: Seconds that a server has to accept a connection.
CONNECT = 10.0
#: Tries of a call that may be repeated, and seconds before the second of them.
TRIES, PAUSE = 4, 0.5
#: Redirections that a GET follows.
HOPS = 5
_BUSY = frozenset({429, 502, 503, 504})


class _NoSecrets(logging.Filter):
    """urllib3 logs every address at level DEBUG, and at WARNING that of a strange answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        words = re.sub(r"\?[^\s'\"]*", "?***", record.getMessage())
        record.msg, record.args, record.exc_info = redacted(words), (), None
        return True


for _name in ("connection", "connectionpool", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_NoSecrets())


class Http:
    """One server at `base`, an address without a trailing slash that paths are added to.

    `auth` signs every request; `secrets` are never shown. `verify` is False, or a file of
    certificate authorities. Each call is limited as a whole, in seconds: a server that drips its
    answer is cut off too. A GET follows redirections, to another host without credentials.

    Raises:
        ConfigurationError: there are no certificates in the file.
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
        self._verify = verify
        self._session = requests.Session()
        # Who asks is said by `auth` alone.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        if isinstance(verify, str):
            _require_certificates(verify)
        if not verify:
            urllib3.disable_warnings(InsecureRequestWarning)

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
        `limit`; only for calls that may happen twice. `content` must be bytes then. A file that is
        sent has to be closed after the call: one that was given up may go on reading it.

        Raises:
            ServerError: no answer.
        """
        where = self.where(method, path)

        def once(opened: list[requests.Response]) -> Answer:
            with self._open(method, path, limit, params, content, body, headers) as response:
                opened.append(response)
                answer = b"".join(pieces(response, largest=LARGEST_ANSWER, where=where))
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
        largest: int = LARGEST_DOWNLOAD,
    ) -> Answer:
        """GET into a file of at most `largest` bytes; the answer's body is empty if it is 200.

        The file is replaced when all has come. Any other status leaves it alone and has its body
        in the answer. Tried again as a call with `repeat` is.

        Raises:
            ServerError: no answer, or not all of it came; the file is as it was.
            StorageError: the file could not be written.
        """
        where = self.where("GET", path)

        with beside(into) as (part, file):

            def once(opened: list[requests.Response]) -> Answer:
                body = b""
                with self._open("GET", path, limit, params, None, None, headers) as response:
                    opened.append(response)
                    if response.status_code == 200:  # noqa: PLR2004 - HTTP's OK
                        write(response, file, into, largest=largest, where=where)
                    else:
                        body = b"".join(pieces(response, largest=LARGEST_ANSWER, where=where))
                return Answer(response.status_code, response.headers, body, where, self.secrets)

            answer = self._limited(once, where, limit, repeat=True)
            if answer.status == 200:  # noqa: PLR2004 - as above
                with storage_errors("writing", into):
                    file.close()
                    part.replace(into)
        return answer

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
        url, auth = self.base + path, self.auth
        for _ in range(HOPS + 1):
            response = self._session.request(
                method,
                url,
                params=params,
                data=content,
                json=body,
                headers=headers,
                auth=auth,
                timeout=(min(CONNECT, limit), limit),
                verify=self._verify,  # a session's own gives way to REQUESTS_CA_BUNDLE
                allow_redirects=False,  # requests would take what ~/.netrc has for the target
                stream=True,
            )
            if method != "GET" or not response.is_redirect:
                return response
            response.close()
            url, params = urljoin(url, response.headers["Location"]), None
            if not _same_server(self.base, url):
                self._require_no_secret(url, self.where(method, path))
                auth, headers = _NoAuth(), None
        raise ServerError(f"{self.where(method, path)} was redirected more than {HOPS} times")

    def _require_no_secret(self, url: str, where: str) -> None:
        if redacted(url, self.secrets, patterns=False) != url:
            target = urlsplit(url)
            raise ServerError(
                f"{where} redirects to {target.scheme}://{target.hostname} with the credentials in "
                "the address; they were not sent there",
                tip="use that address, if it is the server's",
            )

    def _limited(
        self,
        once: Callable[[list[requests.Response]], Answer],
        where: str,
        limit: float,
        *,
        repeat: bool,
    ) -> Answer:
        """Call until it is answered, within the limit and the number of tries."""
        end, pause = time.monotonic() + limit, PAUSE
        for left in reversed(range(TRIES if repeat else 1)):
            opened: list[requests.Response] = []
            answer, failure, wait = None, None, pause
            try:
                left_over = max(end - time.monotonic(), 0.01)
                answer = within(left_over, partial(once, opened), name="http")
            except (requests.RequestException, HTTPError, OSError) as error:
                failure = unreachable(where, error, limit)
                if is_timeout(error):
                    _stop(opened)
                if not is_lost(error):
                    raise failure from None
            else:
                if answer.status not in _BUSY:
                    return answer
                wait = answer.retry_after or pause
            wait *= random.uniform(1.0, 1.2)  # noqa: S311 - to spread retries
            if not left or time.monotonic() + wait >= end:
                break
            time.sleep(wait)
            pause *= 2
        if answer is None:
            raise failure or AssertionError(where)
        return answer


class _NoAuth(AuthBase):
    """No credentials, those of ~/.netrc included."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _stop(opened: list[requests.Response]) -> None:
    """End the thread that still waits for the rest of an answer."""
    for response in opened:
        with suppress(OSError, RuntimeError, ValueError):  # it has ended by itself
            response.raw.shutdown()


def _same_server(one: str, other: str) -> bool:
    """Whether two addresses are of one server; https of the same host is the same, or better."""
    here, there = urlsplit(one), urlsplit(other)
    if here.hostname != there.hostname:
        return False
    if (here.scheme, there.scheme) == ("http", "https") and here.port == there.port is None:
        return True
    return here.scheme == there.scheme and here.port == there.port


def _require_certificates(path: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        reason = error.strerror if isinstance(error, FileNotFoundError) else "no certificate in it"
        raise ConfigurationError(
            f"the certificate authorities in {path} cannot be used: {reason}",
            tip="name a file with certificates, each between BEGIN and END CERTIFICATE",
        ) from None
