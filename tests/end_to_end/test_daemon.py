"""The daemon as a real process: what is due, who works, signals, and several of it at once."""

import signal
import time

import pytest
from support.daemons import TIMEOUT, Household, daemon
from support.waiting import wait_until

from retrainer.domain.cycle import Status, Trigger

pytestmark = pytest.mark.end_to_end

EVERY_SECOND = '[assistants.shop.schedule]\nevery = "1s"'


@pytest.fixture
def home(tmp_path):
    return Household(tmp_path)


def test_a_schedule_makes_cycles(tmp_path):
    """Each fire time has one request, and each request one cycle."""
    home = Household(tmp_path, more=EVERY_SECOND)
    with daemon(home) as running:
        wait_until(lambda: home.ended() >= 3, seconds=TIMEOUT)
        assert running.stop() == 0
    cycles = home.cycles()
    assert {row.cycle.trigger for row in cycles} == {Trigger.SCHEDULE}
    assert [row.cycle.status for row in cycles[:2]] == [Status.COMPLETED, Status.SKIPPED]


def test_a_person_asks_for_a_cycle(home):
    """What is asked for while no daemon runs is done when one does; two requests are one cycle."""
    assert home.ask().number + 1 == home.ask().number
    with daemon(home):
        wait_until(lambda: home.ended() == 1, seconds=TIMEOUT)
        with home.agenda() as agenda:
            assert agenda.pending() == ()
    assert [row.cycle.trigger for row in home.cycles()] == [Trigger.MANUAL]


def test_sigterm_leaves_a_cycle_that_goes_on(home):
    """Told to stop in a training it ends at once, and the next start goes on in the same cycle."""
    home.ask()
    with daemon(home, training_seconds=600) as first:
        wait_until(lambda: len(home.trainings()) == 1, seconds=TIMEOUT)
        started = time.monotonic()
        assert first.stop() == 0
        assert time.monotonic() - started < TIMEOUT
    (row,) = home.cycles()
    assert row.cycle.status is Status.RUNNING
    with daemon(home) as second:
        wait_until(lambda: home.ended() == 1, seconds=TIMEOUT)
        second.stop()
    (row,) = home.cycles()
    assert (row.cycle.status, row.cycle.resumed, row.promoted) == (Status.COMPLETED, 1, True)


def test_a_second_sigterm_ends_it_at_once(home):
    """Whoever cannot wait for the end of a step need not."""
    home.ask()
    with daemon(home, training_seconds=600, environment={"FAKE_TRAINING_DEAF": "1"}) as running:
        wait_until(lambda: len(home.trainings()) == 1, seconds=TIMEOUT)
        running.signal(signal.SIGTERM)
        running.wait_for("stopping")
        running.signal(signal.SIGTERM)
        assert running.process.wait(TIMEOUT) == -signal.SIGTERM


def test_kill_9_is_made_good_by_the_next_start(home):
    """A daemon killed in a training is followed by one that goes on, with no second cycle."""
    home.ask()
    with daemon(home, training_seconds=600) as first:
        wait_until(lambda: len(home.trainings()) == 1, seconds=TIMEOUT)
        first.kill()
    with daemon(home):
        wait_until(lambda: home.ended() == 1, seconds=TIMEOUT)
    (row,) = home.cycles()
    assert (row.cycle.status, row.cycle.resumed) == (Status.COMPLETED, 1)


def test_sighup_reads_the_configuration_again(home):
    """A new assistant is looked after from then on; nothing that runs is touched."""
    with daemon(home, notify=True) as running:
        running.wait_for("this daemon leads")
        home.assistants = ("shop", "bank")
        home.write_data("bank", 30)
        home.write_config()
        running.signal(signal.SIGHUP)
        running.wait_for("the configuration was read again, 2 assistants")
        home.ask("bank")
        wait_until(lambda: home.ended() == 1, seconds=TIMEOUT)
        wait_until(lambda: running.heard(RELOADING="1"), seconds=TIMEOUT)
    assert [row.cycle.assistant for row in home.cycles()] == ["bank"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[assistants.shop]\nsource = 1\n", "assistants.shop.source"),
        ("nonsense", "retrainer.toml"),
        ('state_dir = "state"', "assistants: 0 are configured"),
    ],
)
def test_a_bad_configuration_changes_nothing(home, text, complaint):
    """The old one stays in use, and the log says what is wrong with the new one."""
    with daemon(home, notify=True) as running:
        running.wait_for("this daemon leads")
        home.ask()
        good = home.config.read_text()
        home.write_config(text)
        running.signal(signal.SIGHUP)
        running.wait_for("the old one stays")
        home.config.write_text(good)  # for the questions of this test
        wait_until(lambda: home.ended() == 1, seconds=TIMEOUT)
        assert running.said(complaint)
        wait_until(lambda: running.heard(RELOADING="1"), seconds=TIMEOUT)
        assert running.stop() == 0


def test_what_takes_a_restart_is_refused(home):
    """A running daemon cannot move to another database; it says so and stays."""
    with daemon(home) as running:
        running.wait_for("this daemon leads")
        home.write_config(home.config.read_text().replace('"state"', '"elsewhere"'))
        running.signal(signal.SIGHUP)
        running.wait_for("`state_dir` has changed, which takes a restart")


def test_the_service_manager_hears_of_it(home):
    """Ready, what it is at, and that it stops: in this order."""
    home.ask()
    with daemon(home, training_seconds=0.5, notify=True) as running:
        wait_until(lambda: home.ended() == 1, seconds=TIMEOUT)
        assert running.stop() == 0
        wait_until(lambda: running.heard(STOPPING="1"), seconds=TIMEOUT)
    assert running.told[0]["READY"] == "1"
    assert any("train" in message.get("STATUS", "") for message in running.told)
    assert running.told[-1]["STOPPING"] == "1"


def test_the_watchdog_is_fed(home):
    """A daemon that works says so at least twice as often as it has to."""
    with daemon(home, notify=True, environment={"WATCHDOG_USEC": "4000000"}) as running:
        wait_until(
            lambda: sum("WATCHDOG" in message for message in running.told) >= 3, seconds=TIMEOUT
        )


def test_a_second_daemon_on_sqlite_stands_by_and_takes_over(home):
    """One works, the other says that it waits, and goes on when the first one is gone."""
    home.ask()
    with daemon(home, training_seconds=600) as first:
        wait_until(lambda: len(home.trainings()) == 1, seconds=TIMEOUT)
        with daemon(home) as second:
            second.wait_for("stands by")
            home.ask()
            first.kill()
            wait_until(lambda: home.ended() == 2, seconds=TIMEOUT)
            assert second.said("this daemon leads")


def test_a_paused_assistant_rests(tmp_path):
    """No tick of a pause becomes a cycle, not even after it."""
    home = Household(tmp_path, more=EVERY_SECOND)
    with home.agenda() as agenda:
        agenda.pause("shop", by="somebody", reason="holidays")
        with daemon(home) as running:
            running.wait_for("this daemon leads")
            time.sleep(3)
            assert home.cycles() == ()
            agenda.resume("shop")
            wait_until(lambda: home.ended() >= 1, seconds=TIMEOUT)
