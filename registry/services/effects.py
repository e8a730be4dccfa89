"""Effects: what each edge of the chain writes with the status, from the events that prove it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from registry.domain.errors import Alarm
from registry.domain.policy import Edge, OnChainStatus
from registry.domain.transaction import NODE_REFUSED
from registry.domain.units import SECONDS_PER_BLOCK, Principal
from registry.stacks.contract_errors import meaning_of, name_of
from registry.stacks.contracts import Contracts
from registry.stacks.events import CollateralReleased, PolicyPurchased, PolicySettled, decode_event
from registry.store import blocks, reservations, transactions
from registry.store.tables import BlockRow, ChainEventRow, CollateralState, PolicyRow, RequestState, SettlementRow


class EvidenceMissingError(Alarm):
    """A policy was to be moved by an event that is not kept."""

    code = "evidence_missing"
    sentence = "policy {policy_id} has no {event} on the canonical chain"
    remedy = "follow the chain again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one edge writes with the status, why it happened, and what becomes of a request that is open."""

    cause: str
    values: dict[str, Any] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    height: int | None = None
    tx_id: str | None = None
    requests: RequestState | None = None


_UNASKED = "chain"
_REFUSED = "refused by the contract"
_ORPHANED = "orphaned"
_NOT_TAKEN = "refused by the node"
ALARMS = {_UNASKED, _REFUSED, _NOT_TAKEN}

_NOT_CREATED: Mapping[str, None] = MappingProxyType(
    dict.fromkeys(
        (
            "policy_id_on_chain",
            "status_on_chain",
            "creation_height",
            "creation_timestamp",
            "creation_block",
            "expiration_timestamp_estimate",
            "premium_amount_base_units",
            "premium_token",
            "premium_fee_amount_base_units",
            "tx_id_creation",
        )
    )
)
_NOT_ENDED: Mapping[str, object] = MappingProxyType(
    {
        "status_on_chain": OnChainStatus.ACTIVE.value,
        "settlement_amount_base_units": None,
        "settlement_token": None,
        "settlement_timestamp": None,
        "tx_id_status_update": None,
        "end_block": None,
    }
)


def evidence(session: Session, policy: PolicyRow, name: str) -> tuple[ChainEventRow, BlockRow]:
    """Find the event that proves something of a policy, with its block; a missing one is an alarm."""
    found = blocks.event_of(session, policy.id, name)
    if found is None:
        raise EvidenceMissingError(policy_id=str(policy.id), event=name)
    return found


def _purchased(session: Session, contracts: Contracts, policy: PolicyRow) -> Change:
    event, block = evidence(session, policy, "policy-purchased")
    purchase = decode_event(contracts, Principal(event.contract), event.raw)
    if not isinstance(purchase, PolicyPurchased):
        raise EvidenceMissingError(policy_id=str(policy.id), event="policy-purchased")
    for held in (CollateralState.RESERVED, CollateralState.RELEASED):
        reservations.change(session, policy.id, leaves=held, enters=CollateralState.LOCKED)
    left = (policy.expiration_height - block.burn_height) * SECONDS_PER_BLOCK
    return Change(
        cause="purchase confirmed",
        height=block.burn_height,
        tx_id=event.tx_id,
        values={
            "policy_id_on_chain": purchase.policy_id,
            "status_on_chain": OnChainStatus.ACTIVE.value,
            "creation_height": block.burn_height,
            "creation_timestamp": block.time,
            "creation_block": block.index_block_hash,
            "expiration_timestamp_estimate": block.time + timedelta(seconds=left),
            "premium_amount_base_units": purchase.premium,
            "premium_token": purchase.token.value,
            "premium_fee_amount_base_units": purchase.fee,
            "tx_id_creation": event.tx_id,
        },
    )


def _paid(session: Session, contracts: Contracts, policy: PolicyRow) -> Change:
    event, block = evidence(session, policy, "policy-settled")
    payout = decode_event(contracts, Principal(event.contract), event.raw)
    if not isinstance(payout, PolicySettled):
        raise EvidenceMissingError(policy_id=str(policy.id), event="policy-settled")
    reservations.change(session, policy.id, leaves=CollateralState.LOCKED, enters=CollateralState.RELEASED)
    pinned = session.get(SettlementRow, policy.id)
    as_pinned = pinned is not None and pinned.amount_base_units == payout.amount
    return Change(
        cause="payout confirmed" if as_pinned else _UNASKED,
        height=block.burn_height,
        tx_id=event.tx_id,
        detail={"amount_base_units": payout.amount, "pinned": pinned.amount_base_units if pinned else None},
        values={
            "status_on_chain": OnChainStatus.SETTLED.value,
            "settlement_amount_base_units": payout.amount,
            "settlement_token": payout.token.value,
            "settlement_timestamp": block.time,
            "tx_id_status_update": event.tx_id,
            "end_block": block.index_block_hash,
        },
    )


