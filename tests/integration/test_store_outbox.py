"""What the outbox keeps on record of notifications that were never delivered."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from contract.run_store_contract import begin
from support.databases import DIALECTS, engine_of

from retrainer.domain.cycle import Status
from retrainer.store.engine import reading
from retrainer.store.run_store import SqlRunStore
from retrainer.store.tables import outbox
from retrainer.testing.clock import FakeClock


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database with the schema."""
    with engine_of(request.param, tmp_path) as made:
        yield made


def test_what_was_given_up_is_on_record(engine: sa.Engine):
    """When, and why: the last failure, or that nobody of that name was there to try it."""
    clock = FakeClock()
    store = SqlRunStore(engine, clock)
    store.finish(begin(store), Status.COMPLETED, notifiers=("slack", "gone", "mail"))
    slack, _, mail = store.due_notifications()
    store.not_delivered(slack.number, "503", None)
    store.delivered(mail.number)
    clock.advance(timedelta(days=7))
    given_up = clock.now()
    for _ in range(2):
        assert store.due_notifications() == ()
        store.delivered(slack.number)  # somebody was late
        clock.advance(timedelta(days=1))
    with reading(engine) as connection:
        rows = connection.execute(sa.select(outbox).order_by(outbox.c.number)).all()
    assert [(r.notifier, r.given_up_at, r.last_error, r.delivered_at is None) for r in rows] == [
        ("slack", given_up, "503", True),
        ("gone", given_up, "not tried for 7 days", True),
        ("mail", None, None, False),
    ]
