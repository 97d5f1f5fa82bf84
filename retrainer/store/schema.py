"""The schema's revision: what the database has, what this version needs, how to get there.

Looking at it does without Alembic, whose import would cost every command a fifth of a second.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retrainer import __version__
from retrainer.errors import DatabaseError, SchemaError
from retrainer.store.engine import describe, reading, writing

#: The newest migration, which a test holds against their folder. They are numbered in order.
HEAD = "0002"
#: Of our own name, since other programs that share a PostgreSQL database use Alembic too.
VERSION_TABLE = "retrainer_schema"
#: Any number that other programs are unlikely to lock: "retr" in ASCII.
_MIGRATION_LOCK = 0x72657472


class Standing(StrEnum):
    """How a database's schema compares with the one that this version needs."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    FOREIGN = "foreign"  # tables of another program


@dataclass(frozen=True, slots=True)
class SchemaRevision:
    """What a database has (`revision`, None without our tables) and what is needed (`head`)."""

    standing: Standing
    revision: str | None
    head: str = HEAD


def current(engine: sa.Engine) -> SchemaRevision:
    """The schema that the database has; an SQLite file that is not there yet is not made.

    Raises:
        DatabaseError: the database could not be used.
    """
    if engine.dialect.name == "sqlite" and not os.path.lexists(engine.url.database or ""):
        return SchemaRevision(Standing.EMPTY, None)
    with reading(engine) as connection:
        return _revision(connection)


def check(engine: sa.Engine) -> None:
    """Make sure that the schema is the one that this version needs.

    Raises:
        SchemaError: it is empty, older, newer or another program's.
        DatabaseError: the database could not be used.
    """
    _require(engine, current(engine), {Standing.CURRENT})


def prepare(engine: sa.Engine) -> None:
    """Create the schema in an empty database, check it in any other; the same when called again.

    Raises:
        SchemaError: it is older, newer or another program's.
        DatabaseError: the database could not be used.
    """
    found = current(engine)
    if found.standing is Standing.EMPTY:
        upgrade(engine)
    else:
        _require(engine, found, {Standing.CURRENT})


def upgrade(engine: sa.Engine) -> SchemaRevision:
    """Bring the schema to what this version needs, in one transaction; returns what it is.

    Of several processes that upgrade at once, one does and the others wait and find it done.

    Raises:
        SchemaError: it is newer or another program's.
        DatabaseError: the database could not be used; nothing was changed.
    """
    if engine.dialect.name == "sqlite":
        _make_folder(engine)
    with migrating(engine) as connection:
        found = _revision(connection)
        _require(engine, found, {Standing.EMPTY, Standing.OLDER, Standing.CURRENT})
        if found.standing is not Standing.CURRENT:
            run_migrations("upgrade", connection, HEAD)
        return _revision(connection)


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Go back to an older revision, `base` being none at all; what it cannot hold is lost."""
    with migrating(engine) as connection:
        run_migrations("downgrade", connection, revision)


@contextmanager
def replaced(engine: sa.Engine, revision: str) -> Iterator[sa.Connection]:
    """A transaction that begins with empty tables of that revision, and ends with those of HEAD.

    What the database held is deleted, if all goes well.

    Raises:
        SchemaError: it is newer or another program's.
        DatabaseError: the database could not be used; nothing was changed.
    """
    with migrating(engine) as connection:
        found = _revision(connection)
        _require(engine, found, {Standing.EMPTY, Standing.OLDER, Standing.CURRENT})
        if found.revision is not None:
            run_migrations("downgrade", connection, "base")
        run_migrations("upgrade", connection, revision)
        yield connection
        if revision != HEAD:
            run_migrations("upgrade", connection, HEAD)


def migrations_folder() -> Path:
    """Where the migrations are: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _revision(connection: sa.Connection) -> SchemaRevision:
    tables = sa.inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        return SchemaRevision(Standing.FOREIGN if tables else Standing.EMPTY, None)
    found = connection.scalar(sa.text(f"SELECT max(version_num) FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
    if found == HEAD:
        return SchemaRevision(Standing.CURRENT, found)
    if found is None:  # after a downgrade to nothing
        ours_alone = tables == [VERSION_TABLE]
        return SchemaRevision(Standing.EMPTY if ours_alone else Standing.FOREIGN, None)
    return SchemaRevision(Standing.OLDER if found < HEAD else Standing.NEWER, found)


def _require(engine: sa.Engine, found: SchemaRevision, wanted: set[Standing]) -> None:
    if found.standing in wanted:
        return
    place = describe(engine)
    versions = f"revision {found.revision}, retrainer {__version__} needs {HEAD}"
    match found.standing:
        case Standing.OLDER:
            message, tip = f"{place} has the older schema {versions}", "retrainer db upgrade"
        case Standing.NEWER:
            message = f"{place} was made by a newer retrainer: it has the schema {versions}"
            tip = "install the newer version of retrainer, or name another database"
        case Standing.EMPTY:
            message, tip = f"{place} is empty", "retrainer db upgrade"
        case _:
            message = f"{place} holds tables of another program and none of retrainer's"
            tip = "give retrainer a database of its own"
    raise SchemaError(message, tip=tip)


def _make_folder(engine: sa.Engine) -> None:
    folder = Path(engine.url.database or "").absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"{describe(engine)}: the folder {folder} cannot be made: {error.strerror}",
            tip="give this user the right to make it, or name another `state_dir`",
        ) from error


@contextmanager
def migrating(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that is alone in changing the schema."""
    # SQLite changes a table by replacing it, which must not delete the rows that refer to it.
    with writing(engine, foreign_keys=False, patient=True) as connection:
        if engine.dialect.name == "postgresql":
            # Until the end of the transaction, so that it holds behind a pooling proxy too.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            yield connection
            return
        yield connection
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise DatabaseError(
                f"{describe(engine)}: rows that refer to missing rows; nothing was changed",
                tip="restore it from a backup",
            )


def run_migrations(command: str, connection: sa.Connection, revision: str) -> None:
    """`upgrade` or `downgrade` to the revision, in the connection's transaction."""
    import alembic.command  # noqa: PLC0415 - slow, and rarely needed
    import alembic.config  # noqa: PLC0415

    config = alembic.config.Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    run: Any = getattr(alembic.command, command)
    run(config, revision)
