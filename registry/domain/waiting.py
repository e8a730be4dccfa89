"""Waiting: when a policy that needs nothing now should be looked at again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from registry.domain.height import ChainHeight, Depths
from registry.domain.policy import ExerciseStyle, PolicyFacts, PolicyStatus
from registry.domain.steps import may_sign, retry_due_at
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
    """Say when `next_step` may answer differently, given that it answers None at this height and time.

    An American policy that runs out is left to the sweep, which takes many in one transaction.
    """
    to_confirm, to_finalise = height.tip - height.confirmed, height.tip - height.final
    match policy.status:
        case PolicyStatus.PENDING_CREATION | PolicyStatus.FAILED_CREATION if policy.purchase is not None:
            return Look(height=BurnHeight(policy.purchase.height + to_confirm))
        case PolicyStatus.PENDING_CREATION if policy.valid_until_height is not None:
            return Look(height=BurnHeight(policy.valid_until_height + to_confirm + 1))
        case PolicyStatus.ACTIVE if policy.style is ExerciseStyle.EUROPEAN:
            return Look(height=BurnHeight(policy.expiration_height + to_confirm + 1))
        case PolicyStatus.SETTLING | PolicyStatus.EXPIRING:
            pending = next((each for each in transactions if each.is_open), None)
            if pending is not None:
                return Look(at=max(now + pause, pending.look_at or now))
            return _when_signed(policy, transactions, to_confirm=to_confirm, to_finalise=to_finalise)
    return Look(at=retry_due_at(policy, transactions))


def _when_signed(
    policy: PolicyFacts, transactions: Sequence[TransactionFacts], *, to_confirm: int, to_finalise: int
) -> Look:
    """The height from which on a transaction may be signed, if only height is missing."""
    if policy.purchase is None:
        return Look()
    heights = [BurnHeight(policy.purchase.height + to_finalise)]
    if policy.marked_expired is not None:
        heights.append(BurnHeight(policy.marked_expired + to_confirm))
    elif policy.status is PolicyStatus.EXPIRING:
        heights.append(BurnHeight(policy.expiration_height + to_confirm + 1))
    depths = Depths(confirmed=to_confirm, final=to_finalise)
    latest = max(heights)
    signs = may_sign(policy, transactions, height=ChainHeight.at(latest, depths=depths))
    return Look(height=latest) if signs else Look()
