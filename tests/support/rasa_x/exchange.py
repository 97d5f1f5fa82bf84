"""A request as the handlers see it, and what they reply."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

JSON, TEXT, HTML = "application/json", "text/plain", "text/html"
YAML, MARKDOWN, BINARY = "application/x-yaml", "text/markdown", "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form; `name` is the file's."""

    name: str
    file: IO[bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `params` are the variables of its path, `form` the files of a form."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    form: Mapping[str, Upload] = field(default_factory=dict)
    user: str = "me"

    @property
    def media_type(self) -> str:
        """What the body is said to be, without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON; an unreadable one is refused with 400."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Refusal(schema_failure(400, "BadRequest", "The body is not JSON.")) from None

    def number(self, name: str, default: int | None = None) -> int | None:
        """A number of the query; anything else is refused with 400."""
        given = self.query.get(name, "")
        if not given:
            return default
        if not given.isdecimal():
            raise Refusal(schema_failure(400, "InvalidUsage", f"'{name}' is not a number."))
        return int(given)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A yes or no of the query."""
        return {"true": True, "1": True, "false": False, "0": False}.get(
            self.query.get(name, "").lower(), default
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answers; `body` may be a file or pieces, so that large ones are streamed."""

    status: int = 200
    body: bytes | Path | Iterator[bytes] = b""
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Unreadable(Exception):
    """What was sent is not what it is said to be."""


class Refusal(Exception):
    """A handler ends with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def as_json(content: object, status: int = 200, **headers: str) -> Reply:
    """A reply in JSON; `_` in names of headers stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(content).encode(), JSON, named)


def as_text(content: str, status: int = 200, media_type: str = TEXT) -> Reply:
    """A reply in text."""
    return Reply(status, content.encode(), f"{media_type}; charset=utf-8")


def attachment(body: bytes | Iterator[bytes], media_type: str, name: str) -> Reply:
    """A file to save."""
    return Reply(200, body, media_type, {"Content-Disposition": f"attachment;filename={name}"})


NO_CONTENT = Reply(204)


def schema_failure(status: int, exception: str, *reasons: str) -> Reply:
    """The error of the layer that checks who asks and what is sent."""
    return as_json({"exception": exception, "reasons": list(reasons)}, status)


def failure(status: int, reason: str, message: str, details: object = None) -> Reply:
    """The error of the application, laid out as Rasa's own."""
    content = {
        "version": "0.36.0",
        "status": "failure",
        "message": message,
        "reason": reason,
        "details": details or {},
        "help": None,
        "code": status,
    }
    return as_json(content, status)


UNAUTHORISED = schema_failure(401, "Unauthorized", "Auth required.")
FORBIDDEN = schema_failure(403, "Forbidden", "The user lacks the permission for this.")
