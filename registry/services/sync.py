"""Sync: the one place where what the chain confirmed moves a policy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.errors import Alarm
from registry.domain.height import ChainHeight
from registry.domain.policy import Edge, OnChainStatus, PolicyStatus, chain_edge, contradicts, failure_edge
from registry.domain.units import SECONDS_PER_BLOCK, Principal
from registry.stacks.contract_errors import meaning_of
from registry.stacks.contracts import Contracts
from registry.stacks.events import CollateralReleased, PolicyPurchased, PolicySettled, decode_event
from registry.store import activations, blocks, policies, reservations, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import BlockRow, ChainEventRow, CollateralState, PolicyRow, RequestState, SettlementRow

_LOG = structlog.get_logger()


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


def sync(
    database: Database, contracts: Contracts, policy_id: UUID, *, height: ChainHeight, now: datetime
) -> list[Edge]:
    """Move one policy along every edge that confirmed facts ask for, each with its event; answer the edges.

    Each edge is a commit of its own: what a fork took from a policy, its on-chain id above all, is free at once.
    """
    walked: list[Edge] = []
    while (edge := _walk(database, contracts, policy_id, height=height, now=now)) is not None:
        walked.append(edge)
    return walked


def _walk(
    database: Database, contracts: Contracts, policy_id: UUID, *, height: ChainHeight, now: datetime
) -> Edge | None:
    with unit_of_work(database) as session:
        policy = policies.lock(session, policy_id)
        edge = _edge(session, policy, height=height)
        if edge is None:
            _mirror_registry(session, policy, height=height)
            return None
        leaves = PolicyStatus(policy.status_detailed)
        change = _EFFECTS[edge](session, contracts, policy)
        if change.requests is not None:
            activations.close(session, policy_id, enters=change.requests, now=now)
        policies.move(
            session,
            policy_id,
            edge,
            leaves=leaves,
            cause=change.cause,
            actor="chain",
            height=change.height,
            tx_id=change.tx_id,
            detail=change.detail,
            changes=change.values,
            now=now,
        )
        session.refresh(policy)
    report = _LOG.error if change.cause in _ALARMS else _LOG.info
    report("policy.moved", edge=edge.value, status=policy.status_detailed, cause=change.cause)
    return edge


def _edge(session: Session, policy: PolicyRow, *, height: ChainHeight) -> Edge | None:
    facts = policies.facts(session, policy)
    if contradicts(facts, height=height):
        _LOG.error(
            "policy.contradicts_chain", status=policy.status_detailed, policy_id_on_chain=policy.policy_id_on_chain
        )
    edge = chain_edge(facts, height=height) or failure_edge(facts, transactions.facts(session, policy.id))
    waits = edge in {Edge.PURCHASE_CONFIRMED, Edge.PURCHASED_AFTER_ALL} and _is_taken(session, policy)
    return None if waits else edge


def _mirror_registry(session: Session, policy: PolicyRow, *, height: ChainHeight) -> None:
    """Show what the registry alone says of a policy whose collateral is still to be freed: no edge, for none is due."""
    if policy.status_detailed != PolicyStatus.EXPIRING:
        return
    marked = blocks.marked_expired(session, policy.id)
    if marked is not None and marked[1].burn_height <= height.confirmed:
        policy.status_on_chain, policy.tx_id_status_update = OnChainStatus.EXPIRED.value, marked[0].tx_id
    else:
        policy.status_on_chain, policy.tx_id_status_update = OnChainStatus.ACTIVE.value, None


def _is_taken(session: Session, policy: PolicyRow) -> bool:
    """Whether another policy still has the on-chain id that a fork gave to this one; it gives it up first."""
    event, _ = _evidence(session, policy, "policy-purchased")
    return event.policy_id_on_chain is not None and policies.with_on_chain_id(
        session, event.policy_id_on_chain
    ) not in {None, policy.id}


_UNASKED = "chain"
_REFUSED = "refused by the contract"
_ORPHANED = "orphaned"
_ALARMS = {_UNASKED, _REFUSED}

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


def _evidence(session: Session, policy: PolicyRow, name: str) -> tuple[ChainEventRow, BlockRow]:
    found = blocks.event_of(session, policy.id, name)
    if found is None:
        raise EvidenceMissingError(policy_id=str(policy.id), event=name)
    return found


def _purchased(session: Session, contracts: Contracts, policy: PolicyRow) -> Change:
    event, block = _evidence(session, policy, "policy-purchased")
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
    event, block = _evidence(session, policy, "policy-settled")
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
    event, block = _evidence(session, policy, "collateral-released")
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
    code = latest.refusal or None
    return Change(cause=_REFUSED, detail={"code": code, "meaning": meaning_of(code), "transaction": str(latest.id)})


def _purchase_orphaned(session: Session, _contracts: Contracts, policy: PolicyRow) -> Change:
    reservations.change(session, policy.id, leaves=CollateralState.LOCKED, enters=CollateralState.RESERVED)
    return Change(cause=_ORPHANED, tx_id=policy.tx_id_creation, values=dict(_NOT_CREATED))


def _end_orphaned(session: Session, _contracts: Contracts, policy: PolicyRow) -> Change:
    reservations.change(session, policy.id, leaves=CollateralState.RELEASED, enters=CollateralState.LOCKED)
    return Change(cause=_ORPHANED, tx_id=policy.tx_id_status_update, values=dict(_NOT_ENDED))


def _entry_orphaned(_session: Session, _contracts: Contracts, policy: PolicyRow) -> Change:
    return Change(cause=_ORPHANED, tx_id=policy.tx_id_creation, values=dict(_NOT_CREATED))


_EFFECTS: Mapping[Edge, Callable[[Session, Contracts, PolicyRow], Change]] = MappingProxyType(
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
