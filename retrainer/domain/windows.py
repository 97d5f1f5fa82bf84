"""Windows of time on the clock on the wall: when cycles may not begin, when models may be loaded.

    "02:00-05:00"              every day
    "mon-fri 08:00-18:00"      on these weekdays
    "sat,sun 00:00-24:00"      whole days
    "22:00-04:00"              over midnight; it belongs to the day on which it begins
    "2026-12-24..2026-12-27"   whole days, the last one included

A moment is inside a window if the clock on the wall then shows a time of it. So a window that lies
in a skipped hour is left out that day, and one in an hour that comes twice comes twice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from retrainer.domain.wall_clock import change, readings, wall_time

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
_HOURS = re.compile(r"(?:(?P<days>[a-z,-]+) )?(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")
_DATES = re.compile(r"(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)")
_YEARS = range(2000, 2200)
_ALLOWED = (
    'a window is such as "02:00-05:00", "mon-fri 08:00-18:00", "sat,sun 00:00-24:00", '
    '"22:00-04:00" or "2026-12-24..2026-12-27"'
)
#: Days around a date in which a weekly window comes: two weeks, as one may fall into a gap.
_AROUND = range(-16, 17)


@dataclass(frozen=True, slots=True)
class Window:
    """A window, made by `parse_window`.

    It comes on each day of `weekdays` (0 is Monday) that lies between the `dates`, both included;
    None: for ever. It lasts from `begins` to `ends`, as time since midnight; `ends` may lie on the
    next day.
    """

    text: str
    weekdays: frozenset[int]
    dates: tuple[date, date] | None
    begins: timedelta
    ends: timedelta

    def __str__(self) -> str:
        return self.text

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """The wall times of its beginning and its end, None if it does not come on this day."""
        if day.weekday() not in self.weekdays:
            return None
        if self.dates and not self.dates[0] <= day <= self.dates[1]:
            return None
        midnight = datetime.combine(day, time())
        return midnight + self.begins, midnight + self.ends


def parse_window(text: str) -> Window:
    """The window that a text such as "mon-fri 08:00-18:00" describes.

    Raises ValueError, saying what is wrong and what is allowed.
    """
    written = " ".join(text.lower().split())
    try:
        if found := _DATES.fullmatch(written):
            dates = _dates(found[1], found[2])
            return Window(written, frozenset(range(7)), dates, timedelta(0), _DAY)
        if found := _HOURS.fullmatch(written):
            begins, ends = _clock(found[2], found[3]), _clock(found[4], found[5])
            return Window(written, _weekdays(found["days"]), None, *_hours(begins, ends))
    except ValueError as error:
        raise ValueError(f"{text[:99]!r} is no window of time: {error}; {_ALLOWED}") from None
    raise ValueError(f"{text[:99]!r} is no window of time; {_ALLOWED}")


def contains(windows: Sequence[Window], moment: datetime, zone: str) -> bool:
    """Whether the moment lies in one of the windows, by the clock on the wall of the zone."""
    wall = wall_time(moment, zone)
    return any(
        begins <= wall < ends
        for window in windows
        for day in (wall.date(), wall.date() - _DAY)
        for begins, ends in [window.on(day) or (wall, wall)]
    )


def end_of(windows: Sequence[Window], moment: datetime, zone: str) -> datetime | None:
    """The first moment from this one on that lies in none of the windows; None: there is none."""
    if not contains(windows, moment, zone):
        return moment
    later = (at for at in _edges(windows, moment, zone) if at > moment)
    return next((at for at in later if not contains(windows, at, zone)), None)


def next_inside(windows: Sequence[Window], moment: datetime, zone: str) -> datetime | None:
    """The first moment from this one on that lies in one of the windows; None: there is none.

    No windows at all mean that any moment will do.
    """
    if not windows or contains(windows, moment, zone):
        return moment
    later = (at for at in _edges(windows, moment, zone) if at > moment)
    return next((at for at in later if contains(windows, at, zone)), None)


def start_of(windows: Sequence[Window], moment: datetime, zone: str) -> datetime | None:
    """Since when, without a break, this moment has been in the windows.

    None: there is no such beginning. The moment itself if it lies in none of them.
    """
    if not contains(windows, moment, zone):
        return moment
    earlier = (at for at in reversed(_edges(windows, moment, zone)) if at <= moment)
    return next(
        (at for at, before in pairwise(earlier) if not contains(windows, before, zone)), None
    )


def _edges(windows: Sequence[Window], moment: datetime, zone: str) -> list[datetime]:
    """The moments, sorted, at which being inside may begin or end.

    Two weeks around the moment and around the dates of windows are enough: what is farther away
    comes each week.
    """
    days = {wall_time(moment, zone).date()}.union(*(window.dates or () for window in windows))
    walls = {
        wall
        for day in {day + _DAY * number for day in days for number in _AROUND}
        for window in windows
        for wall in window.on(day) or ()
    }
    edges = set()
    for wall in walls:
        first, second = readings(wall, zone)
        edges |= {first, second}
        if first != second:  # the wall jumps over this edge, or comes to it again
            edges.add(change(first, second, zone))
    return sorted(edges)


def _dates(first: str, last: str) -> tuple[date, date]:
    dates = date.fromisoformat(first), date.fromisoformat(last)
    if dates[1] < dates[0]:
        raise ValueError("it ends before it begins")
    if not {dates[0].year, dates[1].year} <= {*_YEARS}:
        raise ValueError(f"the years {_YEARS[0]} to {_YEARS[-1]} are known")
    return dates


def _weekdays(written: str | None) -> frozenset[int]:
    """`mon-fri`, `sat,sun`, `fri-mon,wed`; None: all."""
    days: set[int] = set()
    for part in (written or "mon-sun").split(","):
        first, _, last = part.partition("-")
        for name in (first, last or first):
            if name not in WEEKDAYS:
                raise ValueError(f"{name!r} is none of {', '.join(WEEKDAYS)}")
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days.update(day % 7 for day in range(begin, end + 1 + 7 * (end < begin)))
    return frozenset(days)


def _clock(hour: str, minute: str) -> timedelta:
    clock = timedelta(hours=int(hour), minutes=int(minute))
    if clock > _DAY or int(minute) > 59:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f"{hour}:{minute} is no time between 00:00 and 24:00")
    return clock


def _hours(begins: timedelta, ends: timedelta) -> tuple[timedelta, timedelta]:
    """Beginning and end; one that ends before it begins goes over midnight."""
    if begins == ends:
        raise ValueError("it ends when it begins; a whole day is 00:00-24:00")
    if begins == _DAY:
        raise ValueError("a day begins at 00:00")
    return begins, ends + _DAY if ends < begins else ends
