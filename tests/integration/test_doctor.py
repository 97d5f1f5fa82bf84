"""What `retrainer check` finds beside the project: each finding, and that a sound place has none."""

import json
import tempfile
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.archives import write_model
from support.daemons import Household
from support.databases import postgres_engine, url_of
from typer.testing import CliRunner

from retrainer import __version__
from retrainer.adapters.clock import SystemClock
from retrainer.adapters.disks import Disk
from retrainer.cli.app import app as commands
from retrainer.domain.cycle import Promotion, PromotionReason, Status, Trigger
from retrainer.errors import DatabaseError, RetrainerError, StorageError
from retrainer.store.engine import writing
from retrainer.store.examination import Server, ask_server
from retrainer.store.owner import current_owner
from retrainer.wiring import Application
from retrainer.wiring.doctor import Check, Level, checks, database, files, http, machine, run
from retrainer.wiring.doctor import operation as operations
from retrainer.wiring.doctor import schedules as timetables
from retrainer.wiring.doctor.diagnosis import Diagnosis, good

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
GB = 10**9
HOURLY = 'schedule = { every = "1h" }'


def household(folder: Path, more: str = "", general: str = "", **given) -> Household:
    return Household(folder, more=more, general=general, **given)


def bad(found: Sequence[Diagnosis]) -> list[str]:
    """What is not well, each with a way to mend it."""
    wrong = [diagnosis for diagnosis in found if diagnosis.level is not Level.OK]
    assert all(diagnosis.fix for diagnosis in wrong)
    return [diagnosis.observed for diagnosis in wrong]


def only(found) -> Diagnosis:
    """The one thing that is not well."""
    (wrong,) = [diagnosis for diagnosis in found if diagnosis.level is not Level.OK]
    assert wrong.fix
    return wrong


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody may enter, as those of pytest are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def used(tmp_path: Path) -> Iterator[Application]:
    """An assistant with an hourly schedule, whose database a daemon has made."""
    app = household(tmp_path, HOURLY).application()
    app.agenda.enrol("shop", app.schedule("shop").text)
    yield app
    app.engine.dispose()


def daemon_at_work(app: Application, version: str = __version__) -> None:
    """This process says that it is a daemon."""
    app.agenda.check_in(current_owner(), version, lease=timedelta(minutes=1))


def set_columns(app: Application, table: str, **values) -> None:
    """Make what is in the database older, or others'."""
    with writing(app.engine) as connection:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        connection.execute(sa.text(f"UPDATE {table} SET {columns}"), values)


def finished(app: Application, status: Status = Status.COMPLETED, **given) -> None:
    """A cycle that has ended."""
    lease = app.store.begin("shop", Trigger.MANUAL, owner="", lease=timedelta(minutes=1))
    app.store.finish(lease, status, notifiers=given.pop("notifiers", ()), **given)


def operation(app: Application) -> list[Diagnosis]:
    return list(operations.operation(app, ("shop",)))


# Files.


@pytest.mark.parametrize(
    ("mode", "text", "complaint"),
    [
        (0o644, 'token = "a-long-secret-of-mine"', "everybody may read"),
        (0o640, 'token = "a-long-secret-of-mine"', None),
        (0o644, "", None),
        (0o646, "", "everybody may write"),
    ],
)
def test_secrets_in_a_file_that_everybody_may_read(public_folder, mode, text, complaint):
    """Only a file with secrets must be closed to others; none may be open to their writing."""
    home = household(public_folder, general=f"[http]\n{text}")
    home.config.chmod(mode)
    found = bad(files.config_file(home.application()))
    assert len(found) == (complaint is not None)
    assert all(complaint in each and "a-long-secret" not in each for each in found)


def test_a_password_in_the_url_is_a_secret(public_folder):
    """A URL without one is none."""
    for url, count in (("postgresql://me:PASSWORD@host/db", 1), ("postgresql://me@host/db", 0)):
        home = household(public_folder)
        home.config.write_text(f'database = "{url}"\n{home.config.read_text()}')
        assert len(bad(files.config_file(home.application()))) == count


