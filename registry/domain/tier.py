"""Risk tiers: which strike, for how many days, belongs to which."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from registry.domain.errors import BadRequest
from registry.domain.units import Usd8, ceil_div, floor_div


class RiskTier(StrEnum):
    """The three pots of the pool, from the strikes that pay least often to those that pay most often."""

    CONSERVATIVE = "Conservative"
    BALANCED = "Balanced"
    AGGRESSIVE = "Aggressive"


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRange:
    """What a tier takes: a strike in per cent of spot and a duration; both ends belong to it."""

    tier: RiskTier
    from_percent: int
    to_percent: int
    up_to_days: int

    def holds(self, strike: Usd8, *, spot: Usd8, days: int) -> bool:
        """Compare without division, so that an end of the range is never missed by a rounding."""
        in_price = self.from_percent * spot <= 100 * strike <= self.to_percent * spot
        return in_price and 1 <= days <= self.up_to_days

    def at(self, spot: Usd8) -> dict[str, object]:
        """The lowest and highest strike (USD × 10^8) taken at this spot, and the longest duration."""
        return {
            "tier": self.tier.value,
            "strike_from": ceil_div(self.from_percent * spot, 100),
            "strike_to": floor_div(self.to_percent * spot, 100),
            "days_to": self.up_to_days,
        }


RANGES = (
    TierRange(tier=RiskTier.CONSERVATIVE, from_percent=70, to_percent=80, up_to_days=30),
    TierRange(tier=RiskTier.BALANCED, from_percent=80, to_percent=90, up_to_days=60),
    TierRange(tier=RiskTier.AGGRESSIVE, from_percent=90, to_percent=100, up_to_days=90),
)
"""In the order in which they are tried: where two ranges touch, the first one wins."""


class OutsideTiers(BadRequest):
    """No tier sells this; `accepted` lists what each would have taken at the same spot."""

    code = "outside_tiers"
    sentence: ClassVar[str] = "no tier takes a strike of {strike} at a spot of {spot} for {days} days"
    remedy: ClassVar[str] = "choose a strike (USD × 10^8) and a duration within one of {accepted}"


def classify(strike: Usd8, *, spot: Usd8, days: int) -> RiskTier:
    """The first tier that takes this strike and duration, or `OutsideTiers`. `spot` is positive."""
    for offer in RANGES:
        if offer.holds(strike, spot=spot, days=days):
            return offer.tier
    accepted = [offer.at(spot) for offer in RANGES]
    raise OutsideTiers(strike=strike, spot=spot, days=days, accepted=accepted)
