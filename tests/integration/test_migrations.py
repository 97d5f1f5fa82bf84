"""The schema: created, upgraded, checked, and refused when it is not ours."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from support.databases import ALL_DIALECTS, DIALECTS, engine_of, sqlite_engine, url_of

from retrainer.domain.cycle import Status, Trigger
from retrainer.errors import DatabaseError, SchemaError
from retrainer.store import history, schema
from retrainer.store.engine import make_engine, reading, writing
from retrainer.store.run_store import SqlRunStore
from retrainer.store.schema import (
    HEAD,
    VERSION_TABLE,
    Standing,
    check,
    current,
    downgrade,
    migrations_folder,
    prepare,
    upgrade,
)
from retrainer.store.status import read_status
from retrainer.store.tables import metadata, promotions
from retrainer.testing.clock import FakeClock

TIMEOUT = 60  # seconds, for the processes that tests start


@pytest.fixture(params=ALL_DIALECTS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database without any table."""
    with engine_of(request.param, tmp_path, prepared=False) as engine:
        yield engine


def script() -> ScriptDirectory:
    """The migrations as Alembic reads them."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    return ScriptDirectory.from_config(config)


def tables(engine: sa.Engine) -> set[str]:
    """What is in the database."""
    with reading(engine) as connection:
        return set(sa.inspect(connection).get_table_names())


def set_revision(engine: sa.Engine, revision: str) -> None:
    """Let the database look as if another version had made it."""
    with writing(engine) as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")


def test_the_known_revision_is_the_newest():
    """The constant that spares the import of Alembic is the newest, and their names sort."""
    found = [revision.revision for revision in script().walk_revisions()]
    assert found[0] == script().get_current_head() == HEAD
    assert found == sorted(found, reverse=True)
    assert {len(revision) for revision in found} == {4}


def test_tables_are_what_the_migrations_make(empty: sa.Engine):
    """The code's tables and the migrated database do not differ in anything."""
    upgrade(empty)
    with reading(empty) as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_up_down_up(empty: sa.Engine):
    """Every migration can be undone, leaving nothing, and be done again."""
    assert current(empty).standing is Standing.EMPTY
    for _ in range(2):
        assert upgrade(empty) == current(empty)
        assert current(empty).standing is Standing.CURRENT
        assert tables(empty) == {*metadata.tables, VERSION_TABLE}
        downgrade(empty, "base")
        assert current(empty).standing is Standing.EMPTY
        assert tables(empty) == {VERSION_TABLE}


def test_prepare_creates_and_then_checks(empty: sa.Engine):
    """An empty database gets the schema without being asked, an existing one is left alone."""
    prepare(empty)
    check(empty)
    prepare(empty)
    assert upgrade(empty).standing is Standing.CURRENT
    assert current(empty).revision == HEAD


def test_prepare_makes_the_folder(tmp_path: Path):
    """The first run needs no folder to be made by hand."""
    engine = make_engine(f"sqlite:///{tmp_path}/new/state/retrainer.db")
    prepare(engine)
    check(engine)
    engine.dispose()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_two_processes_prepare_at_once(dialect: str, tmp_path: Path):
    """Processes that meet an empty database at the same moment all find it ready."""
    code = (
        "import sys; from retrainer.store.engine import make_engine;"
        "from retrainer.store.schema import check, prepare; engine = make_engine(sys.argv[1]);"
        "print('ready', flush=True); sys.stdin.readline(); prepare(engine); check(engine)"
    )
    with engine_of(dialect, tmp_path, prepared=False) as engine:
        command = [sys.executable, "-c", code, url_of(engine)]
        started = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in started:
            process.communicate(timeout=TIMEOUT)
        assert [process.returncode for process in started] == [0] * 4
        check(engine)


def test_older_schema_is_not_used(empty: sa.Engine):
    """An old database is refused with the command that upgrades it."""
    upgrade(empty)
    set_revision(empty, "0000")
    for look in (check, prepare):
        with pytest.raises(
            SchemaError, match=rf"older schema revision 0000.* needs {HEAD}"
        ) as caught:
            look(empty)
        assert caught.value.tip == "retrainer db upgrade"


def test_newer_schema_is_not_touched(empty: sa.Engine):
    """A database of a newer version is refused by everything, upgrade included."""
    upgrade(empty)
    set_revision(empty, "9999")
    for look in (check, prepare, upgrade):
        with pytest.raises(SchemaError, match=r"newer retrainer.* 9999"):
            look(empty)
    assert current(empty).revision == "9999"


