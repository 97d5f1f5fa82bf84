"""Database URLs, and what a failure of SQLite means."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.databases import sqlite_engine

from retrainer.errors import ConfigurationError, DatabaseError, SchemaError
from retrainer.store.engine import describe, make_engine, reading, writing
from retrainer.store.schema import (
    SchemaRevision,
    Standing,
    check,
    current,
    prepare,
    upgrade,
)
from retrainer.store.tables import Prose, UtcDateTime, promotions

NOBODY = 65534


@contextmanager
def without_root() -> Iterator[None]:
    """Be a user to whom the rights of files apply."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An SQLite file with the schema."""
    with sqlite_engine(tmp_path) as made:
        yield made


def add_promotion(engine: sa.Engine, note: str = "") -> None:
    """Write something."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    row = {"assistant": "a", "model": "m", "reason": "gate", "actor": "x", "at": moment}
    with writing(engine) as connection:
        connection.execute(sa.insert(promotions).values(**row, note=note))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file.db?mode=ro",
        "mysql://ann:secret@host/name",
        "postgresql://ann:secret@host:port/name",
        "postgresql+psycopg2://ann:secret@host/name",
    ],
)
def test_only_known_databases(url: str):
    """Another database is refused by the key's name, without repeating the password."""
    with pytest.raises(ConfigurationError, match=r"^database: ") as caught:
        make_engine(url)
    assert "secret" not in f"{caught.value}{caught.value.tip}{caught.value.__cause__}"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_by_any_name(scheme: str):
    """The usual spellings lead to the one driver, and the password stays hidden."""
    engine = make_engine(f"{scheme}://ann:secret@host/name")
    assert engine.driver == "psycopg"
    assert describe(engine) == "database postgresql+psycopg://ann:***@host/name"


def test_sqlite_survives_a_power_cut(engine: sa.Engine):
    """Write-ahead log, a sync at each commit, and references are enforced."""
    with reading(engine) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_a_locked_database_is_named(engine: sa.Engine, tmp_path: Path):
    """A writer waits a limited time for another program, then says so; readers do not wait."""
    hurried = make_engine(f"sqlite:///{tmp_path}/retrainer.db", busy_seconds=0.05)
    with writing(engine):
        assert current(hurried).revision
        with pytest.raises(DatabaseError, match="locked by another") as caught:
            add_promotion(hurried)
    assert str(tmp_path) in caught.value.message
    add_promotion(hurried)
    hurried.dispose()


def test_a_read_only_file_is_named(engine: sa.Engine, tmp_path: Path):
    """Without the right to write, the file and its folder are named."""
    engine.dispose()
    folders = (*tmp_path.parents[:2], tmp_path)  # pytest's own let nobody else in
    (tmp_path / "retrainer.db").chmod(0o444)
    for folder in folders:
        folder.chmod(0o555)
    try:
        with without_root(), pytest.raises(DatabaseError) as caught:
            add_promotion(engine)
    finally:
        for folder in folders:
            folder.chmod(0o700)
    assert "read-only" in caught.value.message or "cannot be opened" in caught.value.message
    assert str(tmp_path) in caught.value.tip


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    """A state folder below a file is an error with its path."""
    (tmp_path / "file").write_text("")
    engine = make_engine(f"sqlite:///{tmp_path}/file/state/retrainer.db")
    with pytest.raises(DatabaseError, match="file/state cannot be made: Not a directory"):
        prepare(engine)


@pytest.mark.parametrize("folder", [".", "none"])
def test_a_database_that_is_not_there_is_empty(tmp_path: Path, folder: str):
    """A database that is only looked at is not created, nor is its folder."""
    engine = make_engine(f"sqlite:///{tmp_path}/{folder}/retrainer.db")
    assert current(engine) == SchemaRevision(Standing.EMPTY, None)
    with pytest.raises(SchemaError, match="is empty"):
        check(engine)
    assert list(tmp_path.iterdir()) == []


def test_an_upgrade_makes_the_folder(tmp_path: Path):
    """`db upgrade` is enough to begin with, wherever the database is to be."""
    engine = make_engine(f"sqlite:///{tmp_path}/a/b/retrainer.db")
    assert upgrade(engine).standing is Standing.CURRENT
    assert current(engine).standing is Standing.CURRENT


def test_a_relative_path_is_anchored(tmp_path: Path):
    """Where a relative database lies is the caller's to say, not the working directory's."""
    engine = make_engine("sqlite:///retrainer.db", anchored=lambda path: tmp_path / path)
    upgrade(engine)
    assert (tmp_path / "retrainer.db").is_file()


