"""Time as the clock on a wall shows it, in a zone whose clocks are changed twice a year.

A wall time is a `datetime` without zone. Most name one moment; one in a gap (clocks put forward)
names none, and one that comes twice (clocks put back) names two. Clocks are changed by an hour, by
half an hour (Australia/Lord_Howe) or by a whole day (Pacific/Apia in 2011), at night or at midnight.
"""

import difflib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_SECOND = timedelta(seconds=1)


def require_zone(name: str) -> str:
    """A name of the IANA time zone database.

    Raises ValueError, with the name that was probably meant, unless it is in there.
    """
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        close = difflib.get_close_matches(name[:99], available_timezones(), n=1)
        hint = f"did you mean {close[0]}?" if close else "known are Europe/Berlin, UTC and so on"
        raise ValueError(f"{name[:99]!r} is no time zone of the IANA database; {hint}") from None
    return name


def wall_time(moment: datetime, zone: str) -> datetime:
    """What the clock on the wall shows at this moment."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def readings(wall: datetime, zone: str) -> tuple[datetime, datetime]:
    """The moments (UTC) that a wall time names, read with the offset before and after a change.

    Both are equal for most; the first is earlier if the wall time comes twice. In a gap the first
    is later, and the clocks change between them: neither shows this wall time.
    """
    here = ZoneInfo(zone)
    before, after = (wall.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1))
    return before, after


def change(one: datetime, other: datetime, zone: str) -> datetime:
    """The second (UTC) at which clocks change, between two moments with different offsets."""
    here = ZoneInfo(zone)
    low, high = sorted((one, other))
    old = low.astimezone(here).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        if middle.astimezone(here).utcoffset() == old:
            low = middle
        else:
            high = middle
    return high
