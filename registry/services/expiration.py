"""Expiration: what ran out begins to expire; quotes that nobody signed are given up."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight
from registry.domain.policy import Edge, ExerciseStyle, PolicyStatus
from registry.domain.steps import is_due
from registry.store import activations, policies, quotes, reservations
from registry.store.session import Database, unit_of_work
from registry.store.tables import CollateralState, PolicyRow

HEAD_START = timedelta(seconds=30)
"""For a batch to be signed as one, before its policies are looked at one by one."""


def sweep(database: Database, *, height: ChainHeight, limit: int, now: datetime) -> tuple[list[UUID], list[UUID]]:
    """Look at what ran out, oldest first, passing by rows that another worker holds.

    Answers the American policies, to begin expiring, and the European ones, to be decided first.
    """
    american: list[UUID] = []
    european: list[UUID] = []
    with unit_of_work(database) as session:
        for row in policies.claim_due(session, confirmed=height.confirmed, limit=limit):
            row.last_checked_block_height_expiry = height.tip
            row.next_look_at = now + HEAD_START
            (european if row.exercise_style == ExerciseStyle.EUROPEAN else american).append(row.id)
    return american, european


def begin(database: Database, policy_ids: Sequence[UUID], *, height: ChainHeight, now: datetime) -> list[UUID]:
    """Move to Expiring (edge j) those that are still Active, due and not asked for; answer all that are Expiring."""
    expiring = []
    with unit_of_work(database) as session:
        for policy_id in sorted(policy_ids):
            row = policies.lock(session, policy_id)
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
                policies.look_again(session, policy_id, at=now + HEAD_START, height=None)
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


def give_up(database: Database, policy_id: UUID, *, height: ChainHeight, now: datetime) -> bool:
    """End a creation whose quote was outlived with no purchase on chain (edge e) and free its reservation.

    What was asked for or pinned before a fork took the purchase is void.
    """
    with unit_of_work(database) as session:
        row = policies.lock(session, policy_id)
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
