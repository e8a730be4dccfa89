"""Every table, CHECK and index of what policies are, on one page; what the front door keeps is in front_tables.py.

Units are those of registry.domain.units. Statuses are VARCHAR with a CHECK of their values; a height, an amount
and a price are BIGINT with a CHECK. Rows of `policy_events` are added and never changed: a trigger sees to it.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import DDL, CheckConstraint, Index, LargeBinary, SmallInteger, event, text
from sqlmodel import Field, SQLModel

from registry.domain.policy import Edge, ExerciseStyle, PolicyStatus
from registry.domain.push import PushOutcome, PushSource
from registry.domain.tier import RiskTier
from registry.domain.transaction import OPEN, AttemptKind, Dead, Purpose, TransactionStatus, Verdict
from registry.domain.units import Token
from registry.store.columns import big, json_object, not_negative, now, one_of, positive, timestamp, uint


class CollateralState(StrEnum):
    """A reservation is ours, a lock is the chain's; both end released."""

    RESERVED = "reserved"
    LOCKED = "locked"
    RELEASED = "released"


class RequestState(StrEnum):
    """Where an activation request stands; void: its purchase was lost, or the chain ended it unpaid."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    VOID = "void"


class PolicyRow(SQLModel, table=True):
    """One policy: the fields that were ordered, then what drives it."""

    __tablename__ = "policies"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    # mirrored from the chain
    policy_id_on_chain: int | None = big(default=None)
    owner_principal: str
    counterparty_principal: str
    protected_value_price_feed_units: int = big()
    protected_amount_sats: int = big()
    expiration_height: int = big()
    policy_type: str = "PUT"
    status_on_chain: int | None = Field(default=None, sa_type=SmallInteger)
    # kept off chain
    status_detailed: str
    creation_height: int | None = big(default=None)
    creation_timestamp: datetime | None = timestamp(default=None)
    expiration_timestamp_estimate: datetime | None = timestamp(default=None)
    premium_amount_base_units: int | None = big(default=None)
    premium_token: str | None = None
    premium_fee_amount_base_units: int | None = big(default=None)
    settlement_amount_base_units: int | None = big(default=None)
    settlement_token: str | None = None
    settlement_timestamp: datetime | None = timestamp(default=None)
    tx_id_creation: str | None = None
    tx_id_status_update: str | None = None
    last_checked_block_height_expiry: int | None = big(default=None)
    risk_tier: str | None = None
    oracle_data_snapshot_creation: dict[str, Any] | None = json_object(default=None)
    oracle_data_snapshot_settlement: dict[str, Any] | None = json_object(default=None)
    # what drives it
    exercise_style: str = ExerciseStyle.AMERICAN
    parameters_id: int | None = Field(default=None, foreign_key="parameters.id")
    creation_block: str | None = None
    end_block: str | None = None
    reported_tx_id: str | None = None
    next_look_at: datetime | None = timestamp(default_factory=now)
    next_look_height: int | None = big(default=None)
    created_at: datetime = timestamp(default_factory=now)
    # a lease lasts until next_look_at; whoever holds an older token writes nothing
    lease_owner: str | None = None
    lease_token: int = big(default=0)
    lease_attempts: int = 0

    __table_args__ = (
        Index(
            "by_policy_id_on_chain",
            "policy_id_on_chain",
            unique=True,
            postgresql_where=text("policy_id_on_chain IS NOT NULL"),
        ),
        Index("by_owner_principal", "owner_principal", "created_at", "id"),
        Index("by_status_detailed", "status_detailed", "expiration_height"),
        Index("by_expiration_height", "expiration_height", "id"),
        Index("by_created_at", "created_at", "id"),
        Index("by_status_on_chain", "status_on_chain"),
        Index("by_protected_value", "protected_value_price_feed_units", "id"),
        Index(
            "by_expiration_time",
            "expiration_timestamp_estimate",
            "id",
            postgresql_where=text("expiration_timestamp_estimate IS NOT NULL"),
        ),
        Index("by_tx_id_creation", "tx_id_creation", postgresql_where=text("tx_id_creation IS NOT NULL")),
        Index(
            "by_tx_id_status_update", "tx_id_status_update", postgresql_where=text("tx_id_status_update IS NOT NULL")
        ),
        Index("by_reported_tx_id", "reported_tx_id", postgresql_where=text("reported_tx_id IS NOT NULL")),
        Index("by_tier_and_status", "risk_tier", "status_detailed", "created_at", "id"),
        Index("by_next_look_at", "next_look_at", postgresql_where=text("next_look_at IS NOT NULL")),
        Index("by_next_look_height", "next_look_height", postgresql_where=text("next_look_height IS NOT NULL")),
        one_of("status_detailed", PolicyStatus),
        one_of("policy_type", ["PUT"]),
        one_of("exercise_style", ExerciseStyle),
        one_of("risk_tier", RiskTier),
        one_of("premium_token", Token),
        one_of("settlement_token", Token),
        CheckConstraint("status_on_chain IN (0, 1, 2)", name="status_on_chain_known"),
        CheckConstraint("(status_on_chain IS NULL) = (policy_id_on_chain IS NULL)", name="on_chain_together"),
        CheckConstraint("risk_tier IS NOT NULL OR status_detailed <> 'PendingCreation'", name="pending_has_tier"),
        CheckConstraint(
            "status_detailed NOT IN ('PendingCreation', 'FailedCreation') OR status_on_chain IS NULL",
            name="pending_is_not_on_chain",
        ),
        *positive("protected_value_price_feed_units", "protected_amount_sats", "expiration_height"),
        *not_negative("premium_amount_base_units", "premium_fee_amount_base_units", "settlement_amount_base_units"),
    )


class PolicyEventRow(SQLModel, table=True):
    """One transition, once. Append-only."""

    __tablename__ = "policy_events"

    id: int | None = big(default=None, primary_key=True)
    policy_id: UUID = Field(foreign_key="policies.id")
    edge: str
    from_status: str | None = None
    to_status: str
    cause: str
    actor: str
    height: int | None = big(default=None)
    tx_id: str | None = None
    detail: dict[str, Any] = json_object(default_factory=dict)
    at: datetime = timestamp(default_factory=now)

    __table_args__ = (
        Index("policy_events_by_policy", "policy_id", "id"),
        one_of("edge", Edge),
        one_of("to_status", PolicyStatus),
    )


class ParametersRow(SQLModel, table=True):
    """A version of the parameters; the newest is in force, a policy keeps the one it was made under."""

    __tablename__ = "parameters"

    id: int | None = Field(default=None, primary_key=True)
    parameter_values: dict[str, Any] = json_object()
    reason: str
    created_at: datetime = timestamp(default_factory=now)


class PriceRow(SQLModel, table=True):
    """An aggregate, with every observation that it came from and why some were left out.

    `observed_at` is the oldest time that a venue gave, `fetched_at` when the first one was asked.
    """

    __tablename__ = "prices"

    id: int | None = big(default=None, primary_key=True)
    pair: str
    price: int = big()
    observed_at: datetime = timestamp()
    fetched_at: datetime = timestamp()
    observations: list[dict[str, Any]] = json_object()
    failures: dict[str, str] = json_object()

    __table_args__ = (Index("prices_by_pair", "pair", "fetched_at"), *positive("price"))


class DailyCloseRow(SQLModel, table=True):
    """The close of a finished UTC day."""

    __tablename__ = "daily_closes"

    pair: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    close: int = big()
    venue: str

    __table_args__ = (*positive("close"),)


class QuoteRow(SQLModel, table=True):
    """A request for a policy and the quote it got: asked, then priced, then recorded with its policy."""

    __tablename__ = "quotes"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_principal: str
    idempotency_key: str
    request: dict[str, Any] = json_object()
    created_at: datetime = timestamp(default_factory=now)
    # priced
    premium_base_units: int | None = big(default=None)
    fee_base_units: int | None = big(default=None)
    collateral_base_units: int | None = big(default=None)
    risk_tier: str | None = None
    pricing: dict[str, Any] | None = json_object(default=None)
    parameters_id: int | None = Field(default=None, foreign_key="parameters.id")
    # recorded
    policy_id: UUID | None = Field(default=None, foreign_key="policies.id", unique=True)
    quote_id: bytes | None = Field(default=None, sa_type=LargeBinary, unique=True)
    expiration_height: int | None = big(default=None)
    valid_until_height: int | None = big(default=None)
    # prepared
    wallet_payload: dict[str, Any] | None = json_object(default=None)
    # answered
    declined_at: datetime | None = timestamp(default=None)

    __table_args__ = (
        Index("quotes_by_key", "owner_principal", "idempotency_key", unique=True),
        CheckConstraint(
            "policy_id IS NULL OR num_nulls(premium_base_units, fee_base_units, collateral_base_units, risk_tier,"
            " pricing, parameters_id, quote_id, expiration_height, valid_until_height) = 0",
            name="recorded_is_whole",
        ),
        CheckConstraint("octet_length(quote_id) = 16", name="quote_id_is_16_bytes"),
        CheckConstraint("fee_base_units < premium_base_units", name="fee_is_part_of_premium"),
        *positive("premium_base_units", "collateral_base_units"),
        *not_negative("fee_base_units"),
    )


class ReservationRow(SQLModel, table=True):
    """What one policy holds of the pool: reserved with its quote, locked by its purchase, then released."""

    __tablename__ = "reservations"

    policy_id: UUID = Field(foreign_key="policies.id", primary_key=True)
    owner_principal: str
    risk_tier: str
    token: str
    amount_base_units: int = big()
    state: str = CollateralState.RESERVED

    __table_args__ = (
        Index(
            "reservations_held",
            "owner_principal",
            "state",
            postgresql_where=text("state <> 'released'"),
        ),
        Index("reservations_reserved", "token", "risk_tier", postgresql_where=text("state = 'reserved'")),
        one_of("state", CollateralState),
        one_of("token", Token),
        *positive("amount_base_units"),
    )


class TierCapitalRow(SQLModel, table=True):
    """What a tier has reserved and locked of one token; the row that a reservation locks."""

    __tablename__ = "tier_capital"

    risk_tier: str = Field(primary_key=True)
    token: str = Field(primary_key=True)
    reserved_base_units: int = big(default=0)
    locked_base_units: int = big(default=0)

    __table_args__ = (
        one_of("risk_tier", RiskTier),
        one_of("token", Token),
        *not_negative("reserved_base_units", "locked_base_units"),
    )


class PoolBookRow(SQLModel, table=True):
    """The pool's book of one token, as its events up to the newest applied block make it."""

    __tablename__ = "pool_books"

    token: str = Field(primary_key=True)
    assets: int = uint(default=0)
    locked: int = uint(default=0)
    unearned: int = uint(default=0)
    since: int = big(default=0)
    until: int = big(default=0)

    __table_args__ = (one_of("token", Token), *not_negative("assets", "locked", "unearned"))