def test_a_full_disk_is_named(engine: sa.Engine):
    """What does not fit is not written, earlier rows stay, and the same call works later."""
    add_promotion(engine)

    @sa.event.listens_for(engine, "begin")
    def limit(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    with pytest.raises(DatabaseError, match="the disk is full") as caught:
        add_promotion(engine, "x" * 100_000)
    assert "free space" in caught.value.tip
    sa.event.remove(engine, "begin", limit)
    with reading(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 4294967294")
        assert connection.scalar(sa.select(sa.func.count()).select_from(promotions)) == 1
    add_promotion(engine, "x" * 100_000)


def test_another_file_is_named(tmp_path: Path):
    """A file that is no database is not overwritten."""
    path = tmp_path / "retrainer.db"
    path.write_bytes(b"config: yes\n" * 1000)
    engine = make_engine(f"sqlite:///{path}")
    with pytest.raises(DatabaseError, match="not an SQLite database"):
        prepare(engine)
    assert path.read_bytes() == b"config: yes\n" * 1000


def test_a_damaged_file_is_named(engine: sa.Engine, tmp_path: Path):
    """Damage inside the file is an error that says what to do."""
    engine.dispose()  # the last connection moves the log into the file
    path = tmp_path / "retrainer.db"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(DatabaseError, match="damaged") as caught:
        add_promotion(engine)
    assert "backup" in caught.value.tip


def test_a_failure_rolls_back(engine: sa.Engine):
    """An error in the middle of a transaction leaves nothing of it."""

    def fail() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("DELETE FROM retrainer_schema")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert current(engine).revision


def test_the_waiting_writer_reads_first(engine: sa.Engine, tmp_path: Path):
    """A writer takes its lock before it reads, so what it read is still so when it writes."""
    with (
        writing(engine),
        closing(sqlite3.connect(tmp_path / "retrainer.db", timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")


@pytest.mark.parametrize("hours", [-5, 0, 9])
def test_times_are_utc_again(hours: int):
    """SQLite drops offsets: the column stores UTC and gives back aware UTC."""
    there = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=hours)))
    sqlite = sa.dialects.sqlite.dialect()
    stored = UtcDateTime().process_bind_param(there, sqlite)
    assert stored == there.astimezone(UTC).replace(tzinfo=None)
    back = UtcDateTime().process_result_value(stored, sqlite)
    assert (back, back.tzinfo) == (there, UTC)


def test_a_time_without_offset_is_refused():
    """A naive time is a bug, found before it is stored."""
    with pytest.raises(ValueError, match="no offset"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), sa.dialects.sqlite.dialect())  # noqa: DTZ001 - the mistake in question


def test_prose_can_be_stored():
    """What no database takes becomes a question mark, the rest stays."""
    stored = Prose().process_bind_param("a\0b\ud800c \U0001f600", sa.dialects.sqlite.dialect())
    assert stored == "a?b?c \U0001f600"


def test_a_long_reader_leaves_no_long_log(tmp_path: Path):
    """What SQLite cannot write back while somebody reads is given back to the disk afterwards."""
    with sqlite_engine(tmp_path) as engine:
        log = Path(f"{engine.url.database}-wal")
        with reading(engine) as connection:
            connection.execute(sa.select(promotions)).all()
            for _ in range(24):
                add_promotion(engine, "x" * 1024**2)
            assert log.stat().st_size > 20 * 1024**2
        for _ in range(3):
            add_promotion(engine, "x" * 1024**2 * 5)
        assert log.stat().st_size <= 17 * 1024**2


def count_promotions(engine: sa.Engine) -> int:
    with reading(engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(promotions)).scalar_one()


def test_a_deleted_database_is_noticed(engine: sa.Engine, tmp_path: Path):
    """Nothing goes to a file that nobody finds any more, no new one is made, and it may come back."""
    add_promotion(engine)
    files = sorted(tmp_path.iterdir())
    away = tmp_path / "away"
    away.mkdir()
    for file in files:
        file.rename(away / file.name)
    for use in (lambda: add_promotion(engine), lambda: count_promotions(engine)):
        with pytest.raises(DatabaseError, match="it cannot be opened") as caught:
            use()
        assert str(tmp_path) in (caught.value.tip or "")
    assert list(tmp_path.iterdir()) == [away]
    for file in files:
        (away / file.name).rename(file)
    add_promotion(engine, "again")
    assert count_promotions(engine) == 2


def test_a_database_that_was_replaced_is_used(engine: sa.Engine, tmp_path: Path):
    """What was restored in its place is what counts, not the file that was there before."""
    add_promotion(engine)
    (tmp_path / "other").mkdir()
    with sqlite_engine(tmp_path / "other") as other:
        add_promotion(other)
        add_promotion(other)
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"retrainer.db{suffix}").unlink(missing_ok=True)
    (tmp_path / "other" / "retrainer.db").replace(tmp_path / "retrainer.db")
    assert count_promotions(engine) == 2
