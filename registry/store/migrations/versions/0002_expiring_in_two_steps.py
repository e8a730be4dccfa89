"""Transactions that expire a policy in two steps: the registry is moved first, then the collateral is freed."""

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
