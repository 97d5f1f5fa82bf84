"""What a daemon keeps and forgets over a reload, and what is said of what it leaves alone."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.worlds import Laboratory
from typer.testing import CliRunner

from retrainer.adapters.memory_groups import MemoryGroups
from retrainer.cli.actor import actor
from retrainer.cli.app import app as commands
from retrainer.daemon.errands import Errands
from retrainer.daemon.timetable import Timetable
from retrainer.domain.cycle import Status, Trigger
from retrainer.domain.verdict import Outcome
from retrainer.errors import CyclePostponed
from retrainer.pipeline import by_hand
from retrainer.pipeline.runner import run_cycle
from retrainer.store.status import read_status
from retrainer.testing.clock import FakeClock
from retrainer.wiring import Application

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OWNER, LEASE = "host/boot/ns/1/1", timedelta(seconds=60)


class House:
    """A configuration of one assistant, read anew with each `application`, by one clock."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, FakeClock()
        self.config = folder / "retrainer.toml"
        (folder / "project" / "data").mkdir(parents=True)

    def application(self, schedule: str = "", name: str = "shop") -> Application:
        self.config.write_text(
            f'[assistants.{name}]\nsource = {{ type = "directory", path = "project" }}\n'
            f"[assistants.{name}.schedule]\n{schedule}\n"
        )
        application = Application.from_config(self.config, {})
        vars(application)["clock"] = self.clock
        return application


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def carried_out(errands: Errands, done: threading.Semaphore, app: Application, count: int) -> None:
    """Run what is due, and wait until so many errands are done."""
    errands.run(app)
    for _ in range(count):
        assert done.acquire(timeout=10)


def test_a_reload_at_the_fire_time_loses_no_tick(house):
    """A daemon that was there all the time was there at the tick, whenever it read its settings."""
    app = house.application('every = "1h"\ncatch_up = "none"')
    before = Timetable(app)
    before.enrol()
    house.clock.advance(HOUR + timedelta(seconds=2))
    after = Timetable(app, present_since=before.present_since)
    after.enrol()
    after.ask()
    assert [request.trigger for request in app.agenda.pending()] == [Trigger.SCHEDULE]


def test_a_start_after_the_fire_time_makes_up_for_none(house):
    """The same where the daemon was not there."""
    app = house.application('every = "1h"\ncatch_up = "none"')
    Timetable(app).enrol()
    house.clock.advance(HOUR + timedelta(seconds=2))
    Timetable(app).ask()
    assert app.agenda.pending() == ()


def test_a_paused_assistant_is_not_announced(house):
    """`systemctl status` names no cycle that will not begin."""
    app = house.application('every = "1h"')
    timetable = Timetable(app)
    timetable.enrol()
    timetable.ask()
    assert timetable.next_in_words().startswith("waiting: shop at")
    app.agenda.pause("shop", by="ann", reason="")
    timetable.ask()
    assert timetable.next_in_words() == "waiting: nothing is scheduled"


def waiting(app: Application, until: datetime) -> None:
    """Let the assistant's cycle wait to promote."""
    lease = app.store.begin("shop", Trigger.MANUAL, owner=OWNER, lease=LEASE)
    app.store.step_started(lease, "promote")
    app.store.release(lease, "promote", resume_at=until)


@pytest.mark.parametrize(("schedule", "hours"), [("", 0), ('promotion_hours = ["02:00-03:00"]', 2)])
def test_a_cycle_waits_no_longer_than_the_settings_say(house, schedule, hours):
    """Hours that were changed, or a clock that was a year ahead, do not block an assistant."""
    app = house.application(schedule)
    midnight = house.clock.now()
    waiting(app, midnight + 365 * DAY)
    Timetable(app).hasten()
    assert app.agenda.postponed() == {"shop": midnight + hours * HOUR}
    house.clock.advance(hours * HOUR)
    assert app.agenda.ready() == ("shop",)


def test_a_cycle_is_not_put_off_by_other_settings(house):
    """Hours that begin later are found out when it goes on, by whoever may."""
    app = house.application('promotion_hours = ["02:00-03:00"]')
    opens = house.clock.now() + HOUR
    waiting(app, opens)
    Timetable(app).hasten()
    assert app.agenda.postponed() == {"shop": opens}
    house.application(name="bank")


