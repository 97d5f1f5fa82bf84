"""[assistants.NAME.schedule]: when an assistant's cycles begin by themselves."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
    model_validator,
)

from retrainer.domain.cron import require_cron
from retrainer.domain.schedule import CatchUp, Schedule, require_every, require_time_left
from retrainer.domain.wall_clock import require_zone
from retrainer.domain.windows import Window, next_inside, parse_window
from retrainer.settings.values import Duration, Section

_SECOND = timedelta(seconds=1)
#: Not reached: at least one of the windows comes each week.
_NEVER = datetime.max.replace(tzinfo=UTC)


def _window(value: object) -> object:
    if isinstance(value, Window):
        return value
    if not isinstance(value, str):
        raise ValueError('a window is a text such as "mon-fri 08:00-18:00"')  # noqa: TRY004 - pydantic's
    return parse_window(value)


def _not_too_often(interval: timedelta) -> timedelta:
    if interval < _SECOND:
        raise ValueError(f"{interval.total_seconds():g}s is too often, 1s is the least")
    return interval


WindowText = Annotated[Window, BeforeValidator(_window), PlainSerializer(str, return_type=str)]


class ScheduleSettings(Section):
    """When cycles begin by themselves. Empty: only when a person or a hook asks for one."""

    cron: Annotated[str, AfterValidator(require_cron)] | None = None
    """Cron expression of five fields, by the clock on the wall of `time_zone`; 0 and 7 are Sunday."""

    time_zone: Annotated[str, AfterValidator(require_zone)] = "UTC"
    """Zone of `cron`, `blackouts` and `promotion_hours`, such as "Europe/Berlin"."""

    every: Annotated[Duration, AfterValidator(require_every)] | None = None
    """Interval, from 1970-01-01 00:00 UTC on; with `cron`: the times of both."""

    jitter: Duration | None = None
    """Up to so much later, different for each assistant and time, but always before the next time."""

    blackouts: tuple[WindowText, ...] = ()
    """Windows of time in which no cycle begins; one that is due waits for the end."""

    catch_up: CatchUp = CatchUp.LATEST
    """What becomes of times that passed while no daemon ran: the "latest" is made up for, or "none"."""

    poll_every: Annotated[Duration, AfterValidator(_not_too_often)] | None = None
    """How often to look whether the source has new data; empty: never."""

    minimum_new_examples: int = Field(default=1, ge=1)
    """How many examples have to be new before `poll_every` begins a cycle; 1: any change does."""

    promotion_hours: tuple[WindowText, ...] = ()
    """Windows of time in which a winner is promoted; empty: at once."""

    @field_validator("blackouts")
    @classmethod
    def _some_time_is_left(
        cls, blackouts: tuple[Window, ...], before: ValidationInfo
    ) -> tuple[Window, ...]:
        require_time_left(blackouts, before.data.get("time_zone", "UTC"))
        return blackouts

    @field_validator("promotion_hours")
    @classmethod
    def _one_comes_again(cls, hours: tuple[Window, ...]) -> tuple[Window, ...]:
        if hours and all(window.dates for window in hours):
            raise ValueError('windows of dates alone run out: add one such as "02:00-05:00"')
        return hours

    @model_validator(mode="after")
    def _nothing_is_without_effect(self) -> Self:
        if self.jitter and not (self.cron or self.every):
            raise ValueError("`jitter` delays the times of `cron` or `every`: set one of them")
        if self.minimum_new_examples > 1 and not self.poll_every:
            raise ValueError(
                "`minimum_new_examples` is asked when data is polled: set `poll_every`"
            )
        return self


def schedule_of(settings: ScheduleSettings, name: str) -> Schedule:
    """The schedule of the assistant of this name."""
    return Schedule(
        cron=settings.cron,
        zone=settings.time_zone,
        every=settings.every,
        jitter=settings.jitter or timedelta(0),
        blackouts=settings.blackouts,
        seed=name,
        catch_up=settings.catch_up,
    )


def promotion_opens(settings: ScheduleSettings, moment: datetime) -> datetime:
    """The first moment from this one on at which a winner may be promoted."""
    return next_inside(settings.promotion_hours, moment, settings.time_zone) or _NEVER
