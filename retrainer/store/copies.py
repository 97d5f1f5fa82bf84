"""The database as files of JSON lines, one for each table: the same for SQLite and PostgreSQL.

What belongs to a machine at work is left out: daemons, and who leads. A cycle that runs is written
as one that nobody works on, to be taken up again; before its promotion it needs files that are in
no copy, so it is written as if none of its steps had begun.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retrainer.domain.cycle import Cycle
from retrainer.errors import BackupError
from retrainer.store import schema
from retrainer.store.engine import make_engine
from retrainer.store.leases import NOBODY, RUNNING
from retrainer.store.records import to_cycle
from retrainer.store.tables import UtcDateTime, cycles, daemons, leases, metadata, steps

#: In an order in which no row refers to one that is not there yet.
TABLES = tuple(t for t in metadata.sorted_tables if t not in (daemons, leases))
_AT_ONCE = 500
#: The longest line that is read: a cycle's evaluation has a few megabytes.
_LONGEST = 256 * 1000**2
_NUMBERED = "number"


@dataclass(frozen=True, slots=True)
class Running:
    """A cycle that runs while the copy is made; whether users may have its model already."""

    cycle: Cycle
    promoting: bool


def running(connection: sa.Connection, *, promotion: str) -> tuple[Running, ...]:
    """The running cycles; `promotion` is the step that begins to change the champion."""
    begun = sa.exists().where(steps.c.cycle == cycles.c.number, steps.c.name == promotion)
    query = sa.select(cycles, begun.label("promoting")).where(RUNNING).order_by(cycles.c.number)
    rows = connection.execute(query).mappings()
    return tuple(Running(to_cycle(row), row["promoting"]) for row in rows)


def write(connection: sa.Connection, folder: Path, under_way: tuple[Running, ...]) -> int:
    """Write every table to `folder/TABLE.jsonl`; returns the number of cycles.

    Raises:
        OSError: a file could not be written.
    """
    afresh = [found.cycle.number for found in under_way if not found.promoting]
    count = 0
    for table in TABLES:
        query = sa.select(table).order_by(*table.primary_key)
        if table is steps:
            query = query.where(steps.c.cycle.not_in(afresh))
        rows = connection.execution_options(yield_per=_AT_ONCE).execute(query).mappings()
        with (folder / f"{table.name}.jsonl").open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(_to_json(table, row), allow_nan=False) + "\n")
                count += table is cycles
    return count


@contextmanager
def replacing(engine: sa.Engine, folder: Path, revision: str) -> Iterator[None]:
    """Fill the database with such files, which a schema of that revision was copied to.

    It all happens at the end of the block, or not at all if that raises.

    Raises:
        BackupError: the files are not usable.
        DatabaseError: the database could not be used; nothing was changed.
    """
    with schema.replaced(engine, revision) as connection:
        found = sa.inspect(connection)
        for name in (table.name for table in TABLES):
            file = folder / f"{name}.jsonl"
            if found.has_table(name) and file.is_file():
                _fill(connection, _columns(found, name), file)
        yield


def make_file(path: Path, folder: Path, revision: str) -> None:
    """A new SQLite database at `path`, filled with such files.

    Raises:
        BackupError: the files are not usable.
        DatabaseError: it could not be made.
    """
    engine = make_engine(f"sqlite:///{path}")
    try:
        with replacing(engine, folder, revision):
            pass
        with engine.connect() as connection:  # all of it into the one file
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        engine.dispose()


def _to_json(table: sa.Table, row: sa.RowMapping) -> dict[str, Any]:
    values: dict[str, Any] = dict(row)
    if table is cycles and row["ended_at"] is None:
        values["owner"] = NOBODY
    if "claimed_by" in values:
        values["claimed_by"] = None
    for name, value in values.items():
        if isinstance(value, datetime):
            values[name] = value.isoformat()
        elif isinstance(value, float) and not math.isfinite(value):
            values[name] = None  # as SQLite has it
    return values


def _columns(found: sa.Inspector, name: str) -> sa.TableClause:
    """The table as the database has it, in types that take the same values on both dialects."""

    def type_of(given: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
        if isinstance(given, sa.DateTime):
            return UtcDateTime()
        return sa.JSON(none_as_null=True) if isinstance(given, sa.JSON) else given

    columns = found.get_columns(name)
    return sa.table(name, *(sa.column(c["name"], type_of(c["type"])) for c in columns))


def _fill(connection: sa.Connection, table: sa.TableClause, file: Path) -> None:
    rows = _rows(table, file)
    while some := list(islice(rows, _AT_ONCE)):
        connection.execute(sa.insert(table), some)
    if connection.dialect.name == "postgresql" and _NUMBERED in table.c:
        highest = sa.func.max(table.c[_NUMBERED])
        sequence = sa.func.pg_get_serial_sequence(table.name, _NUMBERED)
        # Without rows the next number is 1.
        connection.execute(
            sa.select(sa.func.setval(sequence, sa.func.coalesce(highest, 1), highest.is_not(None)))
        )


def _rows(table: sa.TableClause, file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for number in range(1, 1 << 62):
            try:
                line = lines.readline(_LONGEST)
                if not line:
                    return
                yield _from_json(table, json.loads(line))
            except (ValueError, TypeError, RecursionError) as error:
                raise BackupError(
                    f"line {number} of {file.name} is not a row of {table.name}: {error}",
                    tip="use another backup",
                ) from error


def _from_json(table: sa.TableClause, row: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(row, dict) or row.keys() != set(table.c.keys()):
        raise ValueError(f"the columns {', '.join(table.c.keys())} are needed")
    times = {c.name for c in table.c if isinstance(c.type, UtcDateTime)}
    return {
        name: datetime.fromisoformat(value) if name in times and value is not None else value
        for name, value in row.items()
    }