class ActivationRequestRow(SQLModel, table=True):
    """An owner's wish to be paid. The first aggregate fetched after it decides."""

    __tablename__ = "activation_requests"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    policy_id: UUID = Field(foreign_key="policies.id")
    idempotency_key: str
    min_payout_base_units: int | None = big(default=None)
    requested_at: datetime = timestamp(default_factory=now)
    requested_height: int = big()
    state: str = RequestState.OPEN
    refusal: dict[str, Any] | None = json_object(default=None)
    decided_at: datetime | None = timestamp(default=None)

    __table_args__ = (
        Index("activation_requests_by_key", "policy_id", "idempotency_key", unique=True),
        Index("activation_requests_open", "policy_id", unique=True, postgresql_where=text("state = 'open'")),
        one_of("state", RequestState),
    )


class SettlementRow(SQLModel, table=True):
    """What is owed for one policy: pinned once, paid as pinned."""

    __tablename__ = "settlements"

    policy_id: UUID = Field(foreign_key="policies.id", primary_key=True)
    amount_base_units: int = big()
    token: str
    capped: bool
    formula_version: int
    snapshot: dict[str, Any] = json_object()
    pinned_at: datetime = timestamp(default_factory=now)

    __table_args__ = (one_of("token", Token), *positive("amount_base_units"))


