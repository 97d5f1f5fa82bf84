"""The doctor looks at the database."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from retrainer.adapters.disks import Disk, disk_of
from retrainer.reports.values import duration
from retrainer.store.engine import describe
from retrainer.store.examination import Server, ask_server
from retrainer.wiring.application import Application
from retrainer.wiring.doctor.diagnosis import Diagnosis, good, warning

#: The releases of PostgreSQL that are tested.
OLDEST, NEWEST = 13, 18
#: Leases are compared by the clocks of the machines: theirs may differ by so much.
SKEW = timedelta(seconds=5)


def database(app: Application) -> Iterator[Diagnosis]:
    """Whether it can be used, and has the schema of this version.

    Raises:
        DatabaseError: it cannot be used.
        SchemaError: it has another schema.
    """
    what = "database"
    place = describe(app.bare_engine).removeprefix("database ")
    server = ask_server(app.bare_engine, app.clock)
    if app.past is None:
        yield good(what, f"{place} will be made by the first cycle")
    else:
        yield good(what, place if server is None else f"{place}, PostgreSQL {server.version}")
    if server is None:
        file = Path(app.bare_engine.url.database or "")
        yield from of_file(what, file, disk_of(file))
    else:
        yield from of_server(what, server)


def of_file(what: str, file: Path, disk: Disk) -> Iterator[Diagnosis]:
    """Whether SQLite works on such a disk."""
    if disk.is_remote:
        yield warning(
            what,
            f"{file} is on a network file system ({disk.kind}), on which SQLite's locks and "
            "write-ahead log are not to be relied on: it may be damaged",
            "name a file on a disk of this machine, or a PostgreSQL, as `database`",
        )


def of_server(what: str, server: Server) -> Iterator[Diagnosis]:
    """Whether this release is tested, and what its clock shows."""
    release = server.number // 10_000
    if not OLDEST <= release <= NEWEST:
        yield warning(
            what,
            f"PostgreSQL {server.version}; {OLDEST} to {NEWEST} are tested",
            f"move to PostgreSQL {NEWEST}" if release < OLDEST else "look for a newer retrainer",
        )
    ahead = abs(server.ahead)
    if ahead - server.uncertain > SKEW:
        direction = "ahead" if server.ahead > timedelta(0) else "behind"
        yield warning(
            "clock",
            f"the database's clock is {duration(ahead.total_seconds())} {direction} of this "
            f"machine's; more than {SKEW.total_seconds():g} s between machines make cycles change "
            "hands while they run",
            "let both machines take their time from NTP: timedatectl set-ntp true",
        )
    else:
        yield good("clock", "as the database's", minor=True)