def test_credentials_that_everybody_may_read(public_folder):
    """Files that stand for settings are closed to others."""
    home, folder = household(public_folder), public_folder / "credentials"
    folder.mkdir()
    (folder / "RETRAINER_HTTP__TOKEN").write_text("a-long-secret-of-mine")
    app = Application.from_config(home.config, {"CREDENTIALS_DIRECTORY": str(folder)})
    assert "RETRAINER_HTTP__TOKEN" in only(files.credentials(app)).observed
    (folder / "RETRAINER_HTTP__TOKEN").chmod(0o600)
    assert bad(files.credentials(app)) == []


def test_a_state_folder_that_is_none(tmp_path):
    """A file in its place keeps every cycle from running."""
    app = household(tmp_path).application()
    assert bad(files.state_folder(app)) == []
    assert not app.state_dir.exists()
    app.state_dir.write_text("")
    with pytest.raises(StorageError, match="is not a folder"):
        list(files.state_folder(app))


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [("ext4", None), ("overlay", None), ("tmpfs", "in memory"), ("vfat", "in one step")],
)
def test_disks_on_which_nothing_is_safe(kind, complaint):
    """What is in memory, or cannot be replaced in one step, is lost some day."""
    found = bad(files.kind_of_disk("state folder", Path("/s"), Disk(Path("/"), kind, 1)))
    assert [complaint in each for each in found] == [True] * (complaint is not None)


def test_room_for_the_next_models(tmp_path):
    """Five models as large as the newest have to fit."""
    app = household(tmp_path).application()
    assert bad(files.room(app, ("shop",))) == []
    app.platform("shop").upload(*write_model(tmp_path, "one"))
    record = app.state_dir / "assistants/shop/registry/versions/one/model.json"
    model = json.loads(record.read_text())
    record.write_text(json.dumps(model | {"size": 10**15}))
    found = bad(files.room(app, ("shop",)))
    assert len(found) == 2
    assert all("5000 TB should be: 5 models of 1000 TB" in each for each in found)


# The database.


def test_sqlite_on_the_disk_of_another_machine():
    """Its write-ahead log needs memory that only one machine can share."""
    file = Path("/s/retrainer.db")
    for kind, count in (("nfs4", 1), ("cifs", 1), ("fuse.sshfs", 1), ("ext4", 0), ("xfs", 0)):
        assert len(bad(database.of_file("database", file, Disk(Path("/"), kind, 1)))) == count


@pytest.mark.parametrize(
    ("number", "ahead", "uncertain", "complaint"),
    [
        (180_002, 0, 0, None),
        (130_000, 5, 0, None),
        (120_009, 0, 0, "13 to 18 are tested"),
        (190_000, 0, 0, "13 to 18 are tested"),
        (160_000, 60, 1, "1 min 00 s ahead"),
        (160_000, -7, 1, "7.0 s behind"),
        (160_000, -7, 3, None),
    ],
)
def test_releases_and_clocks_of_postgres(number, ahead, uncertain, complaint):
    """Leases compare clocks; an answer that took long proves nothing about them."""
    server = Server(number, "x", timedelta(seconds=ahead), timedelta(seconds=uncertain))
    found = bad(database.of_server("database", server))
    assert [complaint in each for each in found] == [True] * (complaint is not None)


@pytest.mark.postgres
def test_a_real_postgres_is_well(tmp_path):
    """Its release and its clock are read from the server itself."""
    with postgres_engine() as engine:
        server = ask_server(engine, SystemClock())
        assert server is not None
        assert abs(server.ahead) < timedelta(seconds=1)
        app = household(tmp_path, database=url_of(engine)).application()
        app = Application.from_config(app.config, {"RETRAINER_DATABASE": url_of(engine)})
        found = list(database.database(app))
        assert bad(found) == []
        assert f"PostgreSQL {server.version}" in found[0].observed
        assert bad(operations.operation(app, ("shop",))) == []
        app.bare_engine.dispose()