def test_foreign_tables_are_not_touched(empty: sa.Engine):
    """A database of another program is left as it is."""
    with writing(empty) as connection:
        connection.exec_driver_sql("CREATE TABLE cycles (bicycle integer)")
    for look in (check, prepare, upgrade):
        with pytest.raises(SchemaError, match="another program"):
            look(empty)
    assert tables(empty) == {"cycles"}


def test_a_missing_schema_is_not_created_by_looking(empty: sa.Engine):
    """Only `prepare` and `upgrade` create tables."""
    with pytest.raises(SchemaError, match="is empty") as caught:
        check(empty)
    assert caught.value.tip == "retrainer db upgrade"
    assert tables(empty) == set()


def test_a_failed_migration_changes_nothing(empty: sa.Engine):
    """A migration that fails in the middle is undone as a whole, on SQLite too."""

    @sa.event.listens_for(empty, "before_cursor_execute")
    def fail(_connection, _cursor, statement, *_rest) -> None:
        if "CREATE TABLE outbox" in statement:
            raise sa.exc.OperationalError(statement, {}, Exception("power cut"))

    with pytest.raises(DatabaseError, match="power cut"):
        upgrade(empty)
    assert tables(empty) == set()
    sa.event.remove(empty, "before_cursor_execute", fail)
    upgrade(empty)
    check(empty)


def test_the_ledger_is_append_only(empty: sa.Engine):
    """The database itself refuses to change or delete a promotion."""
    upgrade(empty)
    row = "1, 'helpdesk', 'a', 'gate', 'x', '2026-01-01', ''"
    with writing(empty) as connection:
        connection.exec_driver_sql(
            "INSERT INTO promotions (number, assistant, model, reason, actor, at, note) "
            f"VALUES ({row})"
        )
    for change in (sa.update(promotions).values(model="b"), sa.delete(promotions)):
        with pytest.raises(DatabaseError, match="append-only"), writing(empty) as connection:
            connection.execute(change)


#: A row for each table of revision 0001, as the first release wrote it; `{n}` tells them apart.
ROWS_OF_0001 = """
INSERT INTO cycles (number, assistant, trigger, fire_time, status, dry_run, force, started_at,
  ended_at, owner, lease_until, resumed, fingerprint, snapshot, origin, champion, challenger,
  verdict, stopped_by, f1_champion, f1_challenger, examples, promoted, error, tip, failed_step)
VALUES ({n}, 'helpdesk', 'schedule', '2026-01-0{n} 03:00:00', '{status}', false, true,
  '2026-01-0{n} 03:00:01', {ended}, 'host/boot/1/1/1', '2026-01-01 04:00:00', {n}, 'f{n}', 's',
  'directory', 'champion', 'helpdesk-{n}', 'reject', 'gain', 0.5, 0.25, 10, false, 'no "disk"',
  'tip', 'pull');
INSERT INTO steps (cycle, name, status, attempts, started_at, state, error)
VALUES ({n}, 'pull', 'done', 2, '2026-01-01 00:00:00', '{{"fingerprint": "f{n}"}}', 'e');
INSERT INTO checks (cycle, position, rule, blocking, outcome, observed, "limit", sentence, details)
VALUES ({n}, 0, 'gain', true, 'reject', 0.25, 0.5, 'no', '["x"]');
INSERT INTO promotions (number, assistant, previous, model, reason, actor, at, note, cycle)
VALUES ({n}, 'helpdesk', NULL, 'm{n}', 'gate', 'x', '2026-01-01 00:00:00', '', {n});
INSERT INTO outbox (cycle, notifier, created_at, attempts, next_attempt_at, last_error)
VALUES ({n}, 'slack', '2026-01-01 00:00:00', 3, '2026-01-01 00:00:00', 'down')
"""
TABLES_OF_0001 = ("cycles", "steps", "checks", "promotions", "outbox")
NEW_COLUMNS = {"cycles": {"resume_at"}, "outbox": {"claimed_by"}}


def fill_0001(engine: sa.Engine) -> None:
    """A database of the first release, with rows in every table; the third cycle still runs."""
    with schema.migrating(engine) as connection:
        schema.run_migrations("upgrade", connection, "0001")
    with writing(engine) as connection:
        for n in (1, 2, 3):
            ended = "NULL" if n == 3 else f"'2026-01-0{n} 03:05:00'"
            status = "running" if n == 3 else "completed"
            for row in ROWS_OF_0001.split(";"):
                connection.exec_driver_sql(row.format(n=n, ended=ended, status=status))
        if engine.dialect.name == "postgresql":
            for name in ("cycles", "promotions"):
                connection.exec_driver_sql(f"SELECT setval('{name}_number_seq', 3)")


