"""PostgreSQL at its worst: whatever it does, there is an error in time, and then it works again."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from contract.run_store_contract import begin
from support.databases import postgres_engine, url_of
from support.relay import Relay

from retrainer.adapters.clock import SystemClock
from retrainer.errors import DatabaseError
from retrainer.store.agenda import SqlAgenda
from retrainer.store.engine import make_engine, reading, writing
from retrainer.store.run_store import SqlRunStore
from retrainer.store.schema import check, upgrade
from retrainer.store.tables import cycles

pytestmark = pytest.mark.postgres

#: Seconds that an answer may take here, and until which there must be an error.
ANSWER, AT_MOST = 2.0, 10.0
MINUTE = timedelta(minutes=1)


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    """A database whose server may take two seconds for an answer."""
    with postgres_engine() as made:
        engine = make_engine(url_of(made), answer_seconds=ANSWER)
        yield engine
        engine.dispose()


@contextmanager
def in_time() -> Iterator[None]:
    """Make sure that what is inside does not hang."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < AT_MOST


def backend(connection: sa.Connection) -> int:
    """The id of the server's process that serves the connection."""
    return connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing and does not end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_server_that_hangs_in_a_transaction(engine: sa.Engine):
    """A query that gets no answer is an error, nothing is written, and the next one works."""

    def write() -> None:
        with writing(engine) as connection:
            connection.execute(sa.delete(cycles))
            with stopped(backend(connection)):
                connection.execute(sa.delete(cycles))

    with in_time(), pytest.raises(DatabaseError, match="did not answer within 2 s") as caught:
        write()
    assert "reachable" in caught.value.tip
    with in_time():
        check(engine)


def test_a_server_that_hangs_between_transactions(engine: sa.Engine):
    """A pooled connection that is dead without a word is replaced, within one limit of time."""
    with reading(engine) as connection:
        pid = backend(connection)
    with stopped(pid), in_time():
        check(engine)
    with reading(engine) as connection:
        assert backend(connection) != pid


def test_a_server_that_hangs_as_a_whole(engine: sa.Engine):
    """While no process of the server does anything, each try ends in time; then all goes on."""
    agenda = SqlAgenda(engine, SystemClock())
    agenda.check_in("elsewhere/boot/1/1/1", "1", lease=MINUTE)
    with reading(engine) as connection:
        folder = connection.exec_driver_sql("SHOW data_directory").scalar_one()
        pid = backend(connection)
    postmaster = int(Path(folder, "postmaster.pid").read_text().split()[0])
    hasty = make_engine(
        engine.url.update_query_dict({"connect_timeout": "2"}).render_as_string(
            hide_password=False
        ),
        answer_seconds=ANSWER,
    )
    with stopped(postmaster), stopped(pid):
        for _ in range(2):
            with in_time(), pytest.raises(DatabaseError, match="timeout"):
                SqlAgenda(hasty, SystemClock()).pending()
    with in_time():
        assert agenda.check_in("elsewhere/boot/1/1/1", "1", lease=MINUTE)
        assert SqlAgenda(hasty, SystemClock()).pending() == ()
    hasty.dispose()


