"""Advance: what stands still is looked at, and `next_step` says what it needs."""

from datetime import datetime, timedelta
from uuid import UUID

from registry.domain.height import ChainHeight
from registry.domain.steps import Step, next_step
from registry.domain.waiting import next_look
from registry.store import policies, transactions
from registry.store.session import Database, unit_of_work


def claim(database: Database, *, height: ChainHeight, lease: timedelta, limit: int, now: datetime) -> list[UUID]:
    """Take policies whose time or height has come; they are not offered again for the length of the lease."""
    with unit_of_work(database) as session:
        return list(policies.claim_standing_still(session, height=height.tip, now=now, lease=lease, limit=limit))


def step_of(
    database: Database, policy_id: UUID, *, height: ChainHeight, lease: timedelta, now: datetime
) -> Step | None:
    """Say what one policy needs now; when that is nothing, note when it should be looked at again."""
    with unit_of_work(database) as session:
        row = policies.lock(session, policy_id)
        facts = policies.facts(session, row)
        own = transactions.facts(session, policy_id)
        step = next_step(facts, own, height=height, now=now)
        if step is not None:
            policies.look_again(session, policy_id, at=now + lease, height=None)
            return step
        look = next_look(facts, own, height=height, now=now, pause=lease)
        policies.look_again(session, policy_id, at=look.at, height=look.height)
        return None
