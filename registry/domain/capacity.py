"""Capacity: how much collateral a tier may still lock in one token, and what bounds it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from registry.domain.errors import NoCapacity, Refusal
from registry.domain.parameters import Parameters
from registry.domain.tier import RiskTier
from registry.domain.units import PPM, BaseUnits, Ppm, Principal, Token, floor_div


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """The pool in one token: assets and locked as the chain has them, reservations of all tiers as we do."""

    token: Token
    assets: BaseUnits
    locked: BaseUnits
    reserved: BaseUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class TierUse:
    """One tier's part of a pool: locks, every reservation, and those of quotes that nobody has signed yet."""

    tier: RiskTier
    locked: BaseUnits
    reserved: BaseUnits
    unsigned: BaseUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuoteLimits:
    """How much may be held by quotes that nobody has signed yet."""

    per_owner: int = 3
    tier_ppm: Ppm = field(default=Ppm(250_000))


class Bound(StrEnum):
    """What a policy runs into first."""

    TIER = "tier"
    POOL = "pool"
    OPEN_QUOTES = "open_quotes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one more policy may lock, never below 0, and which bound says so."""

    free: BaseUnits
    bound: Bound


class TooManyOpenQuotes(Refusal):
    """The owner holds as many unsigned quotes as one may."""

    code = "too_many_open_quotes"
    sentence: ClassVar[str] = "{owner} already holds {open} unsigned quotes, {most} are allowed"
    remedy: ClassVar[str] = "sign one of them or wait until they end"


def room(pool: PoolUse, use: TierUse, *, parameters: Parameters, limits: OpenQuoteLimits) -> Room:
    """The smallest of the three: the tier's share, the unlocked pool, the tier's part for unsigned quotes."""
    share = pool.assets * parameters.share(use.tier)
    usable = floor_div(share * parameters.max_utilisation_ppm, PPM * PPM)
    offered = floor_div(share * limits.tier_ppm, PPM * PPM)
    free = {
        Bound.TIER: usable - use.locked - use.reserved,
        Bound.POOL: pool.assets - pool.locked - pool.reserved,
        Bound.OPEN_QUOTES: offered - use.unsigned,
    }
    bound = min(free, key=lambda each: free[each])
    return Room(free=BaseUnits(max(0, free[bound])), bound=bound)


def check_room(
    needed: BaseUnits, *, pool: PoolUse, use: TierUse, parameters: Parameters, limits: OpenQuoteLimits
) -> None:
    """Raise `NoCapacity` with free and needed unless a policy that locks `needed` fits; an exact fit does."""
    found = room(pool, use, parameters=parameters, limits=limits)
    if needed > found.free:
        raise NoCapacity(
            tier=use.tier.value,
            token=pool.token.value,
            free=found.free,
            needed=needed,
            bound=found.bound.value,
        )


def check_open_quotes(owner: Principal, *, unsigned: int, limits: OpenQuoteLimits) -> None:
    """Raise unless the owner, who holds `unsigned` open quotes, may have one more."""
    if unsigned >= limits.per_owner:
        raise TooManyOpenQuotes(owner=owner, open=unsigned, most=limits.per_owner)
