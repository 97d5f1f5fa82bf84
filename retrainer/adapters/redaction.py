"""Keeping secrets out of what people and logs get to see."""

import re
from collections.abc import Collection
from urllib.parse import quote

_SECRET_PARAMETER = re.compile(r"(?i)\b((?:[a-z_]*token|password|secret|key|sig)=)[^&\s'\"<>]+")
_MARK = "***"


def redacted(text: str, secrets: Collection[str] = ()) -> str:
    """The text without these secrets, as they are and as they stand in a URL."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote(secret)}:
            text = text.replace(form, _MARK)
    return _SECRET_PARAMETER.sub(rf"\1{_MARK}", text)
