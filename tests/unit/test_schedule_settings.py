"""[assistants.NAME.schedule]: what may be written, and what it means."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retrainer.domain.schedule import CatchUp, Schedule
from retrainer.domain.windows import parse_window
from retrainer.errors import EXIT_CONFIGURATION, ConfigurationError
from retrainer.settings import load
from retrainer.settings.schedule import ScheduleSettings, promotion_opens, schedule_of

ASSISTANT = '[assistants.shop]\nsource = { type = "directory", path = "project" }\n'
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def read(folder: Path, schedule: str, **environment: str) -> ScheduleSettings:
    path = folder / "retrainer.toml"
    path.write_text(f"{ASSISTANT}[assistants.shop.schedule]\n{schedule}\n", encoding="utf-8")
    return load(path, environment).assistants["shop"].schedule


def test_everything_can_be_set(tmp_path):
    """Each option reaches the schedule, which is seeded with the assistant's name."""
    settings = read(
        tmp_path,
        """
        cron = "0 3 * * mon-fri"
        time_zone = "Europe/Berlin"
        every = "6h"
        jitter = "10m"
        blackouts = ["mon-fri 08:00-18:00", "2026-12-24..2026-12-27"]
        catch_up = "none"
        poll_every = "5m"
        minimum_new_examples = 20
        promotion_hours = ["02:00-05:00"]
        """,
    )
    assert schedule_of(settings, "shop") == Schedule(
        cron="0 3 * * mon-fri",
        zone="Europe/Berlin",
        every=timedelta(hours=6),
        jitter=timedelta(minutes=10),
        blackouts=(parse_window("mon-fri 08:00-18:00"), parse_window("2026-12-24..2026-12-27")),
        seed="shop",
        catch_up=CatchUp.NONE,
    )
    assert (settings.poll_every, settings.minimum_new_examples) == (timedelta(minutes=5), 20)
    assert settings.promotion_hours == (parse_window("02:00-05:00"),)


def test_nothing_has_to_be_set(tmp_path):
    """Without a schedule no cycle begins by itself, and what missed its time is made up for."""
    schedule = schedule_of(read(tmp_path, ""), "shop")
    assert schedule == Schedule(seed="shop")
    assert schedule.text == ""
    assert schedule.catch_up is CatchUp.LATEST


def test_the_environment_may_set_it(tmp_path):
    """Windows are a JSON list there."""
    key = "RETRAINER_ASSISTANTS__SHOP__SCHEDULE__"
    settings = read(
        tmp_path, "", **{f"{key}CRON": "0 3 * * *", f"{key}BLACKOUTS": '["02:00-05:00"]'}
    )
    assert (settings.cron, settings.blackouts) == ("0 3 * * *", (parse_window("02:00-05:00"),))


def test_it_can_be_written_again(tmp_path):
    """What was read is written as it may be read."""
    settings = read(tmp_path, 'every = "6h"\nblackouts = ["Mon-Fri 08:00-18:00"]')
    written = settings.model_dump(mode="json", exclude_defaults=True)
    assert written == {"every": "21600s", "blackouts": ["mon-fri 08:00-18:00"]}
    assert ScheduleSettings.model_validate(written) == settings


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ('cron = "61 3 * * *"', "cron: '61 3 * * *' is no cron expression: bad minute; five"),
        ('cron = "0 3 * *"', "cron: '0 3 * *' is no cron expression: it has 4 fields; five"),
        ('time_zone = "Berlin"', "time_zone: 'Berlin' is no time zone of the IANA database; did"),
        ('every = "0.5s"', "every: an interval of 0.5s; it has to be of whole seconds, 1s to 366d"),
        ('every = "400d"', "every: an interval of 34560000s; it has to be of whole seconds, 1s to"),
        (f'every = "{"9" * 30}d"', "every: a duration is at most"),
        ('every = "6 weeks"', "every: a duration is a number with a unit"),
        ('blackouts = ["25:00-26:00"]', "blackouts.0: '25:00-26:00' is no window of time: 25:00"),
        ('blackouts = ["02:00-05:00", "8-18"]', "blackouts.1: '8-18' is no window of time; a win"),
        ("blackouts = [5]", 'blackouts.0: a window is a text such as "mon-fri 08:00-18:00"'),
        ("blackouts = [{ text = 'x' }]", "blackouts.0: a window is a text such as"),
        ('blackouts = ["00:00-24:00"]', "blackouts: 00:00-24:00 leave no time at all in which"),
        ('blackouts = ["00:00-24:00"]\ntime_zone = "x"', "time_zone: 'x' is no time zone"),
        ('promotion_hours = ["8-18"]', "promotion_hours.0: '8-18' is no window of time"),
        ('promotion_hours = ["2026-12-24..2026-12-27"]', "promotion_hours: windows of dates alone"),
        ('catch_up = "all"', "catch_up: Input should be 'latest' or 'none'"),
        ('poll_every = "0.1s"', "poll_every: 0.1s is too often, 1s is the least"),
        ("minimum_new_examples = 0", "minimum_new_examples: Input should be greater than or equal"),
        ('jitter = "5m"', "schedule: `jitter` delays the times of `cron` or `every`: set one"),
        ("minimum_new_examples = 5", "schedule: `minimum_new_examples` is asked when data is poll"),
        ('catchup = "none"', "catchup: unknown key, did you mean catch_up?"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, schedule, problem):
    """The error names the key, what is wrong with it, and what is allowed."""
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, schedule)
    assert caught.value.exit_code == EXIT_CONFIGURATION
    assert "retrainer.toml: assistants.shop.schedule" in str(caught.value)
    assert problem in str(caught.value)


def test_when_winners_are_promoted(tmp_path):
    """At once, or from the beginning of the next window on, by the clock of the zone."""
    assert promotion_opens(read(tmp_path, ""), NOW) == NOW
    hours = 'time_zone = "Europe/Berlin"\npromotion_hours = ["02:00-05:00"]'
    settings = read(tmp_path, hours)
    night = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
    assert promotion_opens(settings, NOW) == night
    assert promotion_opens(settings, night + timedelta(hours=1)) == night + timedelta(hours=1)
