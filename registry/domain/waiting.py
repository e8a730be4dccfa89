"""Waiting: when a policy that needs nothing now should be looked at again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from registry.domain.height import ChainHeight
from registry.domain.policy import ExerciseStyle, PolicyFacts, PolicyStatus
from registry.domain.transaction import TransactionFacts
from registry.domain.units import BurnHeight


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A time, a height, or neither: then only the chain or the owner can move the policy."""

    at: datetime | None = None
    height: BurnHeight | None = None


def next_look(
    policy: PolicyFacts,
    transactions: Sequence[TransactionFacts],
    *,
    height: ChainHeight,
    now: datetime,
    pause: timedelta,
) -> Look:
    """Say when `next_step` may answer differently, given that it answers None at this height and time."""
    to_confirm, to_finalise = height.tip - height.confirmed, height.tip - height.final
    match policy.status:
        case PolicyStatus.PENDING_CREATION if policy.purchase is not None:
            return Look(height=BurnHeight(policy.purchase.height + to_confirm))
        case PolicyStatus.PENDING_CREATION if policy.valid_until_height is not None:
            return Look(height=BurnHeight(policy.valid_until_height + to_confirm + 1))
        case PolicyStatus.ACTIVE if policy.style is ExerciseStyle.EUROPEAN:
            return Look(height=BurnHeight(policy.expiration_height + to_confirm + 1))
        case PolicyStatus.SETTLING | PolicyStatus.EXPIRING:
            if any(each.is_open for each in transactions):
                return Look(at=now + pause)
            if policy.purchase is not None and policy.purchase.height > height.final:
                return Look(height=BurnHeight(policy.purchase.height + to_finalise))
    return Look()