@pytest.mark.postgres
def test_a_postgres_without_a_schema(tmp_path):
    """An empty database is filled by the first cycle; the check leaves it empty."""
    with postgres_engine(prepared=False) as engine:
        home = household(tmp_path)
        app = Application.from_config(home.config, {"RETRAINER_DATABASE": url_of(engine)})
        assert bad(database.database(app)) == []
        assert sa.inspect(engine).get_table_names() == []
        app.bare_engine.dispose()


def test_an_older_schema_comes_with_the_command(used):
    """The command to run is in the fix."""
    set_columns(used, "retrainer_schema", version_num="0001")
    app = Application(used.config, used.settings, {})
    (found,) = Check("database", lambda: database.database(app)).run()
    assert (found.level, found.exit_code) == (Level.ERROR, 78)
    assert "retrainer db upgrade" in (found.fix or "")
    app.bare_engine.dispose()


# HTTP.


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("enabled = true", None),
        ('token = "short"', "http.token has 5 characters, at least 16 are needed"),
        ('hook_secret = "aaaaaaaaaaaaaaaaaaaaaaaa"', "http.hook_secret has 1 different character,"),
        (
            'tokens = { ci = { token = "abababababababababab" } }',
            "http.tokens.ci.token has 2 different characters",
        ),
        ('enabled = true\nhost = "0.0.0.0"', "there is no token"),
        ('host = "0.0.0.0"', "is not encrypted"),
        ('host = "no such host"', "is no address"),
        ('rasa_x_assistant = "nobody"', "there is no assistant 'nobody'"),
        ('rasa_x_assistant = "shop"', None),
    ],
)
def test_http(tmp_path, lines, complaint):
    """Who can guess a secret, or listen to one, is as good as anybody who has it."""
    app = household(tmp_path, general=f"[http]\n{lines}").application()
    found = bad(Check("http", lambda: http.http(app)).run())
    assert any(complaint in each for each in found) if complaint else found == []


# The machine.


@pytest.mark.parametrize(
    ("limit", "memory", "complaint"),
    [
        ('"8GB"', 16 * GB, None),
        ('"8GB"', 4 * GB, "rasa.memory_limit is 8 GB, the machine has 4 GB"),
        ('"1GB"', 1 * GB, "a training takes about 2 GB"),
        ('"1GB"', 0, None),
    ],
)
def test_memory(tmp_path, limit, memory, complaint):
    """A limit above what there is limits nothing."""
    app = household(tmp_path, general=f"[rasa]\nmemory_limit = {limit}").application()
    found = bad(machine.limits(app, memory))
    assert [complaint in each for each in found] == [True] * (complaint is not None)


def test_a_service_manager_is_only_a_hint(tmp_path):
    """Whoever starts it: that is for people to decide."""
    assert bad(machine.service(household(tmp_path).application())) == []


# Schedules.


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('cron = "0 3 * * *"', None),
        ("", None),
        ('poll_every = "5m"', None),
        ('cron = "0 3 * * *"\npromotion_hours = ["02:00-05:00"]', None),
        ('cron = "0 3 * * mon"\npromotion_hours = ["sat 02:00-05:00"]', "would wait until"),
    ],
)
def test_schedules(tmp_path, lines, complaint):
    """A winner that may not serve for days was trained in vain."""
    app = household(tmp_path, f"[assistants.shop.schedule]\n{lines}").application()
    found = bad(timetables.schedules(app, ("shop",)))
    assert [complaint in each for each in found] == [True] * (complaint is not None)


