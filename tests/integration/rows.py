"""Rows as the services would have written them, for tests that need no chain."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from registry.domain.policy import Edge, PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.transaction import Purpose
from registry.domain.units import Token
from registry.store.front_tables import (
    ApiKeyRow,
    FeedReaderRow,
    PolicyFeedRow,
    SessionRow,
    StatTotalRow,
    SubmissionRow,
    WebhookDeliveryRow,
    WebhookEndpointRow,
    WebhookMessageRow,
)
from registry.store.tables import (
    ActivationRequestRow,
    AttemptRow,
    BlockRow,
    ChainEventRow,
    DailyCloseRow,
    FailureRow,
    PolicyEventRow,
    PolicyRow,
    PoolBookRow,
    PriceRow,
    PushRow,
    QuoteRow,
    ReconciliationRow,
    ReservationRow,
    Resolution,
    SettlementRow,
    SignerRow,
    TierCapitalRow,
    TransactionEntryRow,
    TransactionRow,
)

OWNER = "ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM"
POOL = "ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69.liquidity-pool"
BLOCK = "b" * 64
THEN = datetime(2026, 1, 1, tzinfo=UTC)


def policy(**changes: Any) -> PolicyRow:
    """A policy that waits for its purchase."""
    usual = {
        "owner_principal": OWNER,
        "counterparty_principal": POOL,
        "protected_value_price_feed_units": 45_000 * 10**8,
        "protected_amount_sats": 10**7,
        "expiration_height": 1_000,
        "status_detailed": PolicyStatus.PENDING_CREATION,
        "risk_tier": RiskTier.BALANCED,
    }
    return PolicyRow(**{**usual, **changes})


def active(on_chain: int, **changes: Any) -> PolicyRow:
    """A policy that the chain confirmed under an id."""
    usual = {
        "status_detailed": PolicyStatus.ACTIVE,
        "status_on_chain": 0,
        "policy_id_on_chain": on_chain,
        "premium_token": Token.STX,
        "premium_amount_base_units": 1_000,
        "premium_fee_amount_base_units": 10,
    }
    return policy(**{**usual, **changes})


def event(policy_id: UUID, **changes: Any) -> PolicyEventRow:
    """The transition that made a policy."""
    usual = {"edge": Edge.RECORDED, "to_status": PolicyStatus.PENDING_CREATION, "cause": "quoted", "actor": "owner"}
    return PolicyEventRow(policy_id=policy_id, **{**usual, **changes})


def quote(**changes: Any) -> QuoteRow:
    """A quote that was asked for and priced."""
    usual = {
        "owner_principal": OWNER,
        "idempotency_key": str(uuid4()),
        "request": {"premium_token": "STX"},
        "premium_base_units": 1_000,
        "fee_base_units": 10,
        "collateral_base_units": 5_000,
        "risk_tier": RiskTier.BALANCED,
        "parameters_id": 1,
        "pricing": {},
        "quote_id": uuid4().bytes,
        "expiration_height": 1_000,
        "valid_until_height": 10,
    }
    return QuoteRow(**{**usual, **changes})


def reservation(policy_id: UUID, **changes: Any) -> ReservationRow:
    """What a policy holds."""
    usual = {
        "owner_principal": OWNER,
        "risk_tier": RiskTier.BALANCED,
        "token": Token.STX,
        "amount_base_units": 5_000,
    }
    return ReservationRow(policy_id=policy_id, **{**usual, **changes})


def capital(**changes: Any) -> TierCapitalRow:
    """A tier that holds nothing."""
    return TierCapitalRow(**{"risk_tier": RiskTier.BALANCED, "token": Token.STX, **changes})


def book(**changes: Any) -> PoolBookRow:
    """An empty pool."""
    return PoolBookRow(**{"token": Token.STX, **changes})


def price(**changes: Any) -> PriceRow:
    """An aggregate."""
    usual = {
        "pair": "BTC/USD",
        "price": 50_000 * 10**8,
        "observed_at": THEN,
        "fetched_at": THEN,
        "observations": [],
        "failures": {},
    }
    return PriceRow(**{**usual, **changes})


def close(**changes: Any) -> DailyCloseRow:
    """One day's close."""
    return DailyCloseRow(**{"pair": "BTC/USD", "day": THEN.date(), "close": 1, "venue": "coinbase", **changes})


def wish(policy_id: UUID, **changes: Any) -> ActivationRequestRow:
    """An open request to be paid."""
    usual = {"idempotency_key": str(uuid4()), "requested_height": 5}
    return ActivationRequestRow(policy_id=policy_id, **{**usual, **changes})


