"""When cycles begin, as people and programs read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from retrainer.domain.schedule import Schedule, Tick, upcoming, waiting, waits_for_blackout
from retrainer.reports.values import duration, printable


@dataclass(frozen=True)
class ScheduledTime:
    """One time of a schedule, and whether the time after it starts at the same moment."""

    assistant: str
    schedule: Schedule
    tick: Tick
    joins_next: bool

    @property
    def waits(self) -> bool:
        """Whether it waits for the end of a blackout."""
        return waits_for_blackout(self.schedule, self.tick)

    @property
    def delay(self) -> timedelta:
        """From being due to starting."""
        return self.tick.starts_at - self.tick.fire_time

    @property
    def story(self) -> str:
        """What happens to it."""
        if self.waits:
            free = f"blackout until {_clock(self.tick.starts_at, self._zone)}"
            return f"{free}, one cycle with the next" if self.joins_next else free
        if self.delay:
            return f"starts {duration(self.delay.total_seconds())} later (jitter)"
        return "starts at once"

    def cells(self) -> tuple[Text, ...]:
        """When it is due, in the schedule's zone and UTC, and what happens to it."""
        zones = dict.fromkeys((self._zone, ZoneInfo("UTC")))
        due = (Text(_clock(self.tick.fire_time, zone)) for zone in zones)
        return *due, Text(self.story, style="yellow" if self.waits else "")

    def document(self) -> dict[str, Any]:
        """The same, for programs; `delayed_by` is None if it starts at once."""
        by = "blackout" if self.waits else "jitter" if self.delay else None
        return {
            "assistant": self.assistant,
            "fire_time": self.tick.fire_time.isoformat(),
            "local_time": self.tick.fire_time.astimezone(self._zone).isoformat(),
            "time_zone": self.schedule.zone,
            "starts_at": self.tick.starts_at.isoformat(),
            "delayed_by": by,
            "joins_next": self.joins_next,
        }

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.schedule.zone)


def scheduled_times(
    assistant: str, schedule: Schedule, *, now: datetime, count: int
) -> list[ScheduledTime]:
    """The assistant's next times, `count` at most, with the one that waits for a blackout's end."""
    coming = chain(waiting(schedule, now=now), upcoming(schedule, after=now))
    ticks = list(islice(coming, count + 1))
    return [
        ScheduledTime(
            assistant,
            schedule,
            tick,
            joins_next=following is not None and following.starts_at == tick.starts_at,
        )
        for tick, following in pairwise([*ticks, None])
        if tick is not None
    ][:count]


def schedule_table(times: Sequence[ScheduledTime]) -> RenderableType:
    """The next times of one assistant, a line each; at least one."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    schedule = times[0].schedule
    for zone in dict.fromkeys((schedule.zone, "UTC")):
        table.add_column(f"due ({zone})", no_wrap=True)
    table.add_column("what happens", overflow="fold", ratio=1)
    for time in times:
        table.add_row(*time.cells())
    title = Text(f"{times[0].assistant}: {printable(schedule.text)}", style="bold")
    return Group(title, table)


def unscheduled(assistant: str, poll_every: timedelta | None, config: str) -> RenderableType:
    """What to write for an assistant whose cycles have no times of their own."""
    if poll_every is None:
        begins = "no cycle begins by itself"
    else:
        begins = f"new data is looked for every {duration(poll_every.total_seconds())}"
    return Text(
        f"{assistant}: {begins}; for a cycle every night write into {printable(config)}\n"
        f'    [assistants.{assistant}.schedule]\n    cron = "0 3 * * *"\n'
        '    time_zone = "Europe/Berlin"',
        style="dim",
    )


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    """`Sun 2026-11-22 03:00`, with seconds if there are any."""
    local = moment.astimezone(zone)
    return f"{local:%a %Y-%m-%d %H:%M:%S}" if local.second else f"{local:%a %Y-%m-%d %H:%M}"
