"""When cycles begin: real zones over both changes of their clocks, and the laws of ticks."""

import tomllib
import zoneinfo
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrainer.domain.cron import Cron
from retrainer.domain.schedule import (
    CatchUp,
    Schedule,
    Tick,
    latest_due,
    next_start,
    upcoming,
    waiting,
    waits_for_blackout,
)
from retrainer.domain.windows import contains, parse_window

ROOT = Path(__file__).parents[2]
BERLIN = "Europe/Berlin"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SECOND = timedelta(seconds=1)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ZONES = (
    "UTC",
    BERLIN,
    "America/New_York",
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Apia",  # had no 2011-12-30
    "America/Sao_Paulo",  # at midnight, until 2019
    "America/St_Johns",  # a minute past midnight, until 2011
    "America/Havana",  # at midnight, and at one
    "Antarctica/Troll",  # by two hours
    "Africa/Casablanca",  # around Ramadan
    "Pacific/Chatham",  # at a quarter to three
)


def local(text: str, zone: str = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def fires(cron: str, zone: str, since: datetime, until: datetime) -> list[datetime]:
    """The fire times in [since, until)."""
    return list(takewhile(lambda at: at < until, Cron(cron, zone).after(since - SECOND)))


def walls(cron: str, zone: str, since: str, until: str) -> list[str]:
    """The same between two local days, as wall time and offset in hours."""
    found = fires(cron, zone, local(since, zone), local(until, zone))
    here = [at.astimezone(ZoneInfo(zone)) for at in found]
    return [f"{at:%d %H:%M} {at.utcoffset() / HOUR:g}" for at in here]


def blackouts(*texts: str):
    return tuple(map(parse_window, texts))


@pytest.mark.parametrize(
    ("cron", "zone", "since", "until", "expected"),
    [
        ("30 2 * * *", BERLIN, "2026-03-28", "2026-03-31", ["28 02:30 1", "29 03:00 2", "30 02:30 2"]),
        ("30 2 * * *", BERLIN, "2026-10-24", "2026-10-27", ["24 02:30 2", "25 02:30 2", "26 02:30 1"]),
        ("30 2 * * *", "America/New_York", "2026-03-08", "2026-03-09", ["08 03:00 -4"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", "2026-11-02", ["01 01:30 -4"]),
        ("0,30 2,3 * * *", BERLIN, "2026-03-29", "2026-03-30", ["29 03:00 2", "29 03:30 2"]),
        ("10 2 * * *", "Australia/Lord_Howe", "2026-10-04", "2026-10-05", ["04 02:30 11"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", "2026-04-06", ["05 01:45 11"]),
        ("30 0 * * *", "America/Sao_Paulo", "2017-10-15", "2017-10-16", ["15 01:00 -2"]),
        ("30 23 * * *", "America/Sao_Paulo", "2018-02-17", "2018-02-19", ["17 23:30 -2", "18 23:30 -3"]),
        ("30 2 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01", ["29 02:30 -10", "31 02:30 14"]),
        ("30 2 * * *", "Antarctica/Troll", "2026-03-29", "2026-03-30", ["29 03:00 2"]),
        ("0 3 * * 0", BERLIN, "2026-11-16", "2026-11-30", ["22 03:00 1", "29 03:00 1"]),
        ("0 3 * * 7", BERLIN, "2026-11-16", "2026-11-23", ["22 03:00 1"]),
        ("0 3 * * mon", BERLIN, "2026-11-16", "2026-11-23", ["16 03:00 1"]),
        ("0 3 13 * 5", BERLIN, "2026-11-09", "2026-11-21", ["13 03:00 1", "20 03:00 1"]),
        ("0 3 L * *", BERLIN, "2028-02-01", "2028-03-01", ["29 03:00 1"]),
    ],
)  # fmt: skip
def test_a_job_at_a_fixed_time(cron, zone, since, until, expected):
    """Once a day: after a skipped hour at its end, in an hour that comes twice the first time."""
    assert walls(cron, zone, since, until) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "since", "until", "expected"),
    [
        ("0 * * * *", BERLIN, "2026-03-29", "2026-03-29 05:00", ["29 00:00 1", "29 01:00 1", "29 03:00 2", "29 04:00 2"]),
        ("0 * * * *", BERLIN, "2026-10-25 01:00", "2026-10-25 04:00", ["25 01:00 2", "25 02:00 2", "25 02:00 1", "25 03:00 1"]),
        ("*/15 5 * * *", "Australia/Lord_Howe", "2026-10-04", "2026-10-05", ["04 05:00 11", "04 05:15 11", "04 05:30 11", "04 05:45 11"]),
        ("*/30 0-1 * * *", "America/St_Johns", "2010-11-07", "2010-11-08", ["07 00:00 -2.5", "07 00:00 -3.5", "07 00:30 -3.5", "07 01:00 -3.5", "07 01:30 -3.5"]),
        ("*/30 23 * * *", "America/St_Johns", "2010-11-06", "2010-11-07 02:00", ["06 23:00 -2.5", "06 23:30 -2.5", "06 23:30 -3.5"]),
        ("*/30 2 * * *", BERLIN, "2026-03-29", "2026-03-30", []),
    ],
)  # fmt: skip
def test_a_job_with_a_star(cron, zone, since, until, expected):
    """Whenever the wall clock shows its time: never in a skipped hour, twice in one that repeats."""
    assert walls(cron, zone, since, until) == expected


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone != "Pacific/Apia"])
@pytest.mark.parametrize("at", [time(0, 0), time(2, 30), time(23, 45)])
def test_a_daily_job_fires_once_on_every_day(zone, at):
    """Over four years, with no regard to what the clocks do, each local day has one tick."""
    since, until = datetime(2008, 7, 1), datetime(2012, 7, 1)  # noqa: DTZ001 - wall times
    found = fires(
        f"{at.minute} {at.hour} * * *", zone, local(str(since), zone), local(str(until), zone)
    )
    days = Counter(moment.astimezone(ZoneInfo(zone)).date() for moment in found)
    expected = {since.date() + DAY * number for number in range((until - since).days)}
    assert dict(days) == dict.fromkeys(expected, 1)


def test_a_day_that_was_left_out_has_no_tick():
    """In Samoa 2011-12-29 was followed by the 31st; neither day has two ticks."""
    two_months = [local(day, "Pacific/Apia") for day in ("2011-12-01", "2012-02-01")]
    found = fires("30 2 * * *", "Pacific/Apia", *two_months)
    days = Counter(at.astimezone(ZoneInfo("Pacific/Apia")).date() for at in found)
    assert set(days.values()) == {1}
    assert date(2011, 12, 30) not in days
    assert len(days) == 61


def changes_of_clocks() -> list[tuple[str, datetime]]:
    """Every zone with the midnights (UTC) before its changes of clocks, 2005 to 2035."""
    found = []
    for zone in ZONES:
        here = ZoneInfo(zone)
        days = [datetime(2005, 1, 1, tzinfo=UTC) + DAY * number for number in range(365 * 30)]
        offsets = [day.astimezone(here).utcoffset() for day in days]
        found += [
            (zone, day)
            for (day, old), (_, new) in pairwise(zip(days, offsets, strict=True))
            if old != new
        ]
    return found


CHANGES = changes_of_clocks()
minutes = st.sampled_from(["0", "30", "7,37", "*/15", "59", "*/7", "10-20/5"])
hours = st.sampled_from(["*", "0", "2", "*/2", "1,2,3", "23", "0,23", "22-23", "*/5"])


def shows(wall: datetime, cron: str) -> bool:
    """Whether the wall clock shows a time of the cron expression, whose day is any."""
    minute, hour = cron.split()[:2]
    return all(
        any(value in _values(part, size) for part in field.split(","))
        for field, value, size in ((minute, wall.minute, 60), (hour, wall.hour, 24))
    )


def _values(part: str, size: int) -> range:
    span, _, step = part.partition("/")
    if span == "*":
        return range(0, size, int(step or 1))
    first, _, last = span.partition("-")
    return range(int(first), int(last or first) + 1, int(step or 1))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CHANGES), minutes, hours)
