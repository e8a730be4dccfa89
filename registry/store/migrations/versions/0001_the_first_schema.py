"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "blocks",
        sa.Column("index_block_hash", sa.String(), nullable=False),
        sa.Column("parent_index_block_hash", sa.String(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("burn_height", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_canonical", sa.Boolean(), nullable=False),
        sa.Column("books", JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("index_block_hash"),
    )
    op.create_index("blocks_by_burn_height", "blocks", ["burn_height"], unique=False)
    op.create_index("blocks_canonical", "blocks", ["height"], unique=True, postgresql_where=sa.text("is_canonical"))
    op.create_table(
        "daily_closes",
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("close", sa.BigInteger(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.CheckConstraint("close > 0", name="close_positive"),
        sa.PrimaryKeyConstraint("pair", "day"),
    )
    op.create_table(
        "parameters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("parameter_values", JSONB(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pool_books",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("assets", sa.Numeric(39, 0), nullable=False),
        sa.Column("locked", sa.Numeric(39, 0), nullable=False),
        sa.Column("unearned", sa.Numeric(39, 0), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("token IN ('STX', 'sBTC')", name="token_known"),
        sa.CheckConstraint("assets >= 0", name="assets_not_negative"),
        sa.CheckConstraint("locked >= 0", name="locked_not_negative"),
        sa.CheckConstraint("unearned >= 0", name="unearned_not_negative"),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_table(
        "prices",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("observations", JSONB(), nullable=False),
        sa.Column("failures", JSONB(), nullable=False),
        sa.CheckConstraint("price > 0", name="price_positive"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("prices_by_pair", "prices", ["pair", "fetched_at"], unique=False)
    op.create_table(
        "signers",
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("next_nonce >= 0", name="next_nonce_not_negative"),
        sa.PrimaryKeyConstraint("principal"),
    )
    op.create_table(
        "tier_capital",
        sa.Column("risk_tier", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("reserved_base_units", sa.BigInteger(), nullable=False),
        sa.Column("locked_base_units", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("risk_tier IN ('Conservative', 'Balanced', 'Aggressive')", name="risk_tier_known"),
        sa.CheckConstraint("token IN ('STX', 'sBTC')", name="token_known"),
        sa.CheckConstraint("locked_base_units >= 0", name="locked_base_units_not_negative"),
        sa.CheckConstraint("reserved_base_units >= 0", name="reserved_base_units_not_negative"),
        sa.PrimaryKeyConstraint("risk_tier", "token"),
    )
    op.create_table(
        "policies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy_id_on_chain", sa.BigInteger(), nullable=True),
        sa.Column("owner_principal", sa.String(), nullable=False),
        sa.Column("counterparty_principal", sa.String(), nullable=False),
        sa.Column("protected_value_price_feed_units", sa.BigInteger(), nullable=False),
        sa.Column("protected_amount_sats", sa.BigInteger(), nullable=False),
        sa.Column("expiration_height", sa.BigInteger(), nullable=False),
        sa.Column("policy_type", sa.String(), nullable=False),
        sa.Column("status_on_chain", sa.SmallInteger(), nullable=True),
        sa.Column("status_detailed", sa.String(), nullable=False),
        sa.Column("creation_height", sa.BigInteger(), nullable=True),
        sa.Column("creation_timestamp", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expiration_timestamp_estimate", sa.DateTime(timezone=True), nullable=True),
        sa.Column("premium_amount_base_units", sa.BigInteger(), nullable=True),
        sa.Column("premium_token", sa.String(), nullable=True),
        sa.Column("premium_fee_amount_base_units", sa.BigInteger(), nullable=True),
        sa.Column("settlement_amount_base_units", sa.BigInteger(), nullable=True),
        sa.Column("settlement_token", sa.String(), nullable=True),
        sa.Column("settlement_timestamp", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tx_id_creation", sa.String(), nullable=True),
        sa.Column("tx_id_status_update", sa.String(), nullable=True),
        sa.Column("last_checked_block_height_expiry", sa.BigInteger(), nullable=True),
        sa.Column("risk_tier", sa.String(), nullable=True),
        sa.Column("oracle_data_snapshot_creation", JSONB(), nullable=True),
        sa.Column("oracle_data_snapshot_settlement", JSONB(), nullable=True),
        sa.Column("exercise_style", sa.String(), nullable=False),
        sa.Column("parameters_id", sa.Integer(), nullable=True),
        sa.Column("creation_block", sa.String(), nullable=True),
        sa.Column("end_block", sa.String(), nullable=True),
        sa.Column("reported_tx_id", sa.String(), nullable=True),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_look_height", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("exercise_style IN ('american', 'european')", name="exercise_style_known"),
        sa.CheckConstraint("policy_type IN ('PUT')", name="policy_type_known"),
        sa.CheckConstraint("premium_token IN ('STX', 'sBTC')", name="premium_token_known"),
        sa.CheckConstraint("risk_tier IN ('Conservative', 'Balanced', 'Aggressive')", name="risk_tier_known"),
        sa.CheckConstraint("risk_tier IS NOT NULL OR status_detailed <> 'PendingCreation'", name="pending_has_tier"),
        sa.CheckConstraint("settlement_token IN ('STX', 'sBTC')", name="settlement_token_known"),
        sa.CheckConstraint(
            "status_detailed IN ('PendingCreation', 'Active', 'Settling', 'Settled', 'Expiring', 'Expired', 'FailedCreation', 'FailedSettlement', 'FailedExpiration', 'Quarantined')",
            name="status_detailed_known",
        ),
        sa.CheckConstraint(
            "status_detailed NOT IN ('PendingCreation', 'FailedCreation') OR status_on_chain IS NULL",
            name="pending_is_not_on_chain",
        ),
        sa.CheckConstraint("(status_on_chain IS NULL) = (policy_id_on_chain IS NULL)", name="on_chain_together"),
        sa.CheckConstraint("expiration_height > 0", name="expiration_height_positive"),
        sa.CheckConstraint("premium_amount_base_units >= 0", name="premium_amount_base_units_not_negative"),
        sa.CheckConstraint("premium_fee_amount_base_units >= 0", name="premium_fee_amount_base_units_not_negative"),
        sa.CheckConstraint("protected_amount_sats > 0", name="protected_amount_sats_positive"),
        sa.CheckConstraint("protected_value_price_feed_units > 0", name="protected_value_price_feed_units_positive"),
        sa.CheckConstraint("settlement_amount_base_units >= 0", name="settlement_amount_base_units_not_negative"),
        sa.CheckConstraint("status_on_chain IN (0, 1, 2)", name="status_on_chain_known"),
        sa.ForeignKeyConstraint(
            ["parameters_id"],
            ["parameters.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("by_expiration_height", "policies", ["expiration_height", "id"], unique=False)
    op.create_index(
        "by_next_look_at",
        "policies",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )
    op.create_index(
        "by_next_look_height",
        "policies",
        ["next_look_height"],
        unique=False,
        postgresql_where=sa.text("next_look_height IS NOT NULL"),
    )
    op.create_index("by_owner_principal", "policies", ["owner_principal", "created_at", "id"], unique=False)
    op.create_index(
        "by_policy_id_on_chain",
        "policies",
        ["policy_id_on_chain"],
        unique=True,
        postgresql_where=sa.text("policy_id_on_chain IS NOT NULL"),
    )
    op.create_index("by_status_detailed", "policies", ["status_detailed", "expiration_height"], unique=False)
    op.create_index("by_status_on_chain", "policies", ["status_on_chain"], unique=False)
    op.create_index(
        "by_tier_and_status", "policies", ["risk_tier", "status_detailed", "created_at", "id"], unique=False
    )
    op.create_table(
        "transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("signer", sa.String(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("block", sa.String(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("chain_status", sa.String(), nullable=True),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("purpose IN ('settle', 'expire')", name="purpose_known"),
        sa.CheckConstraint("status IN ('Signed', 'Sent', 'Mined', 'Succeeded', 'Aborted')", name="status_known"),
        sa.CheckConstraint("nonce >= 0", name="nonce_not_negative"),
        sa.ForeignKeyConstraint(
            ["signer"],
            ["signers.principal"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("transactions_by_nonce", "transactions", ["signer", "nonce"], unique=True)
    op.create_index(
        "transactions_open",
        "transactions",
        ["look_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('Mined', 'Sent', 'Signed')"),
    )
    op.create_table(
        "activation_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("min_payout_base_units", sa.BigInteger(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_height", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("refusal", JSONB(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'accepted', 'refused', 'void')", name="state_known"),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["policies.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("activation_requests_by_key", "activation_requests", ["policy_id", "idempotency_key"], unique=True)
    op.create_index(
        "activation_requests_open",
        "activation_requests",
        ["policy_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("tx_id", sa.String(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("fee_micro_stx", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["transactions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tx_id"),
    )
    op.create_index(op.f("ix_attempts_transaction_id"), "attempts", ["transaction_id"], unique=False)
    op.create_table(
        "chain_events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("block", sa.String(), nullable=False),
        sa.Column("tx_id", sa.String(), nullable=False),
        sa.Column("event_index", sa.Integer(), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("policy_id_on_chain", sa.BigInteger(), nullable=True),
        sa.Column("policy_id", sa.Uuid(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["block"],
            ["blocks.index_block_hash"],
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["policies.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("chain_events_by_on_chain_id", "chain_events", ["policy_id_on_chain", "name"], unique=False)
    op.create_index("chain_events_by_policy", "chain_events", ["policy_id", "name"], unique=False)
    op.create_index("chain_events_by_transaction", "chain_events", ["tx_id"], unique=False)
    op.create_index("chain_events_once", "chain_events", ["block", "tx_id", "event_index"], unique=True)
    op.create_index(
        "chain_events_unapplied", "chain_events", ["id"], unique=False, postgresql_where=sa.text("applied_at IS NULL")
    )
    op.create_table(
        "policy_events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("edge", sa.String(), nullable=False),
        sa.Column("from_status", sa.String(), nullable=True),
        sa.Column("to_status", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("tx_id", sa.String(), nullable=True),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "edge IN ('a', 'b', 'c', 'd', 'e', 'f', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's')",
            name="edge_known",
        ),
        sa.CheckConstraint(
            "to_status IN ('PendingCreation', 'Active', 'Settling', 'Settled', 'Expiring', 'Expired', 'FailedCreation', 'FailedSettlement', 'FailedExpiration', 'Quarantined')",
            name="to_status_known",
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["policies.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("policy_events_by_policy", "policy_events", ["policy_id", "id"], unique=False)
    op.create_table(
        "quotes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_principal", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("request", JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("premium_base_units", sa.BigInteger(), nullable=True),
        sa.Column("fee_base_units", sa.BigInteger(), nullable=True),
        sa.Column("collateral_base_units", sa.BigInteger(), nullable=True),
        sa.Column("risk_tier", sa.String(), nullable=True),
        sa.Column("pricing", JSONB(), nullable=True),
        sa.Column("parameters_id", sa.Integer(), nullable=True),
        sa.Column("policy_id", sa.Uuid(), nullable=True),
        sa.Column("quote_id", sa.LargeBinary(), nullable=True),
        sa.Column("expiration_height", sa.BigInteger(), nullable=True),
        sa.Column("valid_until_height", sa.BigInteger(), nullable=True),
        sa.Column("wallet_payload", JSONB(), nullable=True),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("collateral_base_units > 0", name="collateral_base_units_positive"),
        sa.CheckConstraint("fee_base_units < premium_base_units", name="fee_is_part_of_premium"),
        sa.CheckConstraint("fee_base_units >= 0", name="fee_base_units_not_negative"),
        sa.CheckConstraint("octet_length(quote_id) = 16", name="quote_id_is_16_bytes"),
        sa.CheckConstraint(
            "policy_id IS NULL OR num_nulls(premium_base_units, fee_base_units, collateral_base_units, risk_tier,"
            " pricing, parameters_id, quote_id, expiration_height, valid_until_height) = 0",
            name="recorded_is_whole",
        ),
        sa.CheckConstraint("premium_base_units > 0", name="premium_base_units_positive"),
        sa.ForeignKeyConstraint(
            ["parameters_id"],
            ["parameters.id"],
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["policies.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("policy_id"),
        sa.UniqueConstraint("quote_id"),
    )
    op.create_index("quotes_by_key", "quotes", ["owner_principal", "idempotency_key"], unique=True)
    op.create_table(
        "reservations",
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("owner_principal", sa.String(), nullable=False),
        sa.Column("risk_tier", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("amount_base_units", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint("state IN ('reserved', 'locked', 'released')", name="state_known"),
        sa.CheckConstraint("token IN ('STX', 'sBTC')", name="token_known"),
        sa.CheckConstraint("amount_base_units > 0", name="amount_base_units_positive"),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["policies.id"],
        ),
        sa.PrimaryKeyConstraint("policy_id"),
    )
    op.create_index(
        "reservations_held",
        "reservations",
        ["owner_principal", "state"],
        unique=False,
        postgresql_where=sa.text("state <> 'released'"),
    )
    op.create_index(
        "reservations_reserved",
        "reservations",
        ["token", "risk_tier"],
        unique=False,
        postgresql_where=sa.text("state = 'reserved'"),
    )
    op.create_table(
        "settlements",
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("amount_base_units", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("capped", sa.Boolean(), nullable=False),
        sa.Column("formula_version", sa.Integer(), nullable=False),
        sa.Column("snapshot", JSONB(), nullable=False),
        sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("token IN ('STX', 'sBTC')", name="token_known"),
        sa.CheckConstraint("amount_base_units > 0", name="amount_base_units_positive"),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["policies.id"],
        ),
        sa.PrimaryKeyConstraint("policy_id"),
    )
    op.create_table(
        "transaction_entries",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("policy_id_on_chain", sa.BigInteger(), nullable=False),
        sa.Column("amount_base_units", sa.BigInteger(), nullable=True),
        sa.Column("refusal", sa.Integer(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["policies.id"],
        ),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["transactions.id"],
        ),
        sa.PrimaryKeyConstraint("transaction_id", "policy_id"),
    )
    op.create_index("transaction_entries_by_policy", "transaction_entries", ["policy_id"], unique=False)
    op.create_index(
        "transaction_entries_open",
        "transaction_entries",
        ["policy_id"],
        unique=True,
        postgresql_where=sa.text("is_open"),
    )
    op.execute("""
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are added and never changed', TG_TABLE_NAME;
END $$
""")
    op.execute("""
CREATE TRIGGER policy_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""")
