"""Connections to the database, and what its failures mean."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

from retrainer.errors import ConfigurationError, DatabaseError
from retrainer.store import postgres

#: Seconds that a writer waits for another one.
BUSY_SECONDS = 30.0
#: Seconds between two tries to switch a database that another process uses to WAL.
_PAUSE = 0.02
#: Bytes that the write-ahead log keeps on disk after a long reader made it grow.
_LONGEST_LOG = 16 * 1024**2
_POSTGRES_NAMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})


def make_engine(
    url: str,
    *,
    busy_seconds: float = BUSY_SECONDS,
    answer_seconds: float = postgres.ANSWER_SECONDS,
    idle_seconds: float = postgres.IDLE_SECONDS,
    anchored: Callable[[Path], Path] = Path.absolute,
) -> sa.Engine:
    """An engine for `sqlite:///PATH` or `postgresql+psycopg://USER@HOST/NAME`; connects to nothing.

    `busy_seconds` is how long a writer waits for another one on SQLite, `answer_seconds` how long
    PostgreSQL may take for an answer, `idle_seconds` how long it lets a process that was stopped
    keep what it has locked; `anchored` makes the path of an SQLite file absolute.

    Raises:
        ConfigurationError: not such a URL, or the driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The parser's own message repeats the URL, and so the password.
        raise ConfigurationError(
            "database: this is not a database URL",
            tip="write sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME",
        ) from None
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        if parsed.database and parsed.database != ":memory:":
            parsed = parsed.set(database=str(anchored(Path(parsed.database))))
        return _sqlite_engine(parsed, busy_seconds)
    if parsed.drivername in _POSTGRES_NAMES:
        return postgres.make_engine(
            parsed, answer_seconds=answer_seconds, idle_seconds=idle_seconds
        )
    raise ConfigurationError(
        f"database: {parsed.drivername} is not supported",
        tip="SQLite (sqlite:///PATH) and PostgreSQL (postgresql+psycopg://USER@HOST/NAME) are",
    )


