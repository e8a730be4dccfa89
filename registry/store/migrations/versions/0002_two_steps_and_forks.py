"""Transactions that expire a policy in two steps, and the indexes for what a fork undoes and for the list of all."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.drop_constraint("purpose_known", "transactions")
    op.create_check_constraint(
        "purpose_known", "transactions", "purpose IN ('settle', 'expire', 'mark_expired', 'release')"
    )
    op.create_index("by_created_at", "policies", ["created_at", "id"])
    op.create_index("transactions_by_block", "transactions", ["block"], postgresql_where=sa.text("block IS NOT NULL"))
    op.create_index(
        "blocks_with_books",
        "blocks",
        ["height"],
        postgresql_where=sa.text("is_canonical AND books IS NOT NULL"),
    )
