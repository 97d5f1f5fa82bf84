"""What the daemon remembers: assistants, what asks for cycles, who leads, what people approved."""

# ruff: noqa: INP001 - a folder that Alembic reads, not a package

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_PENDING = "cycle IS NULL"
_CONCLUDED = (
    "NOT dry_run AND CASE status WHEN 'failed' THEN failed_step = 'confirm' "
    "ELSE status IN ('completed', 'skipped') END"
)
_JUDGED = "verdict IS NOT NULL"
#: Of `cycles`, by name: columns, and which rows.
_Indexes = dict[str, tuple[list[str], str | None]]
_INDEXES_BEFORE: _Indexes = {
    "ix_cycles_status_number": (["status", "number"], None),
    "ix_cycles_verdict_number": (["verdict", "number"], None),
    "ix_cycles_started_at": (["started_at"], None),
}
_INDEXES: _Indexes = {
    "ix_cycles_concluded": (["assistant", "number"], _CONCLUDED),
} | {
    f"ix_cycles_{'_'.join(columns)}": (columns, rows)
    for columns, rows in (
        (["started_at", "number"], None),
        (["assistant", "started_at", "number"], None),
        (["status", "started_at", "number"], None),
        (["assistant", "status", "started_at", "number"], None),
        (["verdict", "started_at", "number"], _JUDGED),
        (["verdict", "status", "started_at", "number"], _JUDGED),
        (["assistant", "verdict", "started_at", "number"], _JUDGED),
    )
}


def upgrade() -> None:
    """Create the new tables, the hour that a cycle may wait for, and who delivers."""
    op.add_column("cycles", _moment("resume_at", nullable=True))
    op.add_column("outbox", sa.Column("claimed_by", sa.Text))
    _replace_indexes(_INDEXES_BEFORE, _INDEXES)
    _create_assistants()
    _create_requests()
    _create_daemons()
    _create_approvals()


def downgrade() -> None:
    """Drop them again."""
    for table in ("approvals", "leases", "daemons", "requests", "assistants"):
        op.drop_table(table)
    _replace_indexes(_INDEXES, _INDEXES_BEFORE)
    op.drop_column("outbox", "claimed_by")
    op.drop_column("cycles", "resume_at")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _replace_indexes(old: _Indexes, new: _Indexes) -> None:
    for name in old:
        op.drop_index(name, "cycles")
    for name, (columns, rows) in new.items():
        _create_index(name, "cycles", columns, rows)


def _create_index(name: str, table: str, columns: list[str], rows: str | None) -> None:
    which = sa.text(rows) if rows else None
    op.create_index(name, table, columns, sqlite_where=which, postgresql_where=which)


def _create_assistants() -> None:
    op.create_table(
        "assistants",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("schedule", sa.Text, nullable=False),
        _moment("due_after"),
        _moment("paused_at", nullable=True),
        sa.Column("paused_by", sa.Text),
        sa.Column("pause_reason", sa.Text),
        sa.Column("data_token", sa.Text),
        sa.Column("data_examples", sa.Integer),
        sa.PrimaryKeyConstraint("name", name="pk_assistants"),
    )


def _create_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("assistant", sa.String(63), nullable=False),
        sa.Column("trigger", sa.String(16), nullable=False),
        _moment("fire_time", nullable=True),
        _moment("asked_at"),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("force", sa.Boolean, nullable=False),
        sa.Column("cycle", sa.Integer),
        sa.PrimaryKeyConstraint("number", name="pk_requests"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.number"], name="fk_requests_cycle_cycles"),
        sa.UniqueConstraint("assistant", "fire_time", name="uq_requests_assistant_fire_time"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_requests_cycle", "requests", ["cycle"])
    _create_index("ix_requests_pending", "requests", ["assistant", "number"], _PENDING)


def _create_daemons() -> None:
    op.create_table(
        "daemons",
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        _moment("started_at"),
        _moment("seen_at"),
        sa.PrimaryKeyConstraint("owner", name="pk_daemons"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        _moment("until"),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _create_approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("cycle", sa.Integer, nullable=False),
        sa.Column("approved", sa.Boolean, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        _moment("at"),
        sa.PrimaryKeyConstraint("cycle", name="pk_approvals"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.number"], name="fk_approvals_cycle_cycles"),
    )
