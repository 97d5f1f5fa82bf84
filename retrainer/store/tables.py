"""The tables. `migrations/` creates them; a test holds the two against each other.

The database itself keeps the invariants that several processes rely on: one running cycle per
assistant, one cycle per assistant and fire time, one row per step and per notification, and a
ledger of promotions that is only ever appended to (triggers, in the first migration). A tick of a
schedule is one row of `requests`, however many daemons see it.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment, aware and in UTC on both sides: SQLite drops offsets."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: D102 - as in the parent class
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no offset; every time in the database is in UTC")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002, D102 - as in the parent class
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Prose(sa.types.TypeDecorator[str]):
    """Text for people, of any origin: what a database cannot hold becomes a question mark.

    PostgreSQL refuses the character NUL, and neither database takes half a surrogate pair.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002, D102 - as in the parent class
        if value is None:
            return None
        return value.replace("\0", "?").encode(errors="replace").decode()


metadata = sa.MetaData(
    # Alembic can change a constraint on SQLite only if it has a name.
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_JSON = sa.JSON(none_as_null=True)


def _cycle(**options: Any) -> sa.Column[int]:  # noqa: ANN401 - handed on to SQLAlchemy as they are
    return sa.Column("cycle", sa.Integer, sa.ForeignKey("cycles.number"), **options)


def _of_verdicts(*columns: str) -> sa.Index:
    """An index of those cycles that came to a verdict; most nights nothing has changed."""
    judged = sa.text("verdict IS NOT NULL")
    return sa.Index(None, *columns, sqlite_where=judged, postgresql_where=judged)


#: Ends after which the same inputs would only lead to the same end. A model that was promoted and
#: did not serve was taken back: to promote it again every night would be worse than to wait.
#: Literally so in index and queries, or SQLite would not see that they belong together; a CASE,
#: since a planner without statistics would take another index for a list of conditions.
CONCLUDED = sa.text(
    "NOT dry_run AND CASE status WHEN 'failed' THEN failed_step = 'confirm' "
    "ELSE status IN ('completed', 'skipped') END"
)

cycles = sa.Table(
    "cycles",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("assistant", sa.String(63), nullable=False),
    sa.Column("trigger", sa.String(16), nullable=False),
    #: The moment of the schedule that asked for the cycle; no two cycles for one moment.
    sa.Column("fire_time", UtcDateTime),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("force", sa.Boolean, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    # The lease; `resumed` is its fencing token.
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", UtcDateTime, nullable=False),
    sa.Column("resumed", sa.Integer, nullable=False),
    #: Of a cycle that waits for its hour, with no owner: not to be taken up before.
    sa.Column("resume_at", UtcDateTime),
    # What the history lists without reading states; written when the cycle ends.
    sa.Column("fingerprint", sa.Text),
    sa.Column("same_as", sa.Integer),
    sa.Column("snapshot", sa.Text),
    sa.Column("origin", Prose),
    sa.Column("champion", sa.Text),
    sa.Column("challenger", sa.Text),
    sa.Column("verdict", sa.String(16)),
    sa.Column("stopped_by", sa.Text),  # names of the checks, comma-separated
    sa.Column("f1_champion", sa.Double),
    sa.Column("f1_challenger", sa.Double),
    sa.Column("examples", sa.Integer),
    sa.Column("promoted", sa.Boolean, nullable=False),
    sa.Column("error", Prose),
    sa.Column("tip", Prose),
    sa.Column("failed_step", sa.String(32)),
    sa.UniqueConstraint("assistant", "fire_time"),
    sa.CheckConstraint("(status = 'running') = (ended_at IS NULL)", name="ended"),
    sa.Index(
        "uq_cycles_running",
        "assistant",
        unique=True,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    ),
    sa.Index(
        "ix_cycles_concluded",
        "assistant",
        "number",
        sqlite_where=CONCLUDED,
        postgresql_where=CONCLUDED,
    ),
    sa.Index(None, "assistant", "number"),
    # One for each way to list the history, which stays as quick with a million cycles.
    sa.Index(None, "started_at", "number"),
    sa.Index(None, "assistant", "started_at", "number"),
    sa.Index(None, "status", "started_at", "number"),
    sa.Index(None, "assistant", "status", "started_at", "number"),
    _of_verdicts("verdict", "started_at", "number"),
    _of_verdicts("verdict", "status", "started_at", "number"),
    _of_verdicts("assistant", "verdict", "started_at", "number"),
    sqlite_autoincrement=True,  # a number is never used twice
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    _cycle(nullable=False),
    sa.Column("name", sa.String(32), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    #: The fields of the state that the step changed.
    sa.Column("state", _JSON),
    sa.Column("error", Prose),
    sa.UniqueConstraint("cycle", "name"),
)

checks = sa.Table(
    "checks",
    metadata,
    _cycle(primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("blocking", sa.Boolean, nullable=False),
    sa.Column("outcome", sa.String(16)),
    sa.Column("observed", sa.Double),
    sa.Column("limit", sa.Double),
    sa.Column("sentence", Prose, nullable=False),
    sa.Column("details", _JSON, nullable=False),
)

promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("assistant", sa.String(63), nullable=False),
    sa.Column("previous", sa.Text),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("reason", sa.String(16), nullable=False),
    sa.Column("actor", Prose, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("note", Prose, nullable=False),
    _cycle(index=True),
    sa.Index(None, "assistant", "number"),
    sqlite_autoincrement=True,
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    _cycle(nullable=False),
    sa.Column("notifier", sa.String(63), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", UtcDateTime, nullable=False),
    #: Who tries to deliver it now, until `next_attempt_at`.
    sa.Column("claimed_by", sa.Text),
    sa.Column("delivered_at", UtcDateTime),
    #: When it had been waiting for too long; `last_error` says what for.
    sa.Column("given_up_at", UtcDateTime),
    sa.Column("last_error", Prose),
    sa.UniqueConstraint("cycle", "notifier"),
    sa.Index(
        "ix_outbox_waiting",
        "number",
        sqlite_where=sa.text("delivered_at IS NULL AND given_up_at IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL AND given_up_at IS NULL"),
    ),
)

#: What the daemon knows of an assistant beside its cycles.
assistants = sa.Table(
    "assistants",
    metadata,
    sa.Column("name", sa.String(63), primary_key=True),
    #: The schedule in words; a change of it makes nothing owed.
    sa.Column("schedule", Prose, nullable=False),
    #: Fire times up to here are asked for already, or never will be.
    sa.Column("due_after", UtcDateTime, nullable=False),
    sa.Column("paused_at", UtcDateTime),
    sa.Column("paused_by", Prose),
    sa.Column("pause_reason", Prose),
    # What the source showed when a cycle was last asked for because of it.
    sa.Column("data_token", sa.Text),
    sa.Column("data_examples", sa.Integer),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("assistant", sa.String(63), nullable=False),
    sa.Column("trigger", sa.String(16), nullable=False),
    sa.Column("fire_time", UtcDateTime),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Column("asked_by", Prose, nullable=False),
    sa.Column("note", Prose, nullable=False),
    sa.Column("force", sa.Boolean, nullable=False),
    #: The cycle that answered it; several requests may have one answer.
    _cycle(index=True),
    sa.UniqueConstraint("assistant", "fire_time"),
    sa.Index(
        "ix_requests_pending",
        "assistant",
        "number",
        sqlite_where=sa.text("cycle IS NULL"),
        postgresql_where=sa.text("cycle IS NULL"),
    ),
    sqlite_autoincrement=True,
)

#: Daemons at work on this database.
daemons = sa.Table(
    "daemons",
    metadata,
    sa.Column("owner", sa.String(255), primary_key=True),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
)

#: What only one process may do at a time, and until when it may.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("until", UtcDateTime, nullable=False),
)

#: What people said to cycles that were held for them.
approvals = sa.Table(
    "approvals",
    metadata,
    _cycle(primary_key=True),
    sa.Column("approved", sa.Boolean, nullable=False),
    sa.Column("actor", Prose, nullable=False),
    sa.Column("reason", Prose, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)