@pytest.mark.parametrize(
    ("at_once", "jitter", "count"), [(1, "", 1), (2, "", 0), (1, ', jitter = "10m"', 0)]
)
def test_assistants_that_begin_at_once(tmp_path, at_once, jitter, count):
    """As many as may be at work may begin in one minute."""
    more = f'schedule = {{ cron = "0 3 * * *"{jitter} }}'
    home = household(tmp_path, more, assistants=("shop", "bank"))
    text = home.config.read_text()
    home.config.write_text(text.replace("[daemon]", f"[daemon]\ncycles_at_once = {at_once}"))
    found = bad(timetables.schedules(home.application(), home.assistants))
    assert ["shop, bank all begin at" in each for each in found] == [True] * count


def test_time_zones_are_known():
    """Where tests run there is time zone data."""
    assert bad(timetables.zones(None)) == []  # type: ignore[arg-type]


# What goes on.


def test_nothing_has_run_yet(tmp_path):
    """That is no reason for a warning, and no database is made."""
    app = household(tmp_path, HOURLY).application()
    assert bad(operations.operation(app, ("shop",))) == []
    assert not app.state_dir.exists()


def test_a_sound_daemon(used):
    """Of a daemon that leads nothing is to be said."""
    daemon_at_work(used)
    finished(used)
    assert bad(operation(used)) == []


def test_no_daemon_follows_the_schedule(used):
    """Without a daemon a schedule is only words; without a schedule none is needed."""
    assert "nobody follows the schedule of shop" in only(operation(used)).observed
    unscheduled = household(used.config.parent).application()
    assert bad(operations.operation(unscheduled, ("shop",))) == []
    unscheduled.bare_engine.dispose()


def test_daemons_without_a_leader(used):
    """Somebody has to tell people and look for new data."""
    daemon_at_work(used)
    set_columns(used, "leases", until="2026-01-01 00:00:00.000000")
    assert "none of them leads" in only(operation(used)).observed


def test_a_daemon_of_another_version(used):
    """Commands and daemon are updated together."""
    daemon_at_work(used, "0.0.1")
    found = only(operation(used))
    assert "is retrainer 0.0.1" in found.observed
    assert found.fix == "systemctl restart retrainer"


def test_a_pause_is_told(used):
    """Who forgot it sees since when, by whom and why."""
    daemon_at_work(used)
    used.agenda.pause("shop", by="ada", reason="holidays")
    found = only(operation(used))
    assert "by ada: holidays" in found.observed
    assert found.fix == "retrainer resume shop"


def test_requests_that_nobody_answers(used):
    """A daemon begins what is asked for within seconds, unless the assistant is gone."""
    daemon_at_work(used)
    used.agenda.ask("shop", Trigger.MANUAL, by="ada")
    assert bad(operation(used)) == []
    set_columns(used, "requests", asked_at="2026-01-01 00:00:00.000000")
    assert "a cycle of shop, asked for by ada" in only(operation(used)).observed
    set_columns(used, "requests", assistant="gone")
    assert "it is not configured" in only(operation(used)).observed


def test_a_cycle_that_nobody_takes_up(used):
    """An interrupted cycle is taken up within seconds."""
    daemon_at_work(used)
    lease = used.store.begin("shop", Trigger.MANUAL, owner="", lease=timedelta(minutes=1))
    used.store.step_started(lease, "train")
    assert bad(operation(used)) == []
    set_columns(used, "cycles", lease_until="2026-01-01 00:00:00.000000")
    assert "interrupted at train, and nobody has taken it up" in only(operation(used)).observed


def test_a_success_that_is_too_long_ago(used):
    """Three fire times without a success: the model is no longer fresh."""
    daemon_at_work(used)
    finished(used)
    set_columns(used, "cycles", ended_at="2026-01-01 00:00:00.000000")
    assert "the last success was at 2026-01-01 00:00 UTC" in only(operation(used)).observed


def test_a_last_cycle_that_failed(used):
    """Its error and its tip are at hand."""
    daemon_at_work(used)
    finished(used, Status.FAILED, error="no data\nmore", tip="add data", failed_step="pull")
    found = only(operation(used))
    assert found.observed.endswith("failed at pull: no data")
    assert found.fix == "add data"


