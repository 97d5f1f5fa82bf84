"""What a server answered, and what it says went wrong."""

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from retrainer.adapters.http.redaction import redacted
from retrainer.errors import ServerError

#: Characters of an answer that are looked at for a complaint, and those that are shown of it.
_LOOKED_AT, _READABLE = 64 * 1024, 300


@dataclass(frozen=True)
class Answer:
    """A server's whole answer. `where` is the call in words, without secrets."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)  # that of a login is a secret
    where: str
    secrets: Collection[str] = field(repr=False, default=())

    @property
    def kind(self) -> str:
        """The media type, in lower case and without its parameters; empty if it was not said."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait; None if it does not say."""
        with suppress(ValueError):
            seconds = float(self.headers.get("Retry-After", ""))
            return seconds if seconds > 0 else None
        return None

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body as JSON.

        Raises:
            ServerError: it is none, as when a web page comes instead of an answer.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise ServerError(
                f"{self.where} answered {self.status} with {self._what()}, JSON is needed",
                status=self.status,
                tip="check the address: this looks like a web page or a proxy, not the API"
                if self.is_page
                else None,
            ) from None

    def complaint(self) -> str:
        """What the server says went wrong, on one line; both of Rasa's shapes, text and pages."""
        if self.is_page:
            title = re.search(r"(?i)<(?:title|h1)\b[^<>]*>([^<]+)<", self.text[:_LOOKED_AT])
            return f"a web page{f' titled {self._line(title[1])!r}' if title else ''}"
        said: object = None
        with suppress(ValueError, RecursionError):
            said = json.loads(self.body)
        if isinstance(said, Mapping):
            reasons = said.get("reasons") or said.get("reason") or said.get("exception") or ""
            reason = ", ".join(map(str, reasons)) if isinstance(reasons, list) else str(reasons)
            words = [str(said.get("message") or ""), reason, str(said.get("error") or "")]
            if any(words):
                return self._line(": ".join(filter(None, words)))
        return self._line(self.text)

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, which no API answers with."""
        start = self.body[:200].lstrip().lower()
        return self.kind == "text/html" or start.startswith((b"<!doctype html", b"<html"))

    def _what(self) -> str:
        if not self.body:
            return "nothing"
        return "a web page" if self.is_page else repr(self._line(self.text))

    def _line(self, text: str) -> str:
        """The text on one line of readable length; a secret is taken out before it could be cut."""
        line = " ".join(redacted(text[:_LOOKED_AT], self.secrets).split())
        return line if len(line) <= _READABLE else f"{line[:_READABLE]}…"


def refused(answer: Answer, *, tip: str | None = None) -> ServerError:
    """What to raise for a status that is none of success."""
    said = answer.complaint()
    if 300 <= answer.status < 400:  # noqa: PLR2004 - HTTP's redirections
        target = urljoin(answer.where.split(" ")[-1], answer.headers.get("Location", ""))
        address = redacted(target.partition("?")[0], answer.secrets)
        said, tip = f"it has moved to {address}", "use that address"
    return ServerError(
        f"{answer.where} answered {answer.status}{f': {said}' if said else ''}",
        status=answer.status,
        tip=tip,
    )