def test_new_settings_are_followed_at_once(house):
    """What was to be done in a day is done now, since it may be every minute from now on."""
    app = house.application('poll_every = "1d"')
    app.agenda.enrol("shop", "")
    done = threading.Semaphore(0)
    errands = Errands(done=done.release)
    carried_out(errands, done, app, 3)  # with a source that is still empty, and fails
    (house.folder / "project" / "data" / "nlu.yml").write_text("nlu: []")
    errands.run(app)
    assert not done.acquire(timeout=0.1), "nothing is due"
    errands.begin_anew()
    carried_out(errands, done, house.application('poll_every = "1m"'), 3)
    (enrolment,) = app.agenda.enrolments()
    assert enrolment.data is not None, "nor is a source left in peace that failed before"


def test_what_nobody_is_told_of_does_not_wait_for_ever(house):
    """Notifications for somebody who is not configured any more are given up like all others."""
    app = house.application()
    lease = app.store.begin("shop", Trigger.MANUAL, owner=OWNER, lease=LEASE)
    app.store.finish(lease, Status.FAILED, notifiers=["gone"])
    house.clock.advance(8 * DAY)
    assert read_status(app.engine, house.clock.now()).outbox.waiting == 1
    done = threading.Semaphore(0)
    carried_out(Errands(done=done.release), done, app, 2)
    assert read_status(app.engine, house.clock.now()).outbox.waiting == 0


def test_a_person_need_not_wait_for_the_hour(tmp_path):
    """A challenger that was promoted by hand while its cycle waited is no reason to hold it."""
    lab = Laboratory(tmp_path)
    opens = lab.clock.now() + HOUR
    world = replace(lab.world(), promotion_opens=lambda now: max(now, opens))
    with pytest.raises(CyclePostponed):
        run_cycle(world, owner=OWNER)
    (model,) = world.platform.models()
    by_hand.promote(world.desk, model.name, actor="ann", note="now")
    lab.clock.advance(HOUR)
    report = run_cycle(world, owner=OWNER)
    assert (report.state.verdict.outcome, report.state.confirmed) == (Outcome.PROMOTE, True)
    assert [(p.model, p.actor) for p in lab.store.promotions("shop")] == [(model.name, "ann")]


def test_groups_of_a_reload_are_others(tmp_path):
    """A worker that is started after a reload gets no group that another worker is in."""
    first, second = MemoryGroups(tmp_path), MemoryGroups(tmp_path)
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (tmp_path / name).write_text("memory\n" if "control" in name else "")
    assert first.make(1000**3).folder != second.make(1000**3).folder


def test_a_user_without_a_name_has_a_number():
    """A container may run as any user; what he asks for is kept with what is known of him."""

    def unnamed() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    assert actor(lambda: "ann") == "ann"
    assert actor(unnamed).startswith("user ")


def status(house: House, *options: str) -> str:
    found = CliRunner().invoke(
        commands, ["-c", str(house.config), "status", *options], env={"COLUMNS": "120"}
    )
    assert found.exception is None
    return found.stdout


def test_status_for_programs_before_the_first_cycle(house):
    """A program gets its document, with what is next, from the first day on."""
    house.application('every = "1h"')
    document = json.loads(status(house, "--json"))
    assert (document["daemons"], document["running"]) == ([], [])
    assert document["next"]["shop"] is not None
    assert not (house.folder / ".retrainer").exists()


def test_status_of_an_assistant_that_was_taken_out(house):
    """A cycle that nobody here goes on with is shown, and that it is so."""
    app = house.application()
    lease = app.store.begin("shop", Trigger.MANUAL, owner=OWNER, lease=LEASE)
    app.store.step_started(lease, "train")
    house.application(name="bank")
    shown = status(house)
    assert "bank" in shown
    assert "cycle 1 was interrupted at train" in shown
    assert "not in this configuration" in shown
    assert "not in this configuration" not in status(house, "--assistant", "bank")


def test_status_of_what_a_daemon_does_not_begin(house):
    """That a cycle begins soon is said only as long as it can be true."""
    app = house.application()
    app.agenda.ask("shop", Trigger.MANUAL, by="ann")
    house.clock.advance(datetime.now(UTC) - house.clock.now())
    assert "begins as soon as a daemon has room" in status(house), "no daemon runs"
    app.agenda.check_in(OWNER, "1", lease=LEASE)
    assert "does not begin it: its log says why" in status(house)
    app.store.begin("bank", Trigger.MANUAL, owner=OWNER, lease=LEASE)
    assert "begins as soon as a daemon has room" in status(house), "it is busy with another"