def test_ticks_are_those_of_a_clock_that_is_watched(change, minute, hour):
    """Minute by minute around every kind of change: no real interval is doubled or missed."""
    (zone, day), cron = change, f"{minute} {hour} * * *"
    here = ZoneInfo(zone)
    start = day - HOUR
    watched = [start + MINUTE * number for number in range(27 * 60)]
    clock = [at.astimezone(here).replace(tzinfo=None) for at in watched]
    if minute.startswith("*") or hour.startswith("*"):
        expected = [at for at, wall in zip(watched, clock, strict=True) if shows(wall, cron)]
    else:  # whenever the clock reaches, or jumps over, a time for the first time
        expected, furthest = [], clock[0] - MINUTE
        for at, wall in zip(watched, clock, strict=True):
            passed = range(1, int((wall - furthest) / MINUTE) + 1)
            due = any(shows(furthest + MINUTE * number, cron) for number in passed)
            if due and (len(passed) < 180 or shows(wall, cron)):
                expected.append(at)
            furthest = max(furthest, wall)
    assert fires(cron, zone, start, watched[-1] + MINUTE) == expected
    back = list(takewhile(lambda at: at >= start, Cron(cron, zone).up_to(watched[-1])))
    assert back == expected[::-1]


SELDOM = [None, "0 * * * *", "30 2 * * *", "0 3 * * 1-5", "0 0 1 * *", "15,45 1-3 * * *"]
intervals = st.sampled_from([None, MINUTE * 45, HOUR * 6, DAY * 7])
jitters = st.sampled_from([timedelta(0), SECOND, MINUTE * 10, HOUR * 5])
closed = st.lists(
    st.sampled_from(
        ["02:00-05:00", "mon-fri 08:00-18:00", "sat,sun 00:00-24:00", "22:00-04:00",
         "2026-10-20..2026-10-27", "01:00-02:30"]
    ),
    max_size=3,
)  # fmt: skip