def settlement(policy_id: UUID, **changes: Any) -> SettlementRow:
    """What is owed."""
    usual = {"amount_base_units": 7, "token": Token.STX, "capped": False, "formula_version": 1, "snapshot": {}}
    return SettlementRow(policy_id=policy_id, **{**usual, **changes})


def signer(**changes: Any) -> SignerRow:
    """A key that sends."""
    return SignerRow(**{"principal": OWNER, "next_nonce": 0, **changes})


def transaction(**changes: Any) -> TransactionRow:
    """A transaction that was signed."""
    return TransactionRow(**{"purpose": Purpose.SETTLE, "signer": OWNER, "nonce": 0, **changes})


def attempt(transaction_id: UUID, **changes: Any) -> AttemptRow:
    """Its bytes."""
    return AttemptRow(transaction_id=transaction_id, **{"tx_id": "a" * 64, "raw": b"\0", "fee_micro_stx": 1, **changes})


def entry(transaction_id: UUID, policy_id: UUID, **changes: Any) -> TransactionEntryRow:
    """One policy in it."""
    return TransactionEntryRow(
        transaction_id=transaction_id, policy_id=policy_id, **{"policy_id_on_chain": 1, **changes}
    )


def block(**changes: Any) -> BlockRow:
    """A block that was applied."""
    usual = {
        "index_block_hash": BLOCK,
        "parent_index_block_hash": "0" * 64,
        "height": 1,
        "burn_height": 1,
        "time": THEN,
    }
    return BlockRow(**{**usual, **changes})


def chain_event(**changes: Any) -> ChainEventRow:
    """An event in it."""
    return ChainEventRow(
        **{"block": BLOCK, "tx_id": "a" * 64, "event_index": 0, "contract": POOL, "raw": b"\0", **changes}
    )


def reconciliation(**changes: Any) -> ReconciliationRow:
    """A run that has compared nothing yet."""
    return ReconciliationRow(**{"block": BLOCK, "height": 1, **changes})


MESSAGE: dict[str, Any] = {"task": "policies.advance", "task_id": "one", "arguments": {}}
"""What a failure says of a message."""


def failure(**changes: Any) -> FailureRow:
    """What will not go on by itself."""
    return FailureRow(**{"cause": "refused", **changes})


def closed(**changes: Any) -> dict[str, Any]:
    """How a failure says that it was decided about."""
    usual = {"closed_at": THEN, "resolution": Resolution.ABANDONED, "closed_by": "ada", "reason": "a test"}
    return {**usual, **changes}


def push(**changes: Any) -> PushRow:
    """A body that waits."""
    return PushRow(**{"source": "node", "digest": "d" * 64, "body": b"{}", "said": {}, **changes})


def fed(policy_id: UUID, **changes: Any) -> PolicyFeedRow:
    """The place of an event in the feed."""
    return PolicyFeedRow(**{"event_id": 1, "policy_id": policy_id, "owner_principal": OWNER, **changes})


def reader(**changes: Any) -> FeedReaderRow:
    """A reader of the feed."""
    return FeedReaderRow(**{"name": "webhooks", **changes})


def total(**changes: Any) -> StatTotalRow:
    """A counted sum."""
    return StatTotalRow(**{"token": Token.STX, "status": PolicyStatus.ACTIVE, **changes})


def submission(**changes: Any) -> SubmissionRow:
    """Something that was sent under an idempotency key."""
    usual = {"caller": OWNER, "idempotency_key": "key", "operation": "create", "fingerprint": "0" * 64, "message": {}}
    return SubmissionRow(**{**usual, **changes})


def session(**changes: Any) -> SessionRow:
    """An owner who is signed in."""
    return SessionRow(**{"principal": OWNER, "expires_at": THEN, **changes})


def api_key(**changes: Any) -> ApiKeyRow:
    """A service's key."""
    return ApiKeyRow(**{"prefix": "prk_0000", "digest": "0" * 64, "name": "partner", "scopes": ["read"], **changes})


def endpoint(api_key_id: UUID, **changes: Any) -> WebhookEndpointRow:
    """Where a service wants to be told."""
    usual = {"api_key_id": api_key_id, "url": "https://example.com/hook", "kinds": ["policy.active"]}
    return WebhookEndpointRow(**{**usual, **changes})


def message(**changes: Any) -> WebhookMessageRow:
    """Something to tell."""
    return WebhookMessageRow(**{"kind": "policy.active", "once": "1", "payload": {}, **changes})


def delivery(endpoint_id: UUID, message_id: UUID, **changes: Any) -> WebhookDeliveryRow:
    """A message on its way to an endpoint."""
    return WebhookDeliveryRow(**{"endpoint_id": endpoint_id, "message_id": message_id, **changes})
