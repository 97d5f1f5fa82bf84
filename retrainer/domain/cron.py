"""When a cron expression fires, in a zone whose clocks are changed.

The rule is that of Debian's cron, for changes of less than three hours:

- A job at fixed times (neither minute nor hour begins with `*`) fires once for each of its times:
  at the end of the gap if the time is skipped, at the first passing if it comes twice. So a daily
  job at 02:30 fires once on every day.
- A job with `*` fires whenever the clock on the wall shows one of its times: not in a gap, and
  twice in an hour that comes twice. So `*/15 * * * *` fires every real quarter of an hour.

A larger change (a whole day left out) is a correction of the calendar: what it skips does not fire.

The `cronsim` library reads the expression and walks over wall times. It is not given the zone:
where clocks change by half an hour or around midnight it loses ticks or does not get past them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import takewhile

from cronsim import CronSim, CronSimError

from retrainer.domain.wall_clock import change, readings, require_zone, wall_time

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
#: What Debian's cron takes for daylight saving; a larger change is a correction.
_DAYLIGHT_SAVING = timedelta(hours=3)
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall time
_FIELDS = (
    "five fields are needed: minute (0-59), hour (0-23), day (1-31), month (1-12 or jan-dec) and "
    "weekday (0-7 or sun-sat, 0 and 7 are Sunday), each with *, lists, ranges and steps"
)


def require_cron(expression: str) -> str:
    """A cron expression of five fields.

    Raises ValueError unless it is one that fires at least once in 50 years.
    """
    shown = repr(expression[:99])
    fields = expression.split()
    if len(fields) != 5:  # noqa: PLR2004 - a sixth one would be seconds
        raise ValueError(f"{shown} is no cron expression: it has {len(fields)} fields; {_FIELDS}")
    try:
        walk = CronSim(expression, _SOME_DAY)
    except (CronSimError, ValueError) as error:  # ValueError: a number of 5,000 digits
        found = str(error) if isinstance(error, CronSimError) else "bad number"
        raise ValueError(f"{shown} is no cron expression: {found.lower()}; {_FIELDS}") from None
    if next(walk, None) is None:
        raise ValueError(f"{shown} never fires: no month of it has such a day")
    return expression


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression on the wall clock of a zone.

    Raises ValueError if the expression or the zone is none.
    """

    expression: str
    zone: str

    def __post_init__(self) -> None:
        require_cron(self.expression)
        require_zone(self.zone)

    @property
    def text(self) -> str:
        """The expression in one spelling."""
        return " ".join(self.expression.lower().split())

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The fire times (UTC) after this moment, in order."""
        day = _midnight(moment)
        while True:
            yield from (found for found in self._on(day) if found > moment)
            # No offset is a day or more: what comes has a wall time from `day` on.
            wall = next(self._walk(_naive(day) - _SECOND), None)
            if wall is None:
                return
            day = max(day + _DAY, _midnight(wall.replace(tzinfo=UTC)) - _DAY)

    def up_to(self, moment: datetime) -> Iterator[datetime]:
        """The fire times (UTC) at this moment and before, the latest first."""
        day = _midnight(moment)
        while True:
            yield from (found for found in reversed(self._on(day)) if found <= moment)
            wall = next(self._walk(_naive(day) + _DAY, back=True), None)
            if wall is None:
                return
            day = min(day - _DAY, _midnight(wall.replace(tzinfo=UTC)) + _DAY)

    def _walk(self, wall: datetime, *, back: bool = False) -> Iterator[datetime]:
        return CronSim(self.expression, wall, reverse=back)

    def _on(self, day: datetime) -> list[datetime]:
        """The fire times of a day of UTC, sorted, each once."""
        end = day + _DAY
        # At most one change of the clocks is in it, or right at its beginning.
        offsets = [wall_time(at, self.zone) - _naive(at) for at in (day - _SECOND, end)]
        last = _naive(end) + max(offsets)
        walls = takewhile(
            lambda wall: wall < last, self._walk(_naive(day) + min(offsets) - _SECOND)
        )
        return sorted({at for at in self._moments(walls) if day <= at < end})

    def _moments(self, walls: Iterable[datetime]) -> Iterator[datetime]:
        minute, hour = self.expression.split()[:2]
        fixed = not (minute.startswith("*") or hour.startswith("*"))
        for wall in walls:
            first, second = readings(wall, self.zone)
            if first <= second:
                yield first
                if not fixed:
                    yield second
            elif fixed and first - second < _DAYLIGHT_SAVING:
                yield change(first, second, self.zone)


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC), time(), UTC)


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)