@st.composite
def schedules(draw, crons=(*SELDOM, "* * * * *", "*/15 * * * *", "0 4 29 2 *")) -> Schedule:
    return Schedule(
        cron=draw(st.sampled_from(crons)),
        zone=draw(st.sampled_from(ZONES)),
        every=draw(intervals),
        jitter=draw(jitters),
        blackouts=blackouts(*draw(closed)),
        seed=draw(st.sampled_from(["shop", "bank"])),
    )


moments = st.sampled_from(CHANGES).flatmap(
    lambda change: st.integers(-2 * 86400, 2 * 86400).map(lambda s: change[1] + SECOND * s)
)


def some(schedule: Schedule, after: datetime, number: int = 40) -> list[Tick]:
    return list(islice(upcoming(schedule, after=after), number))


@settings(max_examples=150, deadline=None)
@given(schedules(), moments)
def test_laws_of_ticks(schedule, moment):
    """In order, each once, in whole seconds; the jitter within its limits; never in a blackout."""
    ticks = some(schedule, moment)
    assert bool(ticks) == bool(schedule.text)
    assert all(tick.fire_time > moment for tick in ticks)
    for tick, following in pairwise(ticks):
        assert tick.fire_time < following.fire_time
        assert tick.starts_at <= following.starts_at
    for tick in ticks:
        assert tick.starts_at >= tick.fire_time
        assert {tick.fire_time.microsecond, tick.starts_at.microsecond} == {0}
        assert tick.fire_time.tzinfo is tick.starts_at.tzinfo is UTC
        assert not contains(schedule.blackouts, tick.starts_at, schedule.zone)
        if not waits_for_blackout(schedule, tick):
            assert tick.starts_at <= tick.fire_time + schedule.jitter


@settings(max_examples=60, deadline=None)
@given(schedules(), moments, st.integers(0, 39))
def test_ticks_do_not_hang_on_when_they_are_asked_for(schedule, moment, cut):
    """Asked in pieces, from any moment on, they are the same."""
    ticks = some(schedule, moment)
    if cut < len(ticks):
        assert some(schedule, ticks[cut].fire_time, 39 - cut) == ticks[cut + 1 :]
        assert some(schedule, ticks[cut].fire_time - SECOND, 40 - cut) == ticks[cut:]


@settings(max_examples=150, deadline=None)
@given(schedules(), moments, st.integers(0, 3 * 86400))
def test_the_latest_due_is_the_last_that_has_started(schedule, after, seconds):
    """Found backwards, it is the one that counting forwards ends with."""
    now = after + SECOND * seconds
    started = [
        tick
        for tick in takewhile(lambda tick: tick.fire_time <= now, upcoming(schedule, after=after))
        if tick.starts_at <= now
    ]
    assert latest_due(schedule, after=after, now=now) == (started[-1] if started else None)


@settings(max_examples=100, deadline=None)
@given(schedules(SELDOM), moments)
def test_the_next_start_is_the_first_of_all_that_come(schedule, moment):
    """It may be of a tick that fired long ago and waits for the end of a blackout."""
    long_ago = moment - DAY * 9
    coming = upcoming(schedule, after=long_ago)
    expected = next((tick.starts_at for tick in coming if tick.starts_at > moment), None)
    assert next_start(schedule, after=moment) == expected


