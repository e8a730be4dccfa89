"""Expiration: what ran out begins to expire; quotes that nobody signed are given up."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight
from registry.domain.lease import Held, Lease, LeaseLost
from registry.domain.policy import Edge, ExerciseStyle, PolicyStatus
from registry.domain.steps import is_due
from registry.store import activations, policies, quotes, reservations
from registry.store.session import Database, unit_of_work
from registry.store.tables import CollateralState, PolicyRow

_LOG = structlog.get_logger()


def sweep(
    database: Database, *, height: ChainHeight, limit: int, lease: Lease, now: datetime
) -> tuple[list[Held], list[Held]]:
    """Take what ran out, oldest first, passing by rows that another worker holds.

    Answers the American policies, to begin expiring, and the European ones, to be decided first; of each at most
    `limit`.
    """
    found: dict[ExerciseStyle, list[Held]] = {}
    with unit_of_work(database) as session:
        # each style has a limit of its own: while prices fail, what waits for one must not hold up what needs none
        for style in ExerciseStyle:
            rows = policies.claim_due(session, style=style, confirmed=height.confirmed, limit=limit, now=now)
            for row in rows:
                row.last_checked_block_height_expiry = height.tip
            found[style] = [policies.take(session, row, lease, now=now) for row in rows]
    return found[ExerciseStyle.AMERICAN], found[ExerciseStyle.EUROPEAN]


def begin(
    database: Database,
    policy_ids: Sequence[UUID],
    *,
    height: ChainHeight,
    now: datetime,
    leases: Mapping[UUID, int] | None = None,
) -> list[UUID]:
    """Move to Expiring (edge j) those that are still Active, due and not asked for; answer all that are Expiring.

    A policy whose lease has gone to somebody else is left to him. The others are still held, to be signed for as one.
    """
    expiring = []
    with unit_of_work(database) as session:
        for policy_id in sorted(policy_ids):
            try:
                row = policies.lock(session, policy_id, lease=(leases or {}).get(policy_id))
            except LeaseLost as lost:
                _LOG.info("lease.lost", **lost.figures)
                continue
            held_until = row.next_look_at
            if _may_begin(session, row, height=height):
                policies.move(
                    session,
                    policy_id,
                    Edge.DUE,
                    leaves=PolicyStatus.ACTIVE,
                    cause="ran out",
                    actor="sweep",
                    height=height.tip,
                    now=now,
                )
                # one that nobody held is looked at by whoever comes next, should this worker end before it signs
                row.next_look_at = held_until or now
                expiring.append(policy_id)
            elif row.status_detailed == PolicyStatus.EXPIRING:
                expiring.append(policy_id)
    return expiring


def _may_begin(session: Session, row: PolicyRow, *, height: ChainHeight) -> bool:
    if row.status_detailed != PolicyStatus.ACTIVE or row.exercise_style == ExerciseStyle.EUROPEAN:
        return False
    facts = policies.facts(session, row)
    return is_due(facts, height=height) and not facts.request_open and not facts.settlement_pinned


def outlived_quotes(database: Database, *, height: ChainHeight, limit: int) -> list[UUID]:
    """Policies whose quote no block can hold any more."""
    with unit_of_work(database) as session:
        return list(quotes.outlived(session, confirmed=height.confirmed, limit=limit))


def give_up(
    database: Database, policy_id: UUID, *, height: ChainHeight, now: datetime, lease: int | None = None
) -> bool:
    """End a creation whose quote was outlived with no purchase on chain (edge e) and free its reservation.

    What was asked for or pinned before a fork took the purchase is void.
    """
    with unit_of_work(database) as session:
        row = policies.lock(session, policy_id, lease=lease)
        facts = policies.facts(session, row)
        outlived = facts.valid_until_height is not None and height.confirmed > facts.valid_until_height
        if facts.status is not PolicyStatus.PENDING_CREATION or facts.purchase is not None or not outlived:
            return False
        quote = quotes.of_policy(session, policy_id)
        policies.move(
            session,
            policy_id,
            Edge.GIVEN_UP,
            leaves=PolicyStatus.PENDING_CREATION,
            cause="declined and outlived" if quote and quote.declined_at else "outlived, never purchased",
            actor="sweep",
            height=height.tip,
            detail=activations.void(session, row, now=now),
            now=now,
        )
        reservations.change(session, policy_id, leaves=CollateralState.RESERVED, enters=CollateralState.RELEASED)
        return True
