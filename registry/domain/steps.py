"""The next step: what an unfinished policy needs now, as a pure function of the facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from registry.domain.height import ChainHeight
from registry.domain.policy import (
    ExerciseStyle,
    PolicyFacts,
    PolicyStatus,
    chain_edge,
    failure_edge,
    is_marked,
    latest_of,
)
from registry.domain.retry import retries_of
from registry.domain.transaction import Purpose, TransactionFacts, TransactionStatus


class StepKind(StrEnum):
    """What can be done for a policy without waiting. `workers/canvases.py` alone makes signatures of them."""

    PREPARE_CREATION = "prepare_creation"
    GIVE_UP = "give_up"
    SYNC_STATUS = "sync_status"
    DECIDE = "decide"
    BEGIN_EXPIRATION = "begin_expiration"
    SIGN_AND_BROADCAST = "sign_and_broadcast"
    MONITOR = "monitor"
    RETRY = "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do now, and for which transaction when it is about one."""

    kind: StepKind
    transaction_id: UUID | None = None


def may_sign(policy: PolicyFacts, transactions: Sequence[TransactionFacts], *, height: ChainHeight) -> bool:
    """Whether a new transaction of ours may name this policy: its purchase is final, and nothing else ends it."""
    if policy.purchase is None or policy.purchase.height > height.final or policy.final is not None:
        return False
    purposes = purposes_of(policy, height=height)
    latest = latest_of(policy, transactions, purposes=purposes)
    if latest is not None and (latest.refused_for_good or latest.over_elsewhere):
        return False
    return bool(purposes) and not any(each.is_open for each in transactions)


def purposes_of(policy: PolicyFacts, *, height: ChainHeight) -> frozenset[Purpose]:
    """What a transaction that names this policy now could be for: any one of these, or none."""
    if policy.status is PolicyStatus.SETTLING and policy.settlement_pinned:
        return frozenset({Purpose.SETTLE})
    if policy.status is not PolicyStatus.EXPIRING:
        return frozenset()
    if policy.marked_expired is not None:
        return frozenset({Purpose.RELEASE}) if is_marked(policy, height=height) else frozenset()
    return frozenset({Purpose.EXPIRE, Purpose.MARK_EXPIRED}) if is_due(policy, height=height) else frozenset()


def next_step(
    policy: PolicyFacts, transactions: Sequence[TransactionFacts], *, height: ChainHeight, now: datetime
) -> Step | None:
    """Say what this policy needs now; None when only time, the chain or its owner can move it.

    Total: every status, with any facts, has an answer. `transactions` are this policy's own, oldest first.
    """
    if chain_edge(policy, height=height) or failure_edge(policy, transactions):
        return Step(kind=StepKind.SYNC_STATUS)
    match policy.status:
        case PolicyStatus.PENDING_CREATION:
            return _step_of_pending(policy, height)
        case PolicyStatus.ACTIVE:
            return _step_of_active(policy, height)
        case PolicyStatus.SETTLING | PolicyStatus.EXPIRING:
            return _step_of_moving(policy, transactions, height, now)
        case PolicyStatus.FAILED_SETTLEMENT | PolicyStatus.FAILED_EXPIRATION:
            due = retry_due_at(policy, transactions)
            return Step(kind=StepKind.RETRY) if due is not None and due <= now else None
    return None


def retry_due_at(policy: PolicyFacts, transactions: Sequence[TransactionFacts]) -> datetime | None:
    """When what failed is to be tried again by itself; None if a person is waited for."""
    latest = latest_of(policy, transactions)
    if policy.retry_from is None or latest is None:
        return None
    return retries_of(latest.refusal).due_at(policy.retry_from, made=policy.retries_made)


def is_due(policy: PolicyFacts, *, height: ChainHeight) -> bool:
    """Whether it ran out: a strict comparison, for the expiration height itself still belongs to the owner.

    What the chain did to it comes first: a purchase that a fork took back during an outage has nothing to expire.
    """
    return policy.expiration_height < height.confirmed and chain_edge(policy, height=height) is None


def _step_of_pending(policy: PolicyFacts, height: ChainHeight) -> Step | None:
    valid_until = policy.valid_until_height
    if valid_until is None or policy.purchase is not None:
        return None
    if height.confirmed > valid_until:
        return Step(kind=StepKind.GIVE_UP)
    if not policy.prepared and height.tip <= valid_until:
        return Step(kind=StepKind.PREPARE_CREATION)
    return None


def _step_of_active(policy: PolicyFacts, height: ChainHeight) -> Step | None:
    if policy.settlement_pinned or policy.request_open:
        return Step(kind=StepKind.DECIDE)
    if not is_due(policy, height=height):
        return None
    european = policy.style is ExerciseStyle.EUROPEAN
    return Step(kind=StepKind.DECIDE if european else StepKind.BEGIN_EXPIRATION)


def _step_of_moving(
    policy: PolicyFacts, transactions: Sequence[TransactionFacts], height: ChainHeight, now: datetime
) -> Step | None:
    pending = next((each for each in transactions if each.is_open), None)
    if pending is not None:
        if pending.status is TransactionStatus.SIGNED:
            return Step(kind=StepKind.SIGN_AND_BROADCAST, transaction_id=pending.id)
        look = pending.look_at is None or pending.look_at <= now
        return Step(kind=StepKind.MONITOR, transaction_id=pending.id) if look else None
    return Step(kind=StepKind.SIGN_AND_BROADCAST) if may_sign(policy, transactions, height=height) else None
