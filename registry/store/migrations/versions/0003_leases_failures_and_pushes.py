"""Leases with fencing, paused signers, replaced transactions, failures, pushed bodies and reconciliations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


_FAILED_BEFORE = """
INSERT INTO failures (id, policy_id, cause, detail, at)
SELECT gen_random_uuid(), policies.id, event.cause, event.detail, event.at
FROM policies CROSS JOIN LATERAL (
    SELECT cause, detail, at FROM policy_events WHERE policy_id = policies.id ORDER BY id DESC LIMIT 1
) AS event
WHERE policies.status_detailed IN ('FailedSettlement', 'FailedExpiration')
"""
"""What had failed by then is on the list as well."""


def upgrade() -> None:
    """Bring the schema forward."""
    _add("policies", sa.Column("lease_owner", sa.String(), nullable=True))
    _add("policies", sa.Column("lease_token", sa.BigInteger(), nullable=False), default="0")
    _add("policies", sa.Column("lease_attempts", sa.Integer(), nullable=False), default="0")
    _add("signers", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    _add("signers", sa.Column("pause_reason", sa.String(), nullable=True))
    op.create_check_constraint("paused_for_a_reason", "signers", "(paused_at IS NULL) = (pause_reason IS NULL)")
    _add("signers", sa.Column("funds_needed", sa.BigInteger(), nullable=True))
    _add("signers", sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True))
    _add("signers", sa.Column("resume_reason", sa.String(), nullable=True))
    op.create_check_constraint("resumed_for_a_reason", "signers", "(resumed_at IS NULL) = (resume_reason IS NULL)")
    _add("transactions", sa.Column("dead_because", sa.String(), nullable=True))
    op.create_check_constraint("dead_because_known", "transactions", "dead_because IN ('refused', 'moved', 'used')")
    op.drop_constraint("purpose_known", "transactions")
    op.create_check_constraint(
        "purpose_known", "transactions", "purpose IN ('settle', 'expire', 'mark_expired', 'release', 'fill')"
    )
    op.drop_constraint("status_known", "transactions")
    op.create_check_constraint(
        "status_known", "transactions", "status IN ('Signed', 'Sent', 'Mined', 'Succeeded', 'Aborted', 'Voided')"
    )
    _add("attempts", sa.Column("kind", sa.String(), nullable=False), default="'call'")
    _add("attempts", sa.Column("height", sa.BigInteger(), nullable=True))
    _add("attempts", sa.Column("offered_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint("kind_known", "attempts", "kind IN ('call', 'filler')")
    _add("attempts", sa.Column("verdict", sa.String(), nullable=True))
    op.create_check_constraint(
        "verdict_known", "attempts", "verdict IN ('sent', 'retry', 'raise_fee', 'resolve', 'refuse', 'pause')"
    )
    _create_failures()
    op.execute(_FAILED_BEFORE)
    _create_deliveries()
    _create_pushes()
    _create_reconciliations()


def _add(table: str, column: sa.Column[object], *, default: str | None = None) -> None:
    """Add a column; rows that are there get the default, which is not kept."""
    if default is not None:
        column.server_default = sa.DefaultClause(sa.text(default))
    op.add_column(table, column)
    if default is not None:
        op.alter_column(table, column.name, server_default=None)


def _create_failures() -> None:
    op.create_table(
        "failures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=True),
        sa.Column("task", sa.String(), nullable=True),
        sa.Column("task_id", sa.String(), nullable=True),
        sa.Column("arguments", JSONB(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint("resolution IN ('retried', 'abandoned', 'overtaken')", name="resolution_known"),
        sa.CheckConstraint("num_nulls(closed_at, resolution, closed_by, reason) IN (0, 4)", name="closed_is_whole"),
        sa.CheckConstraint("num_nulls(task, task_id, arguments) IN (0, 3)", name="message_is_whole"),
        sa.CheckConstraint("num_nulls(policy_id, task) < 2", name="is_about_something"),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("task_id"),
    )
    op.create_index("failures_open", "failures", ["at"], postgresql_where=sa.text("closed_at IS NULL"))
    op.create_index(
        "failures_open_of_policy",
        "failures",
        ["policy_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL AND task IS NULL"),
    )
    op.create_index("failures_by_policy", "failures", ["policy_id"], postgresql_where=sa.text("policy_id IS NOT NULL"))


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("task_id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("count > 0", name="count_positive"),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_index("deliveries_by_age", "deliveries", ["last_at"])


def _create_pushes() -> None:
    op.create_table(
        "pushes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("said", JSONB(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.CheckConstraint("source IN ('node', 'chainhook')", name="source_known"),
        sa.CheckConstraint(
            "outcome IN ('applied', 'known', 'not_canonical', 'followed', 'given_up')", name="outcome_known"
        ),
        sa.CheckConstraint("(taken_at IS NULL) = (outcome IS NULL)", name="taken_with_an_outcome"),
        sa.CheckConstraint("times > 0", name="times_positive"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("pushes_once", "pushes", ["source", "digest"], unique=True)
    op.create_index("pushes_waiting", "pushes", ["id"], postgresql_where=sa.text("taken_at IS NULL"))
    op.create_index("pushes_by_age", "pushes", ["received_at"])


def _create_reconciliations() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("block", sa.String(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("is_dry", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("compared", sa.Integer(), nullable=False),
        sa.Column("findings", JSONB(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cursor >= 0", name="cursor_not_negative"),
        sa.CheckConstraint("compared >= 0", name="compared_not_negative"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "reconciliations_open", "reconciliations", ["started_at"], postgresql_where=sa.text("finished_at IS NULL")
    )