def _released(session: Session, contracts: Contracts, policy: PolicyRow) -> Change:
    event, block = evidence(session, policy, "collateral-released")
    if not isinstance(decode_event(contracts, Principal(event.contract), event.raw), CollateralReleased):
        raise EvidenceMissingError(policy_id=str(policy.id), event="collateral-released")
    reservations.change(session, policy.id, leaves=CollateralState.LOCKED, enters=CollateralState.RELEASED)
    return Change(
        cause="release confirmed",
        height=block.burn_height,
        tx_id=event.tx_id,
        values={
            "status_on_chain": OnChainStatus.EXPIRED.value,
            "tx_id_status_update": event.tx_id,
            "end_block": block.index_block_hash,
        },
    )


def _activated(session: Session, _contracts: Contracts, policy: PolicyRow) -> Change:
    """The payout is on chain: the one that was pinned before a fork, or one that nobody here asked for."""
    pinned = session.get(SettlementRow, policy.id)
    return Change(cause=_UNASKED if pinned is None else "pinned earlier", requests=RequestState.ACCEPTED)


def _resumed(session: Session, _contracts: Contracts, policy: PolicyRow) -> Change:
    """The end is on chain though we had failed; or else the failure was orphaned, and our transaction waits again."""
    ended = blocks.final_status_of(session, policy.id)
    return Change(cause=_ORPHANED if ended is None else _UNASKED)


def _due(_session: Session, _contracts: Contracts, _policy: PolicyRow) -> Change:
    return Change(cause=_UNASKED, requests=RequestState.VOID)


def _failed(session: Session, _contracts: Contracts, policy: PolicyRow) -> Change:
    latest = transactions.facts(session, policy.id)[-1]
    if latest.refusal == NODE_REFUSED:
        said = transactions.attempts(session, latest.id)[0].refusal
        return Change(cause=_NOT_TAKEN, detail={"code": None, "meaning": said, "transaction": str(latest.id)})
    code = latest.refusal or None
    told = {"code": code, "name": name_of(code), "meaning": meaning_of(code)}
    return Change(cause=_REFUSED, detail={**told, "transaction": str(latest.id)})


def _purchase_orphaned(session: Session, _contracts: Contracts, policy: PolicyRow) -> Change:
    reservations.change(session, policy.id, leaves=CollateralState.LOCKED, enters=CollateralState.RESERVED)
    return Change(cause=_ORPHANED, tx_id=policy.tx_id_creation, values=dict(_NOT_CREATED))


def _end_orphaned(session: Session, _contracts: Contracts, policy: PolicyRow) -> Change:
    reservations.change(session, policy.id, leaves=CollateralState.RELEASED, enters=CollateralState.LOCKED)
    return Change(cause=_ORPHANED, tx_id=policy.tx_id_status_update, values=dict(_NOT_ENDED))


def _entry_orphaned(_session: Session, _contracts: Contracts, policy: PolicyRow) -> Change:
    return Change(cause=_ORPHANED, tx_id=policy.tx_id_creation, values=dict(_NOT_CREATED))


EFFECTS: Mapping[Edge, Callable[[Session, Contracts, PolicyRow], Change]] = MappingProxyType(
    {
        Edge.PURCHASE_CONFIRMED: _purchased,
        Edge.PURCHASED_AFTER_ALL: _purchased,
        Edge.ACTIVATED: _activated,
        Edge.SETTLEMENT_RESUMED: _resumed,
        Edge.PAID: _paid,
        Edge.DUE: _due,
        Edge.EXPIRATION_RESUMED: _resumed,
        Edge.RELEASED: _released,
        Edge.SETTLEMENT_FAILED: _failed,
        Edge.EXPIRATION_FAILED: _failed,
        Edge.PURCHASE_ORPHANED: _purchase_orphaned,
        Edge.PAYOUT_ORPHANED: _end_orphaned,
        Edge.RELEASE_ORPHANED: _end_orphaned,
        Edge.ENTRY_ORPHANED: _entry_orphaned,
    }
)
"""What each edge of the chain writes. The others are walked by requests and sweeps."""
