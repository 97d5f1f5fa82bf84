"""An action server of the Rasa SDK, which lists its actions at `/actions`."""

from retrainer.adapters.http.answer import refused
from retrainer.adapters.http.client import Http
from retrainer.errors import ServerError

_OK, _NOT_FOUND = 200, 404
#: Where Rasa sends what it wants to be run; `action_endpoint` of endpoints.yml ends with it.
_WEBHOOK = "/webhook"


class HttpActionServer:
    """Implements `retrainer.ports.ActionServer`.

    `url` is its address, or that of its webhook; `timeout` is in seconds.
    """

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        self._url, self._timeout = url.rstrip("/").removesuffix(_WEBHOOK), timeout

    def actions(self) -> tuple[str, ...]:
        """See `ports.ActionServer`."""
        with Http(self._url) as http:
            answer = http.call("GET", "/actions", limit=self._timeout, repeat=True)
        if answer.status == _NOT_FOUND:
            raise refused(answer, tip="is it the address of a Rasa SDK action server?")
        if answer.status != _OK:
            raise refused(answer)
        listed = answer.json()
        entries = listed if isinstance(listed, list) else [listed]
        names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
        found = tuple(sorted({name for name in names if isinstance(name, str)}))
        if not isinstance(listed, list) or len(names) != sum(isinstance(n, str) for n in names):
            raise ServerError(
                f"{answer.where} answered with something else than a list of named actions",
                status=answer.status,
                tip="is it the address of a Rasa SDK action server?",
            )
        return found
