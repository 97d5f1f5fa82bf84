"""Keeping secrets out of what people and logs get to see."""

import json
import re
from collections.abc import Collection
from html import escape
from urllib.parse import quote, quote_plus

_SECRET_PARAMETER = re.compile(r"(?i)\b((?:[a-z_]*token|password|secret|key|sig)=)[^&\s'\"<>]+")
_USER_INFO = re.compile(r"(?i)\b(https?://|[a-z][a-z0-9+.-]*://[^\s/?#@:'\"<>]*:)[^\s/?#@'\"<>]+@")
#: Who asks, as a header says it; ordinary words ("basic questions") have neither digits nor humps.
_AUTHORIZATION = re.compile(
    r"\b([Bb]asic|[Bb]earer)(\s+)(?=\S*(?:\d|[a-z][A-Z]))[A-Za-z0-9._~+/-]{8,}=*"
)
_MARK = "***"


def redacted(text: str, secrets: Collection[str] = (), *, patterns: bool = True) -> str:
    """The text without these secrets, as they are and as they stand in a URL or in JSON.

    With `patterns` also without what looks like a secret: `token=...` and the like, and who asks
    in an address or a header, as in `https://user:password@host` or `Authorization: Bearer ...`.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in sorted(_forms(secret), key=len, reverse=True):
            text = text.replace(form, _MARK)
    if not patterns:
        return text
    text = _AUTHORIZATION.sub(rf"\1\2{_MARK}", _USER_INFO.sub(rf"\1{_MARK}@", text))
    return _SECRET_PARAMETER.sub(rf"\1{_MARK}", text)


def _forms(secret: str) -> set[str]:
    written = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        escape(secret),
        *written,
    }
