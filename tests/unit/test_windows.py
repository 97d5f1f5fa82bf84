"""Windows of time: what may be written, and what they hold where clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrainer.domain.windows import (
    WEEKDAYS,
    contains,
    end_of,
    next_inside,
    parse_window,
    start_of,
)

BERLIN = "Europe/Berlin"
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
#: Clocks change at night, by half an hour, at midnight, one minute past it, and by a whole day.
CHANGES = {
    "UTC": "2026-03-29",
    BERLIN: "2026-03-29 2026-10-25",
    "America/New_York": "2026-03-08 2026-11-01",
    "Australia/Lord_Howe": "2026-04-05 2026-10-04",
    "America/Sao_Paulo": "2017-10-15 2018-02-18",
    "America/St_Johns": "2010-03-14 2010-11-07",
    "Pacific/Apia": "2011-12-30",
    "Antarctica/Troll": "2026-03-29 2026-10-25",
}


def windows(*texts: str):
    return tuple(map(parse_window, texts))


def local(text: str, zone: str = BERLIN, fold: int = 0) -> datetime:
    """The moment, UTC: Python never calls times equal that come twice in one of two zones."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("02:00-05:00", "2026-11-21 02:00", "2026-11-21 05:00"),
        ("2:00-5:00", "2026-11-21 04:59", "2026-11-21 01:59"),
        ("mon-fri 08:00-18:00", "2026-11-20 17:59", "2026-11-21 12:00"),
        ("Sat,Sun  00:00-24:00", "2026-11-22 23:59", "2026-11-23 00:00"),
        ("22:00-04:00", "2026-11-22 03:59", "2026-11-22 04:00"),
        ("fri 22:00-04:00", "2026-11-21 03:00", "2026-11-20 03:00"),
        ("fri 22:00-00:00", "2026-11-20 23:59", "2026-11-21 00:00"),
        ("sun-mon 10:00-11:00", "2026-11-23 10:30", "2026-11-24 10:30"),
        ("tue-wed,sat 10:00-11:00", "2026-11-21 10:30", "2026-11-20 10:30"),
        ("2026-12-24..2026-12-27", "2026-12-27 23:59", "2026-12-28 00:00"),
        ("2026-12-24..2026-12-24", "2026-12-24 00:00", "2026-12-23 23:59"),
    ],
)
def test_what_a_window_holds(text, inside, outside):
    """The beginning belongs to a window, the end does not; all is by the wall clock of the zone."""
    assert contains(windows(text), local(inside), BERLIN)
    assert not contains(windows(text), local(outside), BERLIN)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is no window of time; a window is such as"),
        ("8-18", "'8-18' is no window of time; a window is such as"),
        ("25:00-26:00", "25:00 is no time between 00:00 and 24:00"),
        ("08:60-09:00", "08:60 is no time"),
        ("23:00-24:30", "24:30 is no time"),
        ("24:00-04:00", "a day begins at 00:00"),
        ("08:00-08:00", "it ends when it begins; a whole day is 00:00-24:00"),
        ("mo 08:00-09:00", "'mo' is none of mon, tue"),
        ("mon-tue-wed 08:00-09:00", "'tue-wed' is none of mon"),
        ("mon, 08:00-09:00", "'' is none of mon"),
        ("2026-12-27..2026-12-24", "it ends before it begins"),
        ("2026-02-30..2026-03-01", "day is out of range"),
        ("0001-01-01..9999-12-31", "the years 2000 to 2199 are known"),
        ("2026-12-24", "is no window of time; a window is such as"),
    ],
)
def test_what_is_no_window(text, problem):
    """A window that cannot be meant is refused with the reason and with what is allowed."""
    with pytest.raises(ValueError, match="is no window of time") as caught:
        parse_window(text)
    assert problem in str(caught.value)
    assert '"mon-fri 08:00-18:00"' in str(caught.value)


@given(st.text(alphabet="0123456789:-., monfriatu", max_size=30) | st.text(max_size=30))
def test_any_text_is_a_window_or_a_value_error(text):
    """Nothing that a person may write leads to another failure."""
    try:
        assert parse_window(parse_window(text).text) == parse_window(text)
    except ValueError as error:
        assert "is no window of time" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("texts", "moment", "end"),
    [
        (["mon-fri 08:00-18:00"], "2026-11-20 09:00", "2026-11-20 18:00"),
        (["mon-fri 08:00-18:00"], "2026-11-21 09:00", "2026-11-21 09:00"),
        (["22:00-04:00", "03:00-06:00"], "2026-11-20 23:00", "2026-11-21 06:00"),
        (["sat,sun 00:00-24:00", "mon 00:00-08:00"], "2026-11-21 01:00", "2026-11-23 08:00"),
        (["2026-12-24..2026-12-27"], "2026-12-25 09:00", "2026-12-28 00:00"),
        (["2026-01-01..2031-12-31"], "2026-12-25 09:00", "2032-01-01 00:00"),
        (
            ["mon-fri 00:00-24:00", "2026-12-01..2027-03-01"],
            "2026-12-25 09:00",
            "2027-03-06 00:00",
        ),
        (["mon-sat 00:00-24:00", "2026-11-22..2026-11-22"], "2026-11-20 09:00", "2026-11-29 00:00"),
        (["mon-sun 00:00-23:59"], "2026-11-20 09:00", "2026-11-20 23:59"),
    ],
)
def test_the_end_of_windows(texts, moment, end):
    """Windows that touch or overlap are left together, however long that takes."""
    assert end_of(windows(*texts), local(moment), BERLIN) == local(end)
    assert next_inside(windows(*texts), local(end) - SECOND, BERLIN) is not None