@settings(max_examples=100, deadline=None)
@given(schedules(SELDOM), moments)
def test_what_has_fired_and_waits(schedule, moment):
    """The latest tick for each moment at which one starts that has fired but not yet started."""
    fired = takewhile(
        lambda tick: tick.fire_time <= moment, upcoming(schedule, after=moment - DAY * 9)
    )
    expected = {tick.starts_at: tick for tick in fired if tick.starts_at > moment}
    assert waiting(schedule, now=moment) == tuple(expected.values())


def test_two_may_wait_for_different_moments():
    """One for the end of a blackout, and one whose jitter leads beyond it."""
    busy = Schedule(
        every=MINUTE * 45, jitter=MINUTE * 44, blackouts=blackouts("08:00-17:20"), seed="shop"
    )
    end, now = NOW.replace(hour=17, minute=20), NOW.replace(hour=17, minute=16)
    first, second = waiting(busy, now=now)
    assert first == Tick(NOW.replace(hour=16, minute=30), end)
    assert second.fire_time == NOW.replace(hour=17, minute=15)
    assert second.starts_at > end
    assert next_start(busy, after=now) == end


def test_an_empty_schedule_never_ticks():
    """Without cron and interval nothing is ever due."""
    assert some(Schedule(), NOW) == []
    assert latest_due(Schedule(), after=NOW - DAY, now=NOW) is None
    assert next_start(Schedule(), after=NOW) is None
    assert Schedule(jitter=HOUR).text == ""


def test_an_interval_lies_on_a_grid():
    """Every six hours is at 00, 06, 12 and 18 o'clock UTC, whoever asks when."""
    found = [tick.fire_time for tick in some(Schedule(every=HOUR * 6), NOW + SECOND, 3)]
    assert found == [NOW + HOUR * 6, NOW + HOUR * 12, NOW + HOUR * 18]


def test_cron_and_interval_are_united():
    """The moments of both, each once."""
    both = Schedule(cron="0 */4 * * *", every=HOUR * 6)
    hours = [tick.fire_time.hour for tick in some(both, NOW - SECOND, 8)]
    assert hours == [12, 16, 18, 20, 0, 4, 6, 8]


def test_jitter_is_spread_and_differs_between_assistants():
    """Equal schedules of two assistants do not begin at once; the whole range is used."""
    late = {
        seed: [
            (tick.starts_at - tick.fire_time) // SECOND
            for tick in some(Schedule(every=HOUR, jitter=MINUTE, seed=seed), NOW, 2000)
        ]
        for seed in ("shop", "bank")
    }
    assert set(late["shop"]) == set(range(61))
    assert max(Counter(late["shop"]).values()) < 3 * 2000 / 61
    assert sum(a == b for a, b in zip(*late.values(), strict=True)) < 3 * 2000 / 61


def test_jitter_never_changes_between_versions():
    """Daemons of different versions side by side agree on it."""
    tick = next(upcoming(Schedule(every=HOUR, jitter=MINUTE * 10, seed="shop"), after=NOW))
    assert tick.starts_at == NOW + HOUR + timedelta(minutes=8, seconds=23)


def test_a_jitter_longer_than_the_period_is_cut():
    """Each tick starts before the next one fires, and the longer gaps use all of it."""
    ticks = some(Schedule(cron="0,5 * * * *", jitter=MINUTE * 30, seed="shop"), NOW, 400)
    assert all(a.starts_at < b.fire_time for a, b in pairwise(ticks))
    assert max(tick.starts_at - tick.fire_time for tick in ticks) > MINUTE * 29


def test_all_that_a_blackout_holds_back_is_one_cycle():
    """Ten hourly ticks wait for its end; then only the latest is due."""
    working = Schedule(cron="0 * * * *", blackouts=blackouts("08:00-18:00"))
    after, end = NOW.replace(hour=7), NOW.replace(hour=18)
    ticks = some(working, after, 11)
    assert {tick.starts_at for tick in ticks} == {end}
    assert latest_due(working, after=after, now=end - SECOND) is None
    assert latest_due(working, after=after, now=end) == ticks[-1] == Tick(end, end)
    assert next_start(working, after=after) == end


def test_a_tick_from_before_a_blackout_is_due_in_it():
    """What started before is not held back."""
    working = Schedule(cron="0 * * * *", blackouts=blackouts("08:00-18:00"))
    due = latest_due(working, after=NOW - DAY, now=NOW)
    assert due == Tick(NOW.replace(hour=7), NOW.replace(hour=7))


