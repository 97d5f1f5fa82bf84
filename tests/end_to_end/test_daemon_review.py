"""The daemon as a real process: plugins that break, a look that hangs, hours that are changed."""

import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from support.daemons import ROOT, TIMEOUT, Household, daemon
from support.waiting import wait_until

from retrainer.domain.cycle import Status

pytestmark = pytest.mark.end_to_end

PLUGIN = """
from pydantic import BaseModel

class Raises:
    class Options(BaseModel):
        pass

    @classmethod
    def from_options(cls, options, **given):
        raise KeyError("hunter2")
"""
ENTRIES = """
[retrainer.platforms]
missing = broken_plugin:Missing
no-module = no_such_module:Platform
raises = broken_plugin:Raises
"""
#: A daemon whose look hangs as long as there is a file `hang` beside the config.
HANGING = """
import sys, time
from functools import cached_property
from pathlib import Path
from retrainer.cli.run import keep_running
from retrainer.store.agenda import SqlAgenda
from support.fake_training import FakeTraining

hang = Path(sys.argv[1]).with_name("hang")

class Hanging(SqlAgenda):
    def ready(self):
        while hang.exists():
            hang.with_name("hung").touch()
            time.sleep(0.05)
        return super().ready()

class Application(FakeTraining):
    @cached_property
    def agenda(self):
        return Hanging(self.engine, self.clock)

keep_running(lambda: Application.from_config(Path(sys.argv[1])))
"""


@pytest.fixture
def home(tmp_path):
    return Household(tmp_path)


def stays(running):
    """Whether the newest status of the service says that it did not follow its configuration."""
    said = [message["STATUS"] for message in tuple(running.told) if "STATUS" in message]
    return "waiting: " in said[-1] and "the old configuration stays" in said[-1]


def test_a_plugin_that_breaks_is_a_bad_configuration(home):
    """A reload that names it is refused, without a word of what it raised, and the old one stays."""
    packages = home.folder / "packages"
    (packages / "broken-1.0.dist-info").mkdir(parents=True)
    (packages / "broken-1.0.dist-info" / "entry_points.txt").write_text(ENTRIES)
    (packages / "broken-1.0.dist-info" / "METADATA").write_text("Name: broken\nVersion: 1.0\n")
    (packages / "broken_plugin.py").write_text(PLUGIN)
    found = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{packages}"}
    with daemon(home, environment=found, notify=True) as running:
        running.wait_for("this daemon leads")
        good = home.config.read_text()
        for complaint in ("'missing'", "'no-module'", "'raises' raised KeyError"):
            kind = complaint.split("'")[1]
            home.write_config(f'{good}\nplatform = {{ type = "{kind}" }}\n')
            running.signal(signal.SIGHUP)
            running.wait_for(complaint)
            assert running.lines()[-1]["message"].startswith("the configuration was not read again")
        assert running.said("assistants.shop.platform.type")
        wait_until(lambda: stays(running), seconds=TIMEOUT)
        home.write_config(good)  # for the question of this test
        home.ask()
        wait_until(lambda: home.ended() == 1, seconds=TIMEOUT)
        assert running.stop() == 0
        assert not running.said("hunter2")
        # However short the service manager's own patience with a stop is.
        wait_until(lambda: running.heard(EXTEND_TIMEOUT_USEC="30000000"), seconds=TIMEOUT)


def test_the_watchdog_of_a_hung_look_is_not_fed(tmp_path):
    """It is fed as often as the service manager wants, and not at all while a look hangs."""
    home = Household(tmp_path, lease="60s")
    program = (sys.executable, "-c", HANGING)
    watched = {"WATCHDOG_USEC": "2000000"}

    def fed():
        return sum("WATCHDOG" in message for message in tuple(running.told))

    with daemon(home, program=program, notify=True, environment=watched) as running:
        running.wait_for("this daemon leads")
        time.sleep(0.5)  # what wakes it at its start is over
        before = fed()
        time.sleep(2)
        assert fed() - before >= 2, "the service manager would have killed it"
        (tmp_path / "hang").touch()
        wait_until((tmp_path / "hung").exists, seconds=TIMEOUT)
        before = fed()
        time.sleep(1.5)
        assert fed() == before
        (tmp_path / "hang").unlink()
        wait_until(lambda: fed() > before, seconds=TIMEOUT)
        assert running.stop() == 0


def test_changed_promotion_hours_hold_for_a_cycle_that_waits(tmp_path):
    """Hours that are taken away are not waited for, and the cycle goes on at once."""
    home = Household(tmp_path)
    at_once = home.config.read_text()
    later = datetime.now(UTC) + timedelta(hours=6)
    hours = f'"{later:%H}:00-{later + timedelta(hours=1):%H}:00"'
    home.write_config(f"{at_once}\nschedule.promotion_hours = [{hours}]\n")
    home.ask()
    with daemon(home) as running:
        running.wait_for("the hours for that begin")
        home.write_config(at_once)
        running.signal(signal.SIGHUP)
        wait_until(lambda: home.ended() == 1, seconds=TIMEOUT)
    (row,) = home.cycles()
    assert (row.cycle.status, row.promoted) == (Status.COMPLETED, True)


def test_a_second_signal_of_another_kind_ends_it_at_once(home):
    """Ctrl-C after a SIGTERM is a second one."""
    home.ask()
    with daemon(home, training_seconds=600, environment={"FAKE_TRAINING_DEAF": "1"}) as running:
        wait_until(lambda: len(home.trainings()) == 1, seconds=TIMEOUT)
        running.signal(signal.SIGTERM)
        running.wait_for("stopping")
        running.signal(signal.SIGINT)
        assert running.process.wait(TIMEOUT) == -signal.SIGINT
