"""The contract of agendas, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from contract.agenda_contract import AgendaContract
from support.databases import POSTGRES_MAJORS, postgres_engine, sqlite_engine

from retrainer.ports import Agenda, RunStore
from retrainer.store.agenda import SqlAgenda
from retrainer.store.run_store import SqlRunStore
from retrainer.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """The time of the agenda."""
    return FakeClock()


@pytest.fixture
def agenda(engine: sa.Engine, clock: FakeClock) -> Agenda:
    """The agenda of a database."""
    return SqlAgenda(engine, clock)


@pytest.fixture
def store(engine: sa.Engine, clock: FakeClock) -> RunStore:
    """The record of the cycles in the same database."""
    return SqlRunStore(engine, clock)


class TestSqliteAgenda(AgendaContract):
    """A file of SQLite."""

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[sa.Engine]:
        """A new file."""
        with sqlite_engine(tmp_path) as engine:
            yield engine


@pytest.mark.postgres
class TestPostgresAgenda(AgendaContract):
    """A real PostgreSQL server."""

    @pytest.fixture(params=POSTGRES_MAJORS)
    def engine(self, request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
        """A new database, of each version that there is."""
        with postgres_engine(major=request.param) as engine:
            yield engine