@pytest.mark.parametrize("cron", ["* * * * *", "0 3 * * *", "0 0 29 2 *", "0 0 * 2 mon#5"])
@pytest.mark.parametrize("closed", [(), ("2026-01-01..2026-12-31", "22:00-04:00")])
def test_many_years_cost_no_time(cron, closed):
    """A daemon that was away for ten years finds the latest tick at once."""
    busy = Schedule(cron=cron, zone=BERLIN, jitter=MINUTE * 5, blackouts=blackouts(*closed))
    begun = perf_counter()
    due = latest_due(busy, after=NOW - DAY * 3660, now=NOW)
    assert perf_counter() - begun < 1
    if cron != "0 0 * 2 mon#5":
        assert due is not None
        assert due.starts_at <= NOW


def test_the_text_says_what_decides_the_fire_times():
    """Another spelling, jitter or blackout leaves the ticks that are owed as they are."""
    plain = Schedule(cron="0 3 * * mon", zone=BERLIN, every=HOUR)
    same = Schedule(
        cron=" 0  3 * * MON", zone=BERLIN, every=MINUTE * 60, jitter=MINUTE, seed="x",
        blackouts=blackouts("08:00-18:00"), catch_up=CatchUp.NONE,
    )  # fmt: skip
    assert plain.text == same.text == "cron 0 3 * * mon Europe/Berlin, every 3600s"
    assert Schedule(every=HOUR).text == Schedule(every=HOUR, zone=BERLIN).text
    texts = {
        plain.text,
        Schedule(cron="0 4 * * mon", zone=BERLIN, every=HOUR).text,
        Schedule(cron="0 3 * * mon", every=HOUR).text,
        Schedule(cron="0 3 * * mon", zone=BERLIN).text,
        Schedule(every=HOUR).text,
        Schedule().text,
    }
    assert len(texts) == 6


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("", "it has 0 fields; five fields are needed: minute (0-59)"),
        ("@daily", "it has 1 fields"),
        ("0 0 3 * * *", "it has 6 fields"),
        ("60 3 * * *", "'60 3 * * *' is no cron expression: bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 3 0 * *", "bad day-of-month"),
        ("0 3 * 13 *", "bad month"),
        ("0 3 * * 8", "bad day-of-week"),
        ("0 3 * * fri-mon", "bad day-of-week"),
        ("0 3 30 2 *", "bad day-of-month"),
        ("0 3 */30 2 2L", "never fires"),
        (f"{'9' * 5000} * * * *", "bad number"),
    ],
)
def test_what_is_no_cron_expression(cron, problem):
    """A wrong expression is refused with its field, one that never fires with that."""
    with pytest.raises(ValueError, match=r"is no cron expression|never fires") as caught:
        Schedule(cron=cron)
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.text(alphabet="0123456789*/-,#Llwmon ", max_size=20) | st.text(max_size=20))
@settings(deadline=None)
def test_any_text_is_a_cron_expression_or_a_value_error(text):
    """Nothing that a person may write leads to another failure."""
    for expression in (text, f"0 3 {text} * *", f"0 3 * * {text}", f"{text} * * * *"):
        try:
            cron = Cron(expression, "UTC")
        except ValueError:
            continue
        assert next(cron.after(NOW)) > NOW


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"zone": "Berlin"}, "'Berlin' is no time zone of the IANA database; did you mean Eu"),
        ({"zone": "europe/berlin"}, "did you mean Europe/Berlin?"),
        ({"zone": "Europe"}, "'Europe' is no time zone"),
        ({"zone": ""}, "'' is no time zone"),
        ({"zone": "../Europe/Berlin"}, "is no time zone"),
        ({"zone": "x" * 5000}, "is no time zone"),
        ({"every": timedelta(0)}, "an interval of 0s; it has to be of whole seconds, 1s to 366d"),
        ({"every": timedelta(seconds=1.5)}, "an interval of 1.5s"),
        ({"every": DAY * 367}, "1s to 366d"),
        ({"jitter": -SECOND}, "a jitter of -1s is below 0"),
        ({"blackouts": blackouts("00:00-24:00")}, "00:00-24:00 leave no time at all"),
    ],
)
def test_what_is_no_schedule(options, problem):
    """A schedule that cannot be meant cannot be made."""
    with pytest.raises(ValueError, match=r"time|interval|jitter") as caught:
        Schedule(**options)
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 300


def test_zones_need_nothing_of_the_system():
    """A slim container has no zone data: a package that has it comes with retrainer."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert any(name.startswith("tzdata") for name in project["dependencies"])
    zoneinfo.reset_tzpath(to=())
    try:
        assert [ZoneInfo.no_cache(zone).key for zone in ZONES] == [*ZONES]
    finally:
        zoneinfo.reset_tzpath()
