"""Advance: what stands still is looked at, and `next_step` says what it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from registry.domain.height import ChainHeight
from registry.domain.lease import Held, Lease
from registry.domain.steps import Step, next_step
from registry.domain.waiting import next_look
from registry.store import failures, policies, transactions
from registry.store.session import Database, unit_of_work

DELIVERIES_KEPT = timedelta(days=1)
"""A message that has not come again for so long will not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """What a policy needs now, and the token under which it is done."""

    step: Step
    token: int


def claim(database: Database, *, height: ChainHeight, lease: Lease, limit: int, now: datetime) -> Sequence[Held]:
    """Take policies whose time or height has come; they are not offered again for the length of the lease."""
    with unit_of_work(database) as session:
        failures.forget_deliveries(session, now=now, kept=DELIVERIES_KEPT, limit=limit)
        return policies.claim_standing_still(session, height=height.tip, now=now, lease=lease, limit=limit)


def step_of(
    database: Database, policy_id: UUID, *, height: ChainHeight, lease: Lease, now: datetime, token: int | None = None
) -> Drive | None:
    """Say what one policy needs now; when that is nothing, note when it should be looked at again.

    Under the token of a claim, or without one: then what it needs is taken over from whoever has it, for whoever asks
    knows that something has changed. What ended its workers waits for a person.

    Raises:
        LeaseLost: it was taken by somebody else since it was claimed.
    """
    with unit_of_work(database) as session:
        row = policies.lock(session, policy_id, lease=token)
        facts = policies.facts(session, row)
        own = transactions.facts(session, policy_id)
        if failures.is_held(session, policy_id):
            # whoever decides has it looked at; a height that has passed would be claimed at every sweep
            policies.look_again(session, policy_id, at=None, height=None)
            return None
        step = next_step(facts, own, height=height, now=now)
        if step is not None:
            held = policies.take(session, row, lease, now=now).token if token is None else token
            return Drive(step=step, token=held)
        look = next_look(facts, own, height=height, now=now, pause=lease.length)
        policies.look_again(session, policy_id, at=look.at, height=look.height)
        return None
