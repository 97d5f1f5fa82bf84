"""Numbers, times and users' words, as people read them."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

#: What ends a line, moves a cursor, turns the direction of writing or is no character at all.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
#: Utterances longer than this are cut where they are quoted; they remain whole in the JSON.
_LONGEST_QUOTE = 300


def share(value: float | None) -> str:
    """A figure between 0 and 1, four digits, `-` if there is none."""
    return "-" if value is None else f"{value:.4f}"


def change(before: float | None, after: float | None) -> str:
    """The difference in points without the word, `-` if one is missing."""
    if before is None or after is None:
        return "-"
    return f"{round((after - before) * 100, 2) + 0.0:+.2f}"  # + 0.0: never -0.00


def duration(seconds: float) -> str:
    """`0.8 s`, `54 s`, `4 min 05 s`, `2 h 03 min`."""
    if seconds < 10:  # noqa: PLR2004 - tenths matter as long as there are no more digits
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def moment(time: datetime) -> str:
    """Date and time to the minute, in UTC (which the reader is told elsewhere)."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def size(number: int) -> str:
    """`170 kB`, `24.1 MB`."""
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"  # noqa: PLR2004


def counted(number: int, noun: str) -> str:
    """`1 example`, `2 examples`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(items: Sequence[str], most: int | None = None) -> str:
    """The items with commas between, cut after `most`."""
    shown = items if most is None else items[:most]
    more = len(items) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def printable(text: str) -> str:
    """The text on one line, safe for a terminal; what is not shown as itself is an escape."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def first_line(text: str) -> str:
    """The first line with something on it, printable."""
    return printable(next((line.strip() for line in text.splitlines() if line.strip()), ""))


def shorten(text: str, longest: int) -> str:
    """At most `longest` characters, the last one `…` if it was cut; accents stay on their letters."""
    if len(text) <= longest:
        return text
    end = longest - 1
    while end > 0 and unicodedata.combining(text[end]):
        end -= 1
    return text[:end] + "…"


def quoted(text: str) -> str:
    """A user's words between quotes, printable, long ones cut."""
    return f'"{printable(shorten(text, _LONGEST_QUOTE))}"'
