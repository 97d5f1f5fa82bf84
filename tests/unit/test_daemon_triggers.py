"""A schedule inside a real APScheduler."""

from datetime import UTC, datetime, timedelta
from threading import Semaphore

from apscheduler.schedulers.background import BackgroundScheduler

from retrainer.daemon.triggers import TickTrigger
from retrainer.domain.schedule import Schedule
from retrainer.domain.windows import parse_window

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
HOURLY = TickTrigger(Schedule(every=HOUR))


def test_the_first_time_may_be_now():
    """A start is not missed because the daemon starts in the same second."""
    assert HOURLY.get_next_fire_time(None, NOW) == NOW
    assert HOURLY.get_next_fire_time(None, NOW + SECOND) == NOW + HOUR


def test_missed_starts_are_left_out():
    """After a week of sleep the daemon is woken once, not a hundred times."""
    assert HOURLY.get_next_fire_time(NOW - HOUR * 168, NOW + SECOND) == NOW + HOUR


def test_a_clock_set_back_wakes_nobody_twice():
    """What has fired does not fire again when the clock comes to it once more."""
    assert HOURLY.get_next_fire_time(NOW, NOW - HOUR) == NOW + HOUR


def test_it_fires_when_a_tick_starts():
    """Jitter counts, and what a blackout holds back fires once, at its end."""
    late = TickTrigger(Schedule(every=HOUR, jitter=HOUR, seed="shop"))
    assert NOW < late.get_next_fire_time(None, NOW - SECOND) < NOW + HOUR
    working = TickTrigger(Schedule(every=HOUR, blackouts=(parse_window("08:00-18:00"),)))
    end = NOW.replace(hour=18)
    assert working.get_next_fire_time(None, NOW) == end
    assert working.get_next_fire_time(end, end) == end + HOUR


def test_without_a_schedule_it_never_fires():
    """None tells APScheduler that there is nothing more to come."""
    assert TickTrigger(Schedule()).get_next_fire_time(None, NOW) is None


def test_apscheduler_follows_it():
    """A real scheduler calls at the starts, again and again."""
    called = Semaphore(0)
    scheduler = BackgroundScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None}
    )
    scheduler.add_job(called.release, TickTrigger(Schedule(every=SECOND)), id="shop")
    scheduler.add_job(called.release, TickTrigger(Schedule()), id="never")
    scheduler.start()
    try:
        assert called.acquire(timeout=30)
        assert called.acquire(timeout=30)
        following = scheduler.get_job("shop").next_run_time
        assert following > datetime.now(UTC) - SECOND
        assert following.microsecond == 0
    finally:
        scheduler.shutdown()
