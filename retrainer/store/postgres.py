"""Connections to PostgreSQL that never hang: a server that does not answer is an error in time.

libpq waits for ever for the answer to a query. So the server is told to give up early, and a
connection to one that is stopped, or cut off without a word, is given up by the client.
"""

import time
from collections.abc import Generator
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event

from retrainer.errors import ConfigurationError

_Result = TypeVar("_Result")

#: Seconds that connecting, and that the answer to a query may take. Looking whether a connection
#: still works, and making a new one, takes both.
_CONNECT_SECONDS = 10
ANSWER_SECONDS = 20.0
#: Shares of the latter after which the server itself gives up waiting for a lock, and the query.
_LOCK_SHARE, _STATEMENT_SHARE = 0.6, 0.75
#: Seconds that a process of ours may keep a transaction open without a query: one that was stopped
#: must not keep the others from the rows that it has locked.
IDLE_SECONDS = 15.0
#: Connections of one process, and seconds to wait for one of them.
_POOL_SIZE, _POOL_OVERFLOW, _POOL_SECONDS = 5, 15, 10.0
_RECYCLE_SECONDS = 1800

_OPTIONS = {
    "connect_timeout": _CONNECT_SECONDS,
    "application_name": "retrainer",
    "prepare_threshold": None,  # prepared statements break behind pooling proxies
    # Of a server that is gone without a word, also while we do not wait for it.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


def make_engine(url: sa.URL, *, answer_seconds: float, idle_seconds: float) -> sa.Engine:
    """An engine for the database; options in the URL have precedence over those above.

    Raises:
        ConfigurationError: the driver is not installed.
    """
    options = _OPTIONS | {"tcp_user_timeout": round(answer_seconds * 1000)}
    try:
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,  # a server that was restarted meanwhile is no error
            pool_size=_POOL_SIZE,
            max_overflow=_POOL_OVERFLOW,
            pool_timeout=_POOL_SECONDS,
            pool_recycle=_RECYCLE_SECONDS,
            connect_args={name: options[name] for name in options.keys() - url.query.keys()},
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"database: PostgreSQL needs the Python package {error.name}",
            tip="pip install 'retrainer[postgres]'",
        ) from error

    @event.listens_for(engine, "do_connect")
    def connect(
        _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]
    ) -> object:
        connection = _impatient().connect(*arguments, **options)
        connection.answer_seconds = answer_seconds
        return connection

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # For this transaction alone, so that it holds behind a pooling proxy too.
        patient = connection.get_execution_options().get("patient", False)
        driver: Any = connection.connection.driver_connection
        driver.answer_seconds = None if patient else answer_seconds
        limits = {
            "lock_timeout": 0.0 if patient else _LOCK_SHARE * answer_seconds,
            "statement_timeout": 0.0 if patient else _STATEMENT_SHARE * answer_seconds,
            "idle_in_transaction_session_timeout": 0.0 if patient else idle_seconds,
        }
        calls = (f"set_config('{name}', '{s * 1000:.0f}', true)" for name, s in limits.items())
        connection.exec_driver_sql(f"SELECT {', '.join(calls)}")

    return engine


def problem(engine: sa.Engine, error: BaseException | None) -> tuple[str, str]:
    """What the driver's error says, without the password, and what to do about it."""
    state: str = getattr(error, "sqlstate", None) or ""
    lines = without_password(engine, str(error)).strip().splitlines()
    words = lines[0] if lines else type(error).__name__
    if not state and any(part in words for part in _NO_CONNECTION_LEFT):
        state = "53300"  # which the driver does not say of a connection that was refused
    for prefix in sorted(_TIPS, reverse=True):
        if state == prefix or (prefix and state.startswith(prefix)):
            return words, _TIPS[prefix]
    return f"{words} ({state})", "`retrainer db check` says whether it has the right schema"


def without_password(engine: sa.Engine, text: str) -> str:
    """The text with the database's password taken out."""
    password = engine.url.password
    return text.replace(str(password), "***") if password else text


_NO_CONNECTION_LEFT = ("too many clients", "connection slots are reserved", "too many connections")
#: What to do, by the beginning of the SQLSTATE; empty: the server did not say one.
_TIPS = {
    "": "make sure that the server is running and reachable, and that the URL is right",
    "08": "make sure that the server is running and reachable, then try again",
    "25006": "the server is read-only: name the primary server",
    "25P03": "this process was held up in the middle of a transaction: try again",
    "28": "check user and password",
    "3D": "create the database, or name another",
    "40": "other processes were in the way: try again",
    "42501": "grant the user the rights to these tables",
    "53": "the server is out of disk, memory or connections: free some, then try again",
    "53300": "the server has no connection left: end programs that keep some, or raise its "
    "max_connections",
    "55P03": "another program keeps a lock on these rows: `SELECT * FROM pg_stat_activity` shows it",
    "57": "the server was shut down or ended the connection: try again",
    "57014": "the server is too busy, or a lock is kept: try again when it has less to do",
}


@cache
def _impatient() -> Any:  # noqa: ANN401 - a class of a package that may not be there
    """The driver's connection, with a limit of time for each answer."""
    import psycopg  # noqa: PLC0415 - an extra, and slow to import
    from psycopg.waiting import Ready  # noqa: PLC0415

    class ImpatientConnection(psycopg.Connection[Any]):
        """A connection that is closed if the server does not answer in `answer_seconds`."""

        answer_seconds: float | None = None

        def wait(
            self,
            gen: Generator[Any, Any, _Result],
            *arguments: Any,  # noqa: ANN401 - handed on as they are
            **options: Any,  # noqa: ANN401
        ) -> _Result:
            limit = self.answer_seconds
            limited = gen if limit is None else self._limited(gen, limit)
            return super().wait(limited, *arguments, **options)

        def _limited(
            self, gen: Generator[Any, Any, _Result], limit: float
        ) -> Generator[Any, Any, _Result]:
            """The same, which is asked several times a second whether to go on."""
            end = time.monotonic() + limit
            try:
                wanted = next(gen)
                while True:
                    ready = yield wanted
                    if ready == Ready.NONE and time.monotonic() >= end:
                        self.pgconn.finish()  # nobody knows what it is at
                        raise psycopg.OperationalError(
                            f"the server did not answer within {limit:g} s"
                        )
                    wanted = gen.send(ready)
            except StopIteration as stop:
                result: _Result = stop.value
                return result

    return ImpatientConnection