def contents_of_0001(engine: sa.Engine) -> dict[str, list]:
    """All rows of the first release's tables, in its columns."""
    found = {}
    with reading(engine) as connection:
        for name in TABLES_OF_0001:
            names = {column["name"] for column in sa.inspect(connection).get_columns(name)}
            columns = map(sa.column, sorted(names - NEW_COLUMNS.get(name, set())))
            found[name] = connection.execute(sa.select(*columns).select_from(sa.table(name))).all()
    return found


def structure(engine: sa.Engine) -> list[str]:
    """The indexes, and on SQLite the triggers."""
    query = (
        "SELECT sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL ORDER BY name"
        if engine.dialect.name == "sqlite"
        else "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
    )
    with reading(engine) as connection:
        return list(connection.exec_driver_sql(query).scalars())


def test_a_database_of_the_first_release(empty: sa.Engine):
    """Upgraded with rows in every table, and taken back, it loses nothing that it held."""
    fill_0001(empty)
    before, shape = contents_of_0001(empty), structure(empty)
    assert [len(rows) for rows in before.values()] == [3] * 5
    with pytest.raises(SchemaError, match=f"older schema revision 0001.* needs {HEAD}") as caught:
        check(empty)
    assert caught.value.tip == "retrainer db upgrade"
    for _ in range(2):
        upgrade(empty)
        check(empty)
        assert contents_of_0001(empty) == before
        for change in (sa.update(promotions).values(model="b"), sa.delete(promotions)):
            with pytest.raises(DatabaseError, match="append-only"), writing(empty) as connection:
                connection.execute(change)
        downgrade(empty, "0001")
        assert contents_of_0001(empty) == before
        assert structure(empty) == shape


def test_a_cycle_of_the_first_release_goes_on(empty: sa.Engine):
    """What ran when the service was upgraded is taken up by the new one, and told of."""
    fill_0001(empty)
    upgrade(empty)
    clock = FakeClock(datetime(2026, 2, 1, tzinfo=UTC))
    store = SqlRunStore(empty, clock)
    lease = store.begin("helpdesk", None, owner="elsewhere/boot/1/1/1", lease=timedelta(hours=1))
    assert (lease.cycle.number, lease.cycle.resumed) == (3, 4)
    assert store.load(lease.cycle).state.fingerprint == "f3"
    report = store.finish(lease, Status.COMPLETED, notifiers=())
    assert history.get(empty, "3").report == report
    assert store.last_with("helpdesk", "f3") == 3
    assert read_status(empty, clock.now()).outbox.waiting == 3
    again = store.begin("helpdesk", Trigger.MANUAL, owner="x", lease=timedelta(hours=1))
    assert again.cycle.number > 3, "a number is never used twice"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_two_processes_upgrade_at_once(dialect: str, tmp_path: Path):
    """`db upgrade` by several processes at the same moment: one does it, all of them succeed."""
    code = (
        "import sys; from retrainer.store.engine import make_engine;"
        "from retrainer.store.schema import upgrade; engine = make_engine(sys.argv[1]);"
        "print('ready', flush=True); sys.stdin.readline(); print(upgrade(engine).revision)"
    )
    with engine_of(dialect, tmp_path, prepared=False) as engine:
        fill_0001(engine)
        before = contents_of_0001(engine)
        command = [sys.executable, "-c", code, url_of(engine)]
        started = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=TIMEOUT)[0] for process in started]
        assert said == [f"{HEAD}\n"] * 3
        check(engine)
        assert contents_of_0001(engine) == before


def test_sqlite_keeps_references_through_a_migration(tmp_path: Path):
    """A migration that would leave rows without what they refer to is undone."""
    with sqlite_engine(tmp_path, prepared=False) as engine:
        upgrade(engine)
        with writing(engine, foreign_keys=False) as connection:
            connection.exec_driver_sql(
                "INSERT INTO steps (cycle, name, status, attempts, started_at) "
                "VALUES (77, 'pull', 'done', 1, '2026-01-01 00:00:00')"
            )
        with pytest.raises(DatabaseError, match="missing rows"):
            upgrade(engine)


def test_looking_does_without_alembic(tmp_path: Path):
    """On a night without change, neither Alembic nor numpy is imported."""
    code = (
        "import sys; from retrainer.store.engine import make_engine;"
        "from retrainer.store import history, run_store; from retrainer.store.schema import prepare;"
        "engine = make_engine(sys.argv[1]); prepare(engine); history.list_cycles(engine);"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'alembic', 'numpy', 'scipy', 'mako', 'psycopg'}))"
    )
    with sqlite_engine(tmp_path) as engine:
        done = subprocess.run(
            [sys.executable, "-c", code, url_of(engine)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=True,
        )
    assert done.stdout.strip() == "[]"
