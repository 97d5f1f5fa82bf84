"""The contract of run stores, on the fake, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.run_store_contract import RunStoreContract
from support.databases import POSTGRES_MAJORS, postgres_engine, sqlite_engine

from retrainer.ports import RunStore
from retrainer.store.run_store import SqlRunStore
from retrainer.testing.clock import FakeClock
from retrainer.testing.stores import FakeRunStore


@pytest.fixture
def clock() -> FakeClock:
    """The time of the store."""
    return FakeClock()


class TestFakeRunStore(RunStoreContract):
    """The fake that other tests rely on."""

    @pytest.fixture
    def store(self, clock: FakeClock) -> RunStore:
        """A new fake."""
        return FakeRunStore(clock)


class TestSqliteRunStore(RunStoreContract):
    """A file of SQLite."""

    @pytest.fixture
    def store(self, clock: FakeClock, tmp_path: Path) -> Iterator[RunStore]:
        """A new file."""
        with sqlite_engine(tmp_path) as engine:
            yield SqlRunStore(engine, clock)


@pytest.mark.postgres
class TestPostgresRunStore(RunStoreContract):
    """A real PostgreSQL server."""

    @pytest.fixture(params=POSTGRES_MAJORS)
    def store(self, clock: FakeClock, request: pytest.FixtureRequest) -> Iterator[RunStore]:
        """A new database, of each version that there is."""
        with postgres_engine(major=request.param) as engine:
            yield SqlRunStore(engine, clock)
