"""Conditional requests and ranges of bytes (RFC 9110), as far as a model needs them."""

import re

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


class UnsatisfiableRange(Exception):
    """A range that begins behind the last byte."""


def is_current(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has the content of this `etag` already.

    Anything else in the header, such as the random word of a Rasa server's first pull, is the
    name of other content.
    """
    names = (if_none_match or "").split(",")
    return any(name.strip().removeprefix("W/") in ("*", etag) for name in names)


def part_of(size: int, etag: str, wanted: str | None, if_range: str | None) -> range | None:
    """The bytes that the client wants of `size`; None: all, as a plain answer.

    All are sent as well where the range is of other content than `etag`, is several, or is not
    understood.

    Raises:
        UnsatisfiableRange: there are no such bytes.
    """
    match = _RANGE.fullmatch(wanted or "")
    if match is None or (if_range is not None and if_range.strip() != etag):
        return None
    first, last = match.groups()
    if first:
        part = range(int(first), min(int(last) + 1, size) if last else size)
        if last and int(last) < int(first):
            return None
    elif last:
        part = range(max(size - int(last), 0), size)
    else:
        return None
    if not part:
        raise UnsatisfiableRange
    return part