def test_windows_that_never_end():
    """What covers the whole week has neither beginning nor end."""
    always = windows("mon-fri 00:00-24:00", "sat,sun 00:00-12:00", "sat,sun 11:00-00:00")
    assert end_of(always, local("2026-11-20 09:00"), BERLIN) is None
    assert start_of(always, local("2026-11-20 09:00"), BERLIN) is None


@pytest.mark.parametrize(
    ("texts", "moment", "begins"),
    [
        ([], "2026-11-20 09:00", "2026-11-20 09:00"),
        (["02:00-05:00"], "2026-11-20 03:00", "2026-11-20 03:00"),
        (["02:00-05:00"], "2026-11-20 05:00", "2026-11-21 02:00"),
        (["02:00-05:00", "sat 01:00-02:00"], "2026-11-20 05:00", "2026-11-21 01:00"),
        (["2030-12-24..2030-12-27"], "2026-11-20 05:00", "2030-12-24 00:00"),
        (["sun 02:00-03:00"], "2026-03-23 05:00", "2026-04-05 02:00"),
    ],
)
def test_the_next_moment_inside(texts, moment, begins):
    """No windows mean always; a window in a skipped hour comes a week later."""
    assert next_inside(windows(*texts), local(moment), BERLIN) == local(begins)


def test_windows_of_the_past_do_not_come_again():
    """Dates that are over never come."""
    assert next_inside(windows("2025-12-24..2025-12-27"), local("2026-01-01"), BERLIN) is None


def test_an_hour_that_comes_twice_is_left_twice():
    """A window that ends in it has a break from its end to the change, and then its rest."""
    night = windows("01:00-02:30")
    first, second = local("2026-10-25 02:30"), local("2026-10-25 02:30", fold=1)
    assert end_of(night, local("2026-10-25 01:00"), BERLIN) == first
    again = next_inside(night, first, BERLIN)
    assert again == local("2026-10-25 02:00", fold=1)
    assert end_of(night, again, BERLIN) == second
    assert start_of(night, second - SECOND, BERLIN) == again


def test_a_skipped_hour_is_left_at_its_end():
    """A window that ends in it is over when clocks are put forward."""
    assert end_of(windows("01:00-02:30"), local("2026-03-29 01:59"), BERLIN) == local(
        "2026-03-29 03:00"
    )


clocks = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")


@st.composite
def written(draw) -> str:
    begins, ends = draw(st.lists(clocks, min_size=2, max_size=2, unique=True))
    day = draw(st.sampled_from(["", *(f"{name} " for name in WEEKDAYS)]))
    return f"{day}{begins}-{ends}"


@st.composite
def nights(draw) -> tuple[str, datetime]:
    """A zone and a moment near a change of its clocks."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    day = datetime.fromisoformat(draw(st.sampled_from(CHANGES[zone].split())))
    return zone, day.replace(tzinfo=UTC) + MINUTE * 15 * draw(st.integers(-120, 120))


@settings(max_examples=150, deadline=None)
@given(nights(), st.lists(written(), min_size=1, max_size=3))
def test_moments_agree_with_what_is_contained(night, texts):
    """End, next and beginning are the first moments of their kind, also where clocks change."""
    (zone, moment), blocks = night, windows(*texts)
    far = 3 * 24 * 4

    def first(inside: bool, step: timedelta) -> datetime | None:
        found = (moment + step * number for number in range(far))
        return next((at for at in found if contains(blocks, at, zone) is inside), None)

    quarter = timedelta(minutes=15)  # all changes and windows lie on quarters, St. John's apart
    near = MINUTE if zone == "America/St_Johns" else timedelta(0)
    for found, expected in (
        (end_of(blocks, moment, zone), first(inside=False, step=quarter)),
        (next_inside(blocks, moment, zone), first(inside=True, step=quarter)),
    ):
        if expected is None:
            assert found is None or found >= moment + quarter * far
        else:
            assert expected - quarter * bool(near) <= found <= expected
    if contains(blocks, moment, zone):
        began, before = start_of(blocks, moment, zone), first(inside=False, step=-quarter)
        if before is not None:
            assert before < began <= before + quarter
            assert contains(blocks, began, zone)
            assert not contains(blocks, began - SECOND, zone)