def test_notifications_that_are_stuck(tmp_path):
    """How many, since when, and what went wrong; also of a notifier that is gone."""
    home = household(tmp_path, general='[notifiers.team]\ntype = "console"')
    app = home.application()
    daemon_at_work(app)
    finished(app, notifiers=("team",))
    assert bad(operation(app)) == []
    (due,) = app.store.due_notifications()
    app.store.not_delivered(due.number, "Slack said no_service", None)
    set_columns(app, "outbox", created_at=f"{app.clock.now() - timedelta(hours=2):%F %T}.000000")
    assert only(operation(app)).observed == (
        "1 notification wait, the oldest for 2 h 00 min: Slack said no_service"
    )
    set_columns(app, "outbox", notifier="gone")
    assert "it is not configured any more" in only(operation(app)).observed
    app.engine.dispose()


def test_a_champion_that_the_ledger_does_not_know(used, tmp_path):
    """Somebody else changed it, or it is gone; both are told, and nothing is written."""
    assert bad(operations.champion(used, "shop")) == []
    platform = used.platform("shop")
    platform.upload(*write_model(tmp_path, "one"))
    platform.activate("one", expected=None)
    assert only(operations.champion(used, "shop")).observed.startswith("one serves, the ledger")
    assert used.store.promotions("shop") == ()
    promotion = Promotion("shop", None, "two", PromotionReason.PERSON, "ada", LONG_AGO)
    used.store.record_promotion(promotion)
    assert "the ledger says two" in only(operations.champion(used, "shop")).observed


# The doctor as a whole.


def test_a_check_has_its_time():
    """What hangs is told, and holds up nothing else for long."""
    over = threading.Event()

    def hang() -> list[Diagnosis]:
        over.wait(30)
        return []

    assert "no answer within 0.1 s" in only(Check("slow", hang, seconds=0.1).run()).observed
    over.set()


def test_what_needs_a_failed_check_is_left_out():
    """One fault is told once, and others that do not hang on it too."""

    def fail() -> list[Diagnosis]:
        raise DatabaseError("gone", tip="mend it")

    def well() -> list[Diagnosis]:
        return [good("well", "yes")]

    begun: list[str] = []
    found = run(
        [
            Check("database", fail),
            Check("daemon", fail, frozenset({"database"})),
            Check("assistant", fail, frozenset({"daemon"})),
            Check("other", well),
        ],
        begun.append,
    )
    assert [(each.what, each.observed) for each in found] == [("database", "gone"), ("well", "yes")]
    assert begun == ["database", "other"]


def test_json_and_exit_codes(tmp_path):
    """One object a line; the first error gives the code, a warning none."""
    home = household(tmp_path, HOURLY, assistants=("shop", "bank"))
    command = ["--config", str(home.config), "check", "--quick", "--json", "--assistant", "bank"]
    answer = CliRunner().invoke(commands, command)
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.exit_code == 78  # there is no Rasa
    wrong = {line["what"] for line in lines if line["level"] == "error"}
    assert wrong == {"Rasa's environment"}
    assert {*lines[0]} == {"what", "level", "observed", "fix", "findings"}
    assert not any("shop" in line["what"] for line in lines)
    assert not home.application().state_dir.exists()


def test_every_check_names_itself(tmp_path):
    """What is needed by others exists."""
    made = list(checks(household(tmp_path).application(), ("shop",), quick=True))
    names = {check.what for check in made}
    assert all(check.needs <= names for check in made)
    assert len(names) == len(made)


def test_what_cannot_be_looked_at_is_told():
    """A folder that is closed, or gone meanwhile, is no bug."""

    def look() -> list[Diagnosis]:
        raise PermissionError(13, "Permission denied", "/closed")

    assert "Permission denied: '/closed'" in only(Check("x", look).run()).observed


def test_errors_carry_what_to_do():
    """The tip of an error becomes the fix."""

    def fail() -> list[Diagnosis]:
        raise RetrainerError("broken", tip="mend it")

    assert only(Check("x", fail).run()).fix == "mend it"
