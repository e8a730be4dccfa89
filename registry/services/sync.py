"""Sync: the one place where what the chain confirmed moves a policy."""

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight
from registry.domain.policy import RESUMED, Edge, OnChainStatus, PolicyStatus, chain_edge, contradicts, failure_edge
from registry.services.effects import ALARMS, EFFECTS, Change, evidence
from registry.stacks.contracts import Contracts
from registry.store import activations, blocks, failures, policies, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import FailureRow, PolicyRow, Resolution

_LOG = structlog.get_logger()

_FAILING = {Edge.SETTLEMENT_FAILED, Edge.EXPIRATION_FAILED}


def sync(
    database: Database,
    contracts: Contracts,
    policy_id: UUID,
    *,
    height: ChainHeight,
    now: datetime,
    lease: int | None = None,
) -> list[Edge]:
    """Move one policy along every edge that confirmed facts ask for, each with its event; answer the edges.

    Each edge is a commit of its own: what a fork took from a policy, its on-chain id above all, is free at once.
    """
    walked: list[Edge] = []
    while (edge := _walk(database, contracts, policy_id, height=height, now=now, lease=lease)) is not None:
        walked.append(edge)
    return walked


def _walk(
    database: Database, contracts: Contracts, policy_id: UUID, *, height: ChainHeight, now: datetime, lease: int | None
) -> Edge | None:
    with unit_of_work(database) as session:
        policy = policies.lock(session, policy_id, lease=lease)
        edge = _edge(session, policy, height=height)
        if edge is None:
            _mirror_registry(session, policy, height=height)
            return None
        leaves = PolicyStatus(policy.status_detailed)
        change = EFFECTS[edge](session, contracts, policy)
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
        _keep_failure(session, policy_id, change, failed=edge in _FAILING, left=leaves in RESUMED, now=now)
        session.refresh(policy)
    report = _LOG.error if change.cause in ALARMS else _LOG.info
    report("policy.moved", edge=edge.value, status=policy.status_detailed, cause=change.cause)
    return edge


def _keep_failure(
    session: Session, policy_id: UUID, change: Change, *, failed: bool, left: bool, now: datetime
) -> None:
    """Put a failure on the list, or take off it what the chain has moved on."""
    if failed:
        failures.add(session, FailureRow(policy_id=policy_id, cause=change.cause, detail=change.detail, at=now))
    elif left:
        failures.close_of_policy(
            session, policy_id, resolution=Resolution.OVERTAKEN, by="chain", reason=change.cause, now=now
        )


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
    event, _ = evidence(session, policy, "policy-purchased")
    return event.policy_id_on_chain is not None and policies.with_on_chain_id(
        session, event.policy_id_on_chain
    ) not in {None, policy.id}