def test_a_network_that_swallows_everything():
    """A server that takes the connection and never says a word is an error in time."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        port = hole.getsockname()[1]
        engine = make_engine(
            f"postgresql://ann:se%23cret@127.0.0.1:{port}/x?connect_timeout=2",
            answer_seconds=ANSWER,
        )
        with in_time(), pytest.raises(DatabaseError, match="timeout") as caught:
            check(engine)
    assert "se#cret" not in f"{caught.value}{caught.value.tip}"
    engine.dispose()


def test_a_network_that_loses_everything(engine: sa.Engine):
    """A connection whose packets get lost in the middle of its work is given up in time."""
    with Relay(str(next(Path(engine.url.query["host"]).glob(".s.PGSQL.*[0-9]")))) as relay:
        url = engine.url.set(host="127.0.0.1", port=relay.port, query={"connect_timeout": "2"})
        through = make_engine(url.render_as_string(hide_password=False), answer_seconds=ANSWER)
        store = SqlRunStore(through, SystemClock())
        lease = begin(store)
        relay.swallow()
        with in_time(), pytest.raises(DatabaseError):
            store.renew(lease, MINUTE)
        relay.pass_on()
        with in_time():
            store.renew(lease, MINUTE)
        through.dispose()


def test_a_lock_that_somebody_keeps(engine: sa.Engine):
    """A row that another program has locked is waited for in vain, not for ever."""
    lease = begin(SqlRunStore(engine, SystemClock()))
    other = make_engine(url_of(engine))
    with writing(other) as connection:
        connection.execute(sa.update(cycles).values(owner="somebody"))
        with in_time(), pytest.raises(DatabaseError, match="lock timeout") as caught:
            SqlRunStore(engine, SystemClock()).renew(lease, MINUTE)
        connection.rollback()
    assert "another program keeps a lock" in caught.value.tip
    SqlRunStore(engine, SystemClock()).renew(lease, MINUTE)
    other.dispose()


def test_a_query_that_takes_too_long(engine: sa.Engine):
    """The server gives up by itself, before the client gives the connection up."""
    with in_time(), reading(engine) as connection:
        pid = backend(connection)
    with (
        in_time(),
        pytest.raises(DatabaseError, match="statement timeout") as caught,
        reading(engine) as connection,
    ):
        connection.exec_driver_sql("SELECT pg_sleep(60)")
    assert "too busy" in caught.value.tip
    with reading(engine) as connection:
        assert backend(connection) == pid


def test_limits_are_of_the_transaction(engine: sa.Engine):
    """Behind a proxy that shares connections, nobody else gets our limits; migrations have none."""
    limits = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
    with reading(engine) as connection:
        assert connection.exec_driver_sql(limits).one() == ("1500ms", "1200ms")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "0"
    with writing(engine, patient=True) as connection:
        assert connection.exec_driver_sql(limits).one() == ("0", "0")
        connection.exec_driver_sql(f"SELECT pg_sleep({ANSWER + 1})")
    upgrade(engine)


def test_a_process_of_ours_that_is_held_up(engine: sa.Engine):
    """One that sleeps in the middle of a transaction does not keep the others from its rows."""
    with reading(engine) as connection:
        idle = "SHOW idle_in_transaction_session_timeout"
        assert connection.exec_driver_sql(idle).scalar_one() == "15s"

    def write() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '300ms'")
            time.sleep(1)
            connection.execute(sa.delete(cycles))

    with pytest.raises(DatabaseError) as caught:
        write()
    assert "held up in the middle" in caught.value.tip
    check(engine)


def test_a_server_without_a_connection_left(engine: sa.Engine):
    """The message says that connections are short, and the tip where to get some."""
    with reading(engine) as connection:
        user = engine.url.username
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
    engine.dispose()
    administer(engine, f"CREATE ROLE poor LOGIN; ALTER DATABASE {name} CONNECTION LIMIT 1")
    url = engine.url.set(username="poor")
    first, second = (make_engine(u) for u in [url.render_as_string(hide_password=False)] * 2)
    try:
        with reading(first), in_time(), pytest.raises(DatabaseError, match="too many") as caught:
            check(second)
    finally:
        first.dispose()
        second.dispose()
        administer(engine, "DROP ROLE poor")
    assert user != "poor"
    assert "max_connections" in caught.value.tip


def administer(engine: sa.Engine, commands: str) -> None:
    """Run commands that take a superuser."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for command in commands.split(";"):
            connection.exec_driver_sql(command)
    engine.dispose()


def test_a_process_without_a_connection_left(engine: sa.Engine):
    """When all connections of this process are at work, one waits in vain, not for ever."""
    small = sa.create_engine(
        engine.url, pool_size=1, max_overflow=0, pool_timeout=0.2, pool_pre_ping=True
    )
    with reading(small), pytest.raises(DatabaseError, match="uses all its connections") as caught:
        check(small)
    assert "try again" in caught.value.tip
    small.dispose()
