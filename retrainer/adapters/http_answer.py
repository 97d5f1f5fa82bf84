"""What a server answered, and what it says went wrong."""

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from retrainer.adapters.redaction import redacted
from retrainer.errors import ServerError


@dataclass(frozen=True)
class Answer:
    """A server's whole answer. `where` is the call in words, without secrets."""

    status: int
    headers: Mapping[str, str]
    body: bytes
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

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body as JSON.

        Raises:
            ServerError: it is none, as when a web page comes instead of an answer.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise ServerError(
                f"{self.where} answered {self.status} with {self._what()}, JSON is needed",
                status=self.status,
                tip="check the address: this looks like a web page or a proxy, not the API"
                if self._is_page()
                else None,
            ) from None

    def complaint(self) -> str:
        """What the server says went wrong, on one line; both of Rasa's shapes, text and pages."""
        if self._is_page():
            title = re.search(r"(?is)<(?:title|h1)[^>]*>(.*?)</", self.text)
            return f"a web page{f' titled {_line(title[1])!r}' if title else ''}"
        said: object = None
        with suppress(ValueError):
            said = json.loads(self.body)
        if isinstance(said, Mapping):
            reasons = said.get("reasons") or said.get("reason") or said.get("exception") or ""
            reason = ", ".join(map(str, reasons)) if isinstance(reasons, list) else str(reasons)
            words = [str(said.get("message") or ""), reason, str(said.get("error") or "")]
            return redacted(_line(": ".join(filter(None, words))), self.secrets)
        return redacted(_line(self.text), self.secrets)

    def _is_page(self) -> bool:
        start = self.body[:200].lstrip().lower()
        return self.kind == "text/html" or start.startswith((b"<!doctype html", b"<html"))

    def _what(self) -> str:
        if not self.body:
            return "nothing"
        return "a web page" if self._is_page() else repr(redacted(_line(self.text), self.secrets))


def refused(answer: Answer, *, tip: str | None = None) -> ServerError:
    """What to raise for a status that is none of success."""
    said = answer.complaint()
    if 300 <= answer.status < 400:  # noqa: PLR2004 - HTTP's redirections
        target = urlsplit(answer.headers.get("Location", ""))
        said, tip = f"it has moved to {target.scheme}://{target.netloc}", "use that address"
    return ServerError(
        f"{answer.where} answered {answer.status}{f': {said}' if said else ''}",
        status=answer.status,
        tip=tip,
    )


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:300]}…"  # noqa: PLR2004 - a readable length