class SignerRow(SQLModel, table=True):
    """A key of ours that sends transactions, and the next nonce it will use.

    A signer that paused for want of money goes on by itself once it has `funds_needed` micro-STX.
    """

    __tablename__ = "signers"

    principal: str = Field(primary_key=True)
    next_nonce: int = big()
    paused_at: datetime | None = timestamp(default=None)
    pause_reason: str | None = None
    funds_needed: int | None = big(default=None)
    resumed_at: datetime | None = timestamp(default=None)
    resume_reason: str | None = None

    __table_args__ = (
        *not_negative("next_nonce"),
        CheckConstraint("(paused_at IS NULL) = (pause_reason IS NULL)", name="paused_for_a_reason"),
        CheckConstraint("(resumed_at IS NULL) = (resume_reason IS NULL)", name="resumed_for_a_reason"),
    )


class TransactionRow(SQLModel, table=True):
    """A transaction of ours: its nonce is reserved with the row."""

    __tablename__ = "transactions"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    purpose: str
    signer: str = Field(foreign_key="signers.principal")
    nonce: int = big()
    status: str = TransactionStatus.SIGNED
    block: str | None = None
    height: int | None = big(default=None)
    chain_status: str | None = None
    result: bytes | None = Field(default=None, sa_type=LargeBinary)
    look_at: datetime | None = timestamp(default=None)
    created_at: datetime = timestamp(default_factory=now)
    dead_because: str | None = None

    __table_args__ = (
        Index("transactions_by_nonce", "signer", "nonce", unique=True),
        Index("transactions_by_block", "block", postgresql_where=text("block IS NOT NULL")),
        Index(
            "transactions_open",
            "look_at",
            postgresql_where=text(f"status IN ({', '.join(repr(str(status)) for status in sorted(OPEN))})"),
        ),
        one_of("purpose", Purpose),
        one_of("status", TransactionStatus),
        one_of("dead_because", Dead),
        *not_negative("nonce"),
    )


