"""The doctor looks at schedules: do cycles ever begin, and may their winners serve soon?"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from retrainer.domain.schedule import next_start
from retrainer.reports.values import moment
from retrainer.settings.schedule import promotion_opens
from retrainer.wiring.application import Application
from retrainer.wiring.doctor.diagnosis import Diagnosis, good, warning

#: A winner that waits for longer was trained on data that is no longer fresh.
_LONGEST_WAIT = timedelta(days=1)
#: Some zone that any collection of them has.
_ZONE = "Europe/Berlin"


def schedules(app: Application, names: Sequence[str]) -> Iterator[Diagnosis]:
    """When each assistant's cycles begin."""
    now = app.clock.now()
    for name in names:
        settings, what = app.settings.assistants[name].schedule, f"schedule of {name}"
        start = next_start(app.schedule(name), after=now)
        timed = settings.cron is not None or settings.every is not None
        polled = settings.poll_every is not None
        if start is not None:
            yield good(what, f"next at {moment(start)} UTC")
        elif timed:
            yield warning(
                what,
                f"{app.schedule(name).text} never fires",
                f"change `cron` in [assistants.{name}.schedule]; `retrainer schedule` shows times",
            )
        elif polled:
            yield good(what, f"none; new data is looked for every {settings.poll_every}")
        else:
            yield good(what, "none: cycles begin when somebody asks for them")
        if start is not None or polled:
            yield from _promotion(app, name, start or now)
    yield from _collisions(app, names, now)


def zones(_app: Application) -> Iterator[Diagnosis]:
    """Whether there is time zone data."""
    try:
        ZoneInfo(_ZONE)
    except ZoneInfoNotFoundError:
        yield warning(
            "time zones",
            "this machine has no time zone data, so that only UTC can be used",
            "pip install tzdata (or apt-get install tzdata)",
        )
    else:
        yield good("time zones", "known", minor=True)


def _promotion(app: Application, name: str, start: datetime) -> Iterator[Diagnosis]:
    """Whether a winner may serve within a day."""
    settings = app.settings.assistants[name].schedule
    opens = promotion_opens(settings, start)
    if opens - start > _LONGEST_WAIT:
        hours = ", ".join(map(str, settings.promotion_hours))
        yield warning(
            f"schedule of {name}",
            f"a winner of the cycle at {moment(start)} UTC would wait until {moment(opens)} UTC: "
            f"promotion_hours are {hours}",
            f"add hours to `promotion_hours` of [assistants.{name}.schedule], or train before them",
        )


def _collisions(app: Application, names: Sequence[str], now: datetime) -> Iterator[Diagnosis]:
    """Whether more assistants begin in one minute than may be at work."""
    at_once = app.settings.daemon.cycles_at_once
    together: dict[datetime, list[str]] = defaultdict(list)
    for name in app.settings.assistants:
        settings = app.settings.assistants[name].schedule
        start = next_start(app.schedule(name), after=now)
        if start is not None and settings.jitter is None:
            together[start.replace(second=0)].append(name)
    for start, found in sorted(together.items()):
        if len(found) > at_once and set(found) & set(names):
            yield warning(
                "schedules",
                f"{', '.join(found)} all begin at {moment(start)} UTC, and {at_once} may be at "
                "work at a time: the others wait",
                f'set `jitter = "10m"` in [assistants.{found[-1]}.schedule], other times, or raise '
                "daemon.cycles_at_once",
            )
