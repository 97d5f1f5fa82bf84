"""Cycles, their steps and checks, the ledger of promotions, the outbox of notifications."""

# ruff: noqa: INP001 - a folder that Alembic reads, not a package

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_RUNNING = sa.text("status = 'running'")
_WAITING = sa.text("delivered_at IS NULL AND given_up_at IS NULL")


def upgrade() -> None:
    """Create all tables."""
    _create_cycles()
    _create_steps()
    _create_checks()
    _create_promotions()
    _create_outbox()
    _make_ledger_append_only()


def downgrade() -> None:
    """Drop all tables."""
    for table in ("outbox", "promotions", "checks", "steps", "cycles"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION promotions_refuse_change()")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _create_cycles() -> None:
    op.create_table(
        "cycles",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("assistant", sa.String(63), nullable=False),
        sa.Column("trigger", sa.String(16), nullable=False),
        _moment("fire_time", nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("force", sa.Boolean, nullable=False),
        _moment("started_at"),
        _moment("ended_at", nullable=True),
        sa.Column("owner", sa.Text, nullable=False),
        _moment("lease_until"),
        sa.Column("resumed", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.Text),
        sa.Column("same_as", sa.Integer),
        sa.Column("snapshot", sa.Text),
        sa.Column("origin", sa.Text),
        sa.Column("champion", sa.Text),
        sa.Column("challenger", sa.Text),
        sa.Column("verdict", sa.String(16)),
        sa.Column("stopped_by", sa.Text),
        sa.Column("f1_champion", sa.Double),
        sa.Column("f1_challenger", sa.Double),
        sa.Column("examples", sa.Integer),
        sa.Column("promoted", sa.Boolean, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("tip", sa.Text),
        sa.Column("failed_step", sa.String(32)),
        sa.PrimaryKeyConstraint("number", name="pk_cycles"),
        sa.UniqueConstraint("assistant", "fire_time", name="uq_cycles_assistant_fire_time"),
        sa.CheckConstraint("(status = 'running') = (ended_at IS NULL)", name="ck_cycles_ended"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_cycles_running",
        "cycles",
        ["assistant"],
        unique=True,
        sqlite_where=_RUNNING,
        postgresql_where=_RUNNING,
    )
    op.create_index("ix_cycles_assistant_number", "cycles", ["assistant", "number"])
    op.create_index("ix_cycles_status_number", "cycles", ["status", "number"])
    op.create_index("ix_cycles_verdict_number", "cycles", ["verdict", "number"])
    op.create_index("ix_cycles_started_at", "cycles", ["started_at"])


def _create_steps() -> None:
    op.create_table(
        "steps",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("cycle", sa.Integer, nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        _moment("started_at"),
        _moment("ended_at", nullable=True),
        sa.Column("state", sa.JSON),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("number", name="pk_steps"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.number"], name="fk_steps_cycle_cycles"),
        sa.UniqueConstraint("cycle", "name", name="uq_steps_cycle_name"),
    )


def _create_checks() -> None:
    op.create_table(
        "checks",
        sa.Column("cycle", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("blocking", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("observed", sa.Double),
        sa.Column("limit", sa.Double),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("cycle", "position", name="pk_checks"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.number"], name="fk_checks_cycle_cycles"),
    )


def _create_promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("assistant", sa.String(63), nullable=False),
        sa.Column("previous", sa.Text),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        _moment("at"),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("cycle", sa.Integer),
        sa.PrimaryKeyConstraint("number", name="pk_promotions"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.number"], name="fk_promotions_cycle_cycles"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_promotions_cycle", "promotions", ["cycle"])
    op.create_index("ix_promotions_assistant_number", "promotions", ["assistant", "number"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("cycle", sa.Integer, nullable=False),
        sa.Column("notifier", sa.String(63), nullable=False),
        _moment("created_at"),
        sa.Column("attempts", sa.Integer, nullable=False),
        _moment("next_attempt_at"),
        _moment("delivered_at", nullable=True),
        _moment("given_up_at", nullable=True),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("number", name="pk_outbox"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.number"], name="fk_outbox_cycle_cycles"),
        sa.UniqueConstraint("cycle", "notifier", name="uq_outbox_cycle_notifier"),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["number"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )


def _make_ledger_append_only() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION promotions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the ledger of promotions is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER promotions_append_only BEFORE UPDATE OR DELETE ON promotions "
            "FOR EACH ROW EXECUTE FUNCTION promotions_refuse_change()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER promotions_refuse_{change.lower()} BEFORE {change} ON promotions "
            "BEGIN SELECT RAISE(ABORT, 'the ledger of promotions is append-only'); END"
        )