class AttemptRow(SQLModel, table=True):
    """Signed bytes of a transaction. They are stored before they are sent, and sent again as they are.

    `height` is the burn height at which they were signed, `accepted_at` when a node first took them, `offered_at` when
    they were last sent, `verdict` what the answer to that meant, `refusal` a node's words when it did not take them.
    """

    __tablename__ = "attempts"

    id: int | None = big(default=None, primary_key=True)
    transaction_id: UUID = Field(foreign_key="transactions.id", index=True)
    tx_id: str = Field(unique=True)
    raw: bytes = Field(sa_type=LargeBinary)
    fee_micro_stx: int = big()
    created_at: datetime = timestamp(default_factory=now)
    accepted_at: datetime | None = timestamp(default=None)
    refusal: str | None = None
    kind: str = AttemptKind.CALL
    height: int | None = big(default=None)
    offered_at: datetime | None = timestamp(default=None)
    verdict: str | None = None

    __table_args__ = (one_of("kind", AttemptKind), one_of("verdict", Verdict))


class TransactionEntryRow(SQLModel, table=True):
    """One policy in a transaction of ours, and what the contract answered for it."""

    __tablename__ = "transaction_entries"

    transaction_id: UUID = Field(foreign_key="transactions.id", primary_key=True)
    policy_id: UUID = Field(foreign_key="policies.id", primary_key=True)
    policy_id_on_chain: int = big()
    amount_base_units: int | None = big(default=None)
    refusal: int | None = None
    is_open: bool = True

    __table_args__ = (
        Index("transaction_entries_open", "policy_id", unique=True, postgresql_where=text("is_open")),
        Index("transaction_entries_by_policy", "policy_id"),
    )


class BlockRow(SQLModel, table=True):
    """A Stacks block that was applied. `books` is the pool's book after it, where it changed it.

    `applied_at` is when it was applied last, by the database's clock; None if that was before this was kept.
    """

    __tablename__ = "blocks"

    index_block_hash: str = Field(primary_key=True)
    parent_index_block_hash: str
    height: int = big()
    burn_height: int = big()
    time: datetime = timestamp()
    is_canonical: bool = True
    books: list[dict[str, Any]] | None = json_object(default=None)
    applied_at: datetime | None = timestamp(default=None)

    __table_args__ = (
        Index("blocks_canonical", "height", unique=True, postgresql_where=text("is_canonical")),
        Index("blocks_by_burn_height", "burn_height"),
        Index("blocks_with_books", "height", postgresql_where=text("is_canonical AND books IS NOT NULL")),
    )


class ChainEventRow(SQLModel, table=True):
    """An event of our contracts, as its bytes. What no column can hold stays in the bytes alone.

    `policy_id` is the policy that the event provably concerns: for a purchase, by a quote equal in every term.
    """

    __tablename__ = "chain_events"

    id: int | None = big(default=None, primary_key=True)
    block: str = Field(foreign_key="blocks.index_block_hash")
    tx_id: str
    event_index: int
    contract: str
    name: str | None = None
    raw: bytes = Field(sa_type=LargeBinary)
    policy_id_on_chain: int | None = big(default=None)
    policy_id: UUID | None = Field(default=None, foreign_key="policies.id")
    applied_at: datetime | None = timestamp(default=None)

    __table_args__ = (
        Index("chain_events_once", "block", "tx_id", "event_index", unique=True),
        Index("chain_events_by_transaction", "tx_id"),
        Index("chain_events_by_policy", "policy_id", "name"),
        Index("chain_events_by_on_chain_id", "policy_id_on_chain", "name"),
        Index("chain_events_unapplied", "id", postgresql_where=text("applied_at IS NULL")),
    )


