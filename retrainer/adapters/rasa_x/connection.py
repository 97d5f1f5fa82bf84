"""The connection to a Rasa X server: its address, who asks, and one clear error for each refusal.

Also to Rasa Enterprise, and to the Rasa Platform of 2018. Routes are templates below `/api`, such
as "/projects/{project}/models/{model}". Names of routes changed over the years, so each call takes
several and uses the first that the server knows.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from retrainer.adapters.http.answer import Answer, refused
from retrainer.adapters.http.client import Http
from retrainer.adapters.http.download import LARGEST_DOWNLOAD
from retrainer.adapters.rasa_x.connection_options import ConnectionOptions
from retrainer.adapters.rasa_x.credentials import Credentials
from retrainer.adapters.rasa_x.eras import Era, ServerVersion, era_of
from retrainer.errors import ServerError

__all__ = ["ConnectionOptions", "RasaX", "listed", "total"]

UNAUTHORISED, FORBIDDEN, NOT_FOUND, NOT_ALLOWED, TOO_LARGE = 401, 403, 404, 405, 413
#: Items of a list that are asked for at once, and those that it may have in all.
PAGE, LONGEST_LIST = 500, 200_000

#: Where models are listed and uploaded; what concerns one of them is below it. The last is
#: inferred: without a project only `/models/tags/TAG` is documented.
MODELS, MODELS_OF_2018 = "/projects/{project}/models", "/projects/{project}/models/nlu"
_MODELS = (MODELS, MODELS_OF_2018, "/models")


class RasaX:
    """One project of one server. Safe to use from several threads."""

    def __init__(self, options: ConnectionOptions) -> None:
        self.options = options
        self._credentials = Credentials(options)
        self.http = Http(
            options.root + "/api",
            auth=self._credentials,
            secrets=options.secrets,
            verify=options.trust,
        )
        self._known: dict[tuple[str, ...], str] = {}

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @cached_property
    def version(self) -> ServerVersion:
        """What the server says of itself.

        Raises:
            ServerError: no answer, or not that of a Rasa X server.
        """
        route = "/version"
        answer = self.call("GET", route, params={"skip_external": "true"}, accept={NOT_FOUND})
        return ServerVersion.from_json({} if answer.status == NOT_FOUND else answer.json())

    @cached_property
    def era(self) -> Era:
        """Which years' protocol the server speaks; asked once, unless the options say it.

        Raises:
            ServerError: no answer, or it knows no list of models.
        """
        if self.options.era != "auto":
            return Era(self.options.era)
        found = era_of(self.version)
        if found is None:
            found = Era.PLATFORM if self.models_route == MODELS_OF_2018 else Era.EARLY
        return found

    @cached_property
    def models_route(self) -> str:
        """The route of the list of models; looked for once.

        Raises:
            ServerError: no answer, or the server knows no such list.
        """
        if self.options.era == Era.PLATFORM.value:
            return MODELS_OF_2018
        self.call("GET", *_MODELS, params={"limit": 1})
        return self._known[_MODELS]

    def call(
        self,
        method: str,
        *routes: str,
        names: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
        limit: float | None = None,
        repeat: bool | None = None,
        params: Mapping[str, str | int] | None = None,
        content: Callable[[], Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the first of the routes that the server knows.

        `names` fill in what a route leaves open, `{project}` aside. `accept` are the statuses
        besides 2xx that are returned, not raised. `limit` is in seconds; None: the option
        `timeout`. `repeat` says whether the call may happen twice; None: all but POST may.
        `content` makes what is sent, bytes or a file-like object; a new one after a new login.

        Raises:
            ServerError: no answer, a web page, or any other status.
        """
        if repeat is None:
            repeat = method != "POST"

        def send(path: str) -> Answer:
            return self.http.call(
                method,
                path,
                limit=self.options.timeout if limit is None else limit,
                repeat=repeat,
                params=params,
                content=content() if content else None,
                headers=headers,
            )

        return self._first(routes, names or {}, accept, send)

    def download(
        self,
        into: Path,
        *routes: str,
        names: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
        limit: float | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        largest: int = LARGEST_DOWNLOAD,
    ) -> Answer:
        """GET into a file, a piece at a time; as `call` otherwise.

        `limit` None: the option `transfer_timeout`. `largest` is in bytes. The file holds the answer only if it is 200.

        Raises:
            ServerError: as for `call`; the file may hold anything then.
            StorageError: the file could not be written.
        """

        def send(path: str) -> Answer:
            return self.http.download(
                path,
                into,
                limit=self.options.transfer_timeout if limit is None else limit,
                params=params,
                headers=headers,
                largest=largest,
            )

        return self._first(routes, names or {}, accept, send)

    def pages(
        self,
        *routes: str,
        names: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        size: int = PAGE,
        key: str = "data",
    ) -> Iterator[list[Any]]:
        """All items of a list, some at a time; `key` as for `listed`.

        Raises:
            ServerError: as for `call`; or the list ended before the number of items it announced.
        """
        offset, seen = 0, set[str]()
        while True:
            asked = {**(params or {}), "limit": size, "offset": offset}
            answer = self.call("GET", *routes, names=names, params=asked)
            page, announced = listed(answer, key), total(answer)
            if seen.issuperset(map(_identity, page)):  # nothing new: it does not know `offset`
                page = []
            seen.update(map(_identity, page))
            if not page and announced is not None and offset < announced:
                raise ServerError(
                    f"{answer.where} gave {offset} items in all, it announced {announced}",
                    tip="somebody may have deleted some meanwhile: run the same command again",
                )
            if not page:
                return
            yield page
            offset += len(page)
            if offset > LONGEST_LIST:
                raise ServerError(f"{answer.where} lists more than {LONGEST_LIST} items")
            if len(page) > size if announced is None else offset >= announced:
                return

    def _first(
        self,
        routes: tuple[str, ...],
        names: Mapping[str, str],
        accept: Collection[int],
        send: Callable[[str], Answer],
    ) -> Answer:
        """The answer of the first route that is there, which is remembered; else of the first."""
        answers: list[Answer] = []
        known = self._known.get(routes)
        for route in (known,) if known else routes:
            answer = self._signed(self._path(route, names), send)
            answers.append(answer)
            if not _is_missing(answer):
                self._known[routes] = route
                break
        else:
            answer = answers[0]
        if answer.status not in accept:
            self._require_success(answer)
        return answer

    def _signed(self, path: str, send: Callable[[str], Answer]) -> Answer:
        """Send; with user and password log in before, and once more if that has expired."""
        if not self._credentials.by_login:
            return send(path)
        if not self._credentials.session:
            self._log_in()
        used = self._credentials.session
        answer = send(path)
        if answer.status == UNAUTHORISED:
            if self._credentials.session == used:
                self._log_in()
            answer = send(path)
        return answer

    def _log_in(self) -> None:
        answer = self._credentials.log_in(self.http, limit=self.options.timeout)
        if answer.status == UNAUTHORISED:
            raise refused(answer, tip="check `username` and `password`")
        if answer.status == NOT_FOUND:
            raise refused(answer, tip="this server has no login: set `api_token` instead")
        self._require_success(answer)
        session = answer.json()
        token = session.get("access_token") if isinstance(session, dict) else None
        if not isinstance(token, str) or not token:
            raise ServerError(f"{answer.where} answered {answer.status} without an `access_token`")
        self.http.secrets = (*self.options.secrets, token)
        self._credentials.session = token

    def _path(self, route: str, names: Mapping[str, str]) -> str:
        filled = {key: quote(name, safe="") for key, name in names.items()}
        return route.format(project=quote(self.options.project, safe=""), **filled)

    def _require_success(self, answer: Answer) -> None:
        """Raise the one clear error of an answer that is none of success."""
        if 200 <= answer.status < 300 and not answer.is_page:  # noqa: PLR2004 - HTTP's success
            return
        tips = {
            UNAUTHORISED: self._credentials.tip,
            FORBIDDEN: "this user may not do that: give it the right in Rasa X, or use another",
            NOT_FOUND: f"check `url` and `project` (now {self.options.project!r})",
            TOO_LARGE: "raise the limit of the proxy in front of the server, such as nginx's "
            "client_max_body_size",
        }
        page = "check `url`: this looks like a web page or a proxy, not the API"
        raise refused(answer, tip=tips.get(answer.status, page if answer.is_page else None))


def listed(answer: Answer, key: str = "data") -> list[Any]:
    """The items of a list, which comes bare or under a key.

    Raises:
        ServerError: it is neither.
    """
    content = answer.json()
    items = content.get(key) if isinstance(content, dict) else content
    if not isinstance(items, list):
        raise ServerError(
            f"{answer.where} answered {answer.status} with a {type(content).__name__}, "
            f"a list or an object with the list {key!r} is needed",
            status=answer.status,
        )
    return items


def _is_missing(answer: Answer) -> bool:
    """Whether the server has no such route; the web interface answers for some of those."""
    return answer.status in (NOT_FOUND, NOT_ALLOWED) or (answer.status < 300 and answer.is_page)  # noqa: PLR2004 - HTTP's success


def _identity(item: object) -> str:
    """What an item is known by, even if it changes between two pages of a list."""
    known = item.get("model") or item.get("id") if isinstance(item, Mapping) else None
    return str(known) if known else repr(item)


def total(answer: Answer) -> int | None:
    """What the list announces as its whole length."""
    said = answer.headers.get("X-Total-Count", "")
    return int(said[:18]) if said.isdecimal() else None
