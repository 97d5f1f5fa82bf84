"""Connections to the database, and what its failures mean."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from retrainer.errors import ConfigurationError, DatabaseError

#: Seconds that a writer waits for another one.
BUSY_SECONDS = 30.0
_CONNECT_SECONDS = 10
#: Seconds between two tries to switch a database that another process uses to WAL.
_PAUSE = 0.02
_POSTGRES_NAMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})


def make_engine(
    url: str,
    *,
    busy_seconds: float = BUSY_SECONDS,
    anchored: Callable[[Path], Path] = Path.absolute,
) -> sa.Engine:
    """An engine for `sqlite:///PATH` or `postgresql+psycopg://USER@HOST/NAME`; connects to nothing.

    `busy_seconds` is how long a writer waits for another one on SQLite; `anchored` makes the path
    of an SQLite file absolute.

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
        return _postgres_engine(parsed)
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

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        # Python's driver would begin transactions by itself, and too late: `begin` below does.
        connection.isolation_level = None
        _use_write_ahead_log(connection, busy_seconds)
        connection.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that will write takes the lock first: one that reads, then writes after
        # another writer would fail at once instead of waiting.
        options = connection.get_execution_options()
        keys = options.get("foreign_keys", True)
        connection.exec_driver_sql(f"PRAGMA foreign_keys = {'ON' if keys else 'OFF'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")

    return engine


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


def _postgres_engine(url: sa.URL) -> sa.Engine:
    try:
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,  # a server that was restarted meanwhile is no error
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                "application_name": "retrainer",
                "prepare_threshold": None,  # prepared statements break behind pooling proxies
            },
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"database: PostgreSQL needs the Python package {error.name}",
            tip="pip install 'retrainer[postgres]'",
        ) from error


def describe(engine: sa.Engine) -> str:
    """The database for people, never with its password."""
    if engine.dialect.name == "sqlite":
        return f"database {engine.url.database}"
    return f"database {engine.url.set(query={}).render_as_string(hide_password=True)}"


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection to read with.

    Raises:
        DatabaseError: the database could not be used.
    """
    with _translated(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: sa.Engine, *, foreign_keys: bool = True) -> Iterator[sa.Connection]:
    """One transaction that writes: committed at the end, rolled back on any error.

    `foreign_keys` False switches their enforcement off on SQLite, for changes of the schema.

    Raises:
        DatabaseError: the database could not be used; nothing was written.
    """
    with _translated(engine), engine.connect() as connection:
        connection.execution_options(writes=True, foreign_keys=foreign_keys)
        with connection.begin():
            yield connection


@contextmanager
def _translated(engine: sa.Engine) -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        if engine.dialect.name == "sqlite":
            problem, tip = _sqlite_problem(engine, error.orig)
        else:
            problem, tip = _postgres_problem(engine, error.orig)
        raise DatabaseError(f"{describe(engine)}: {problem}", tip=tip) from error
    except sa.exc.SQLAlchemyError as error:  # such as waiting too long for a free connection
        raise DatabaseError(
            f"{describe(engine)}: {_without_password(engine, str(error))}"
        ) from error


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


def _postgres_problem(engine: sa.Engine, error: BaseException | None) -> tuple[str, str]:
    state: Any = getattr(error, "sqlstate", None) or ""
    lines = _without_password(engine, str(error)).strip().splitlines()
    problem = lines[0] if lines else type(error).__name__
    known = {
        "": "make sure that the server is running and reachable, and that the URL is right",
        "08": "make sure that the server is running and reachable, then try again",
        "25006": "the server is read-only: name the primary server",
        "28": "check user and password",
        "3D": "create the database, or name another",
        "42501": "grant the user the rights to these tables",
        "53": "the server is out of disk, memory or connections: free some, then try again",
        "57": "the server was shut down or ended the connection: try again",
    }
    for prefix in sorted(known, reverse=True):
        if state == prefix or (prefix and state.startswith(prefix)):
            return problem, known[prefix]
    return f"{problem} ({state})", "`retrainer db check` says whether it has the right schema"


def _without_password(engine: sa.Engine, text: str) -> str:
    password = engine.url.password
    return text.replace(str(password), "***") if password else text
