"""Hooks of git servers: whether they are signed with our secret, and what they tell."""

import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from retrainer.settings import AssistantSettings
from retrainer.web.answers import Unusable

#: HMAC-SHA256 of the body, in hexadecimal digits: GitHub, Gitea, Forgejo.
_SIGNATURES = ("X-Hub-Signature-256", "X-Gitea-Signature", "X-Forgejo-Signature")
#: The secret itself: GitLab signs nothing.
_SECRET = "X-Gitlab-Token"  # noqa: S105 - the name of a header
_EVENTS = ("X-GitHub-Event", "X-Gitea-Event", "X-Forgejo-Event", "X-Gitlab-Event")
_DELIVERIES = (
    "X-GitHub-Delivery",
    "X-Gitea-Delivery",
    "X-Forgejo-Delivery",
    "X-Gitlab-Event-UUID",
)
_PUSHES = frozenset({"push", "push hook", "tag push hook"})
_FORM = "application/x-www-form-urlencoded"
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Push:
    """What a hook tells; what it does not say is empty."""

    event: str = ""
    ref: str = ""
    default_branch: str = ""
    commit: str = ""
    delivery: str = ""

    def __str__(self) -> str:
        what = f"push to {self.ref}" if self.ref else (self.event or "a hook")
        commit = f" at {self.commit[:12]}" if self.commit else ""
        delivery = f", delivery {self.delivery}" if self.delivery else ""
        return f"{what}{commit}{delivery}"


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether whoever sent the body has the secret."""
    expected = hmac.new(secret.encode(), body, sha256).hexdigest().encode()
    given = [headers[name].removeprefix("sha256=") for name in _SIGNATURES if name in headers]
    good = [hmac.compare_digest(_bytes(one.lower()), expected) for one in given]
    if _SECRET in headers:
        digests = (sha256(_bytes(headers[_SECRET])).digest(), sha256(secret.encode()).digest())
        good.append(hmac.compare_digest(*digests))
    return any(good)


def push_of(headers: Mapping[str, str], body: bytes) -> Push:
    """What the hook tells.

    Raises:
        Unusable: the body is not JSON, neither by itself nor as the field `payload` of a form.
    """
    document = _document(headers.get("Content-Type", ""), body)
    project = document.get("repository"), document.get("project")
    branches = [part.get("default_branch") for part in project if isinstance(part, dict)]
    return Push(
        event=_first(headers, _EVENTS),
        ref=_text(document.get("ref")),
        default_branch=next(filter(None, map(_text, branches)), ""),
        commit=_text(document.get("after")),
        delivery=_first(headers, _DELIVERIES),
    )


def why_ignored(push: Push, revisions: Collection[str]) -> str | None:
    """Why the hook asks for no cycle; None: it does.

    `revisions` are what the assistant's git sources follow, empty for the default branch; without
    any every signed hook counts.
    """
    if push.event and push.event.lower() not in _PUSHES:
        return f"the event {push.event!r} is no push"
    if not push.ref or not revisions:
        return None
    if push.commit and not push.commit.strip("0"):
        return f"{push.ref} was deleted"
    followed = [revision or push.default_branch for revision in revisions]
    if any(not name or push.ref in _refs(name) for name in followed):
        return None
    return f"{push.ref} is not followed, but {', '.join(followed)}"


def revisions_of(settings: AssistantSettings) -> tuple[str, ...]:
    """What the assistant's git sources follow; empty for the default branch."""
    sources = [settings.source] if settings.source else list(settings.sources.values())
    return tuple(str(s.options.get("revision", "")) for s in sources if s.type == "git")


def _refs(name: str) -> tuple[str, ...]:
    return name, f"refs/heads/{name}", f"refs/tags/{name}"


def _document(content_type: str, body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    if content_type.partition(";")[0].strip().lower() == _FORM:
        fields = parse_qs(body.decode(errors="replace"), max_num_fields=_LONGEST)
        body = "".join(fields.get("payload", [""])).encode()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unusable(
            "the body of the hook is not a JSON object",
            tip='choose "application/json" as the content type of the hook',
        )
    return document


def _first(headers: Mapping[str, str], names: Collection[str]) -> str:
    return next((_text(headers[name]) for name in names if name in headers), "")


def _text(value: object) -> str:
    """A string of the hook, short and printable."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else "?" for c in value[:_LONGEST])


def _bytes(header: str) -> bytes:
    return header.encode("utf-8", errors="replace")