def _sqlite_engine(url: sa.URL, busy_seconds: float) -> sa.Engine:
    if url.database in {None, "", ":memory:"} or url.query:
        raise ConfigurationError(
            "database: SQLite needs the path of a file and nothing else",
            tip="write sqlite:////absolute/path/retrainer.db",
        )
    engine = sa.create_engine(url, connect_args={"timeout": busy_seconds})
    _stay_with_the_file(engine, Path(url.database or ""))

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        # Python's driver would begin transactions by itself, and too late: `begin` below does.
        connection.isolation_level = None
        _use_write_ahead_log(connection, busy_seconds)
        connection.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
        connection.execute(f"PRAGMA journal_size_limit = {_LONGEST_LOG}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that will write takes the lock first: one that reads, then writes after
        # another writer would fail at once instead of waiting.
        options = connection.get_execution_options()
        keys = options.get("foreign_keys", True)
        connection.exec_driver_sql(f"PRAGMA foreign_keys = {'ON' if keys else 'OFF'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")

    return engine


def _stay_with_the_file(engine: sa.Engine, file: Path) -> None:
    """Notice that the file was deleted, or that another one has its place.

    SQLite would go on to write to a file that nobody finds any more, or make a new, empty one.
    """
    known = False

    def identity() -> tuple[int, int] | None:
        try:
            found = file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, _arguments: object, _options: object) -> None:
        if known and identity() is None:
            error = sqlite3.OperationalError("the file is gone")
            error.sqlite_errorname = "SQLITE_CANTOPEN"
            raise error

    @event.listens_for(engine, "connect")
    def connected(_connection: object, record: ConnectionPoolEntry) -> None:
        nonlocal known
        known, record.info["file"] = True, identity()

    @event.listens_for(engine, "checkout")
    def checkout(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        if record.info["file"] != identity():
            raise sa.exc.DisconnectionError


def _use_write_ahead_log(connection: sqlite3.Connection, seconds: float) -> None:
    """Switch a database to WAL, for good; SQLite itself does not wait for a lock here."""
    end = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
            time.sleep(_PAUSE)
        else:
            return


def describe(engine: sa.Engine) -> str:
    """The database for people, never with its password."""
    if engine.dialect.name == "sqlite":
        return f"database {engine.url.database}"
    return f"database {engine.url.set(query={}).render_as_string(hide_password=True)}"


@contextmanager
def reading(engine: sa.Engine, *, consistent: bool = False) -> Iterator[sa.Connection]:
    """A connection to read with.

    `consistent` shows the database as it is now to all queries, which may take as long as they
    need; on PostgreSQL each query otherwise sees what was committed before it.

    Raises:
        DatabaseError: the database could not be used.
    """
    with _translated(engine), engine.connect() as connection:
        if consistent and engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", patient=True)
        with connection.begin():
            if consistent:  # what is seen is settled by the first query
                connection.exec_driver_sql("SELECT count(*) FROM leases")
            yield connection


@contextmanager
def writing(
    engine: sa.Engine, *, foreign_keys: bool = True, patient: bool = False
) -> Iterator[sa.Connection]:
    """One transaction that writes: committed at the end, rolled back on any error.

    `foreign_keys` False switches their enforcement off on SQLite, for changes of the schema;
    `patient` True lets a statement take as long as it needs on PostgreSQL.

    Raises:
        DatabaseError: the database could not be used; nothing was written, unless the message
            says that this is not known.
    """
    with _translated(engine), engine.connect() as connection:
        connection.execution_options(writes=True, foreign_keys=foreign_keys, patient=patient)
        committing = False
        try:
            with connection.begin():
                yield connection
                committing = True
        except sa.exc.DBAPIError as error:
            if committing and error.connection_invalidated:
                raise _doubt(engine, error) from error
            raise


def _doubt(engine: sa.Engine, error: sa.exc.DBAPIError) -> DatabaseError:
    """The connection was lost between the command to commit and its answer."""
    words, _ = postgres.problem(engine, error.orig)
    return DatabaseError(
        f"{describe(engine)}: whether this was written is not known: {words}",
        tip="`retrainer status` shows what is there; then try again",
    )


@contextmanager
def _translated(engine: sa.Engine) -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        if engine.dialect.name == "sqlite":
            problem, tip = _sqlite_problem(engine, error.orig)
        else:
            problem, tip = postgres.problem(engine, error.orig)
        raise DatabaseError(f"{describe(engine)}: {problem}", tip=tip) from error
    except sa.exc.TimeoutError as error:
        raise DatabaseError(
            f"{describe(engine)}: this process uses all its connections, and none got free in time",
            tip="the database is slow, or much is going on at once: try again",
        ) from error
    except sa.exc.SQLAlchemyError as error:
        words = postgres.without_password(engine, str(error))
        raise DatabaseError(f"{describe(engine)}: {words}") from error


def _sqlite_problem(engine: sa.Engine, error: BaseException | None) -> tuple[str, str]:
    folder = Path(engine.url.database or "").absolute().parent
    known = {
        "SQLITE_BUSY": ("it is locked by another program", "end that program, then try again"),
        "SQLITE_READONLY": (
            "it is read-only",
            f"give this user the right to write to the file and its folder {folder}",
        ),
        "SQLITE_CANTOPEN": (
            "it cannot be opened",
            f"make sure that {folder} exists and that this user may write to it",
        ),
        "SQLITE_FULL": ("the disk is full", f"free space below {folder}, then try again"),
        "SQLITE_IOERR": ("reading or writing failed", f"look at the disk that holds {folder}"),
        "SQLITE_NOTADB": (
            "it is not an SQLite database",
            "name another file, or restore this one from a backup",
        ),
        "SQLITE_CORRUPT": ("it is damaged", "restore it from a backup"),
    }
    name = getattr(error, "sqlite_errorname", "")
    for prefix, (problem, tip) in known.items():
        if name.startswith(prefix):
            return f"{problem} ({error})", tip
    return str(error), "`retrainer db check` says whether it has the right schema"