class Resolution(StrEnum):
    """How a failure was closed; overtaken: the chain, or a fork, decided otherwise."""

    RETRIED = "retried"
    ABANDONED = "abandoned"
    OVERTAKEN = "overtaken"


class FailureRow(SQLModel, table=True):
    """What will not go on by itself: a policy that was refused for good, or a message that ended its workers.

    A message has its task, id and arguments; a failed policy has none of them.
    """

    __tablename__ = "failures"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    policy_id: UUID | None = Field(default=None, foreign_key="policies.id")
    task: str | None = None
    task_id: str | None = Field(default=None, unique=True)
    arguments: dict[str, Any] | None = json_object(default=None)
    cause: str
    detail: dict[str, Any] = json_object(default_factory=dict)
    at: datetime = timestamp(default_factory=now)
    closed_at: datetime | None = timestamp(default=None)
    resolution: str | None = None
    closed_by: str | None = None
    reason: str | None = None

    __table_args__ = (
        Index("failures_open", "at", postgresql_where=text("closed_at IS NULL")),
        Index(
            "failures_open_of_policy",
            "policy_id",
            unique=True,
            postgresql_where=text("closed_at IS NULL AND task IS NULL"),
        ),
        Index("failures_by_policy", "policy_id", postgresql_where=text("policy_id IS NOT NULL")),
        one_of("resolution", Resolution),
        CheckConstraint("num_nulls(closed_at, resolution, closed_by, reason) IN (0, 4)", name="closed_is_whole"),
        CheckConstraint("num_nulls(task, task_id, arguments) IN (0, 3)", name="message_is_whole"),
        CheckConstraint("num_nulls(policy_id, task) < 2", name="is_about_something"),
    )


class DeliveryRow(SQLModel, table=True):
    """A message that was delivered again, and how often."""

    __tablename__ = "deliveries"

    task_id: str = Field(primary_key=True)
    task: str
    count: int = 1
    last_at: datetime = timestamp(default_factory=now)

    __table_args__ = (Index("deliveries_by_age", "last_at"), *positive("count"))


class PushRow(SQLModel, table=True):
    """A body that a node or a hook pushed to us; the same one again is counted, not kept twice.

    `said` is what was read in it at the door: the blocks it names, and no more.
    """

    __tablename__ = "pushes"

    id: int | None = big(default=None, primary_key=True)
    source: str
    digest: str
    body: bytes = Field(sa_type=LargeBinary)
    said: dict[str, Any] = json_object()
    times: int = 1
    received_at: datetime = timestamp(default_factory=now)
    taken_at: datetime | None = timestamp(default=None)
    outcome: str | None = None

    __table_args__ = (
        Index("pushes_once", "source", "digest", unique=True),
        Index("pushes_waiting", "id", postgresql_where=text("taken_at IS NULL")),
        Index("pushes_by_age", "received_at"),
        one_of("source", PushSource),
        one_of("outcome", PushOutcome),
        CheckConstraint("(taken_at IS NULL) = (outcome IS NULL)", name="taken_with_an_outcome"),
        *positive("times"),
    )


class ReconciliationRow(SQLModel, table=True):
    """One comparison of Postgres with the contracts at one block; `cursor` is the last on-chain id compared."""

    __tablename__ = "reconciliations"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    block: str
    height: int = big()
    is_dry: bool = False
    cursor: int = big(default=0)
    compared: int = 0
    findings: list[dict[str, Any]] = json_object(default_factory=list)
    started_at: datetime = timestamp(default_factory=now)
    finished_at: datetime | None = timestamp(default=None)

    __table_args__ = (
        Index("reconciliations_open", "started_at", postgresql_where=text("finished_at IS NULL")),
        *not_negative("cursor", "compared"),
    )


APPEND_ONLY = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are added and never changed', TG_TABLE_NAME;
END $$
"""
APPEND_ONLY_TRIGGER = """
CREATE TRIGGER policy_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

_events = SQLModel.metadata.tables["policy_events"]
for _statement in (APPEND_ONLY, APPEND_ONLY_TRIGGER):
    event.listen(_events, "after_create", DDL(_statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
