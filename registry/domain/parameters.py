"""The versioned parameters: what is sold, at which rates, on how much of the pool.

A policy keeps the id of the set it was made under. What a machine's operator tunes without changing terms
(depths, limits on open quotes, addresses) is a setting and not here. Switches are: they take effect with what is done
next, without a restart, and say why.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from registry.domain.errors import BadRequest
from registry.domain.prices import Pair
from registry.domain.tier import RiskTier
from registry.domain.units import PPM, SATS_PER_BTC, Ppm, Sats


def _within(lowest: int, highest: int) -> dict[str, tuple[int, int]]:
    """The range, ends included, that a new set may choose from."""
    return {"range": (lowest, highest)}


_LATER = {"later": True}
"""Marks what sets that were stored earlier do not name: they have it at its default."""

_VENUE_SWITCH = re.compile(r"venue_(?P<venue>[a-z]+)_enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One set of parameters; units are in the names. A set outside its ranges cannot be made."""

    # what is sold
    min_duration_days: int = field(default=7, metadata=_within(1, 365))
    max_duration_days: int = field(default=365, metadata=_within(1, 365))
    min_amount_sats: Sats = field(default=Sats(SATS_PER_BTC // 100), metadata=_within(1, 100_000 * SATS_PER_BTC))
    max_amount_sats: Sats = field(default=Sats(10 * SATS_PER_BTC), metadata=_within(1, 100_000 * SATS_PER_BTC))
    quote_valid_blocks: int = field(default=2, metadata=_within(1, 144))
    creation_enabled: bool = True
    activation_enabled: bool = True

    # premium; the fee is a part of it, not on top
    fee_ppm: Ppm = field(default=Ppm(10_000), metadata=_within(0, PPM - 1))
    base_rate_ppm: Ppm = field(default=Ppm(10_000), metadata=_within(0, 10 * PPM))
    volatility_multiplier_ppm: Ppm = field(default=Ppm(1_500_000), metadata=_within(1, 100 * PPM))
    duration_factor_ppm: Ppm = field(default=Ppm(500_000), metadata=_within(0, 100 * PPM))
    risk_free_rate_ppm: Ppm = field(default=Ppm(20_000), metadata=_within(0, PPM))
    min_premium_rate_ppm: Ppm = field(default=Ppm(50_000), metadata=_within(1, 10 * PPM))

    # collateral, of strike × amount; STX falls with BTC, so in STX it is larger by a factor
    conservative_collateral_ppm: Ppm = field(default=Ppm(1_100_000), metadata=_within(PPM, 100 * PPM))
    balanced_collateral_ppm: Ppm = field(default=Ppm(1_200_000), metadata=_within(PPM, 100 * PPM))
    aggressive_collateral_ppm: Ppm = field(default=Ppm(1_300_000), metadata=_within(PPM, 100 * PPM))
    stx_collateral_factor_ppm: Ppm = field(default=Ppm(1_500_000), metadata=_within(PPM, 100 * PPM))

    # capacity, of the pool's assets in a token
    conservative_share_ppm: Ppm = field(default=Ppm(400_000), metadata=_within(0, PPM))
    balanced_share_ppm: Ppm = field(default=Ppm(350_000), metadata=_within(0, PPM))
    aggressive_share_ppm: Ppm = field(default=Ppm(250_000), metadata=_within(0, PPM))
    max_utilisation_ppm: Ppm = field(default=Ppm(800_000), metadata=_within(0, PPM))

    # prices
    price_max_age_seconds: int = field(default=60, metadata=_within(1, 86_400))
    max_price_deviation_ppm: Ppm = field(default=Ppm(20_000), metadata=_within(0, PPM))
    min_sources_btc_usd: int = field(default=3, metadata=_within(1, 100))
    min_sources_stx_usd: int = field(default=2, metadata=_within(1, 100))
    venue_coinbase_enabled: bool = field(default=True, metadata=_LATER)
    venue_kraken_enabled: bool = field(default=True, metadata=_LATER)
    venue_bitstamp_enabled: bool = field(default=True, metadata=_LATER)
    venue_binance_enabled: bool = field(default=True, metadata=_LATER)
    venue_pyth_enabled: bool = field(default=True, metadata=_LATER)

    def __post_init__(self) -> None:
        """Refuse a set that could not be meant, naming the parameter."""
        for each in fields(self):
            _check(each.name, getattr(self, each.name), each.metadata.get("range"))
        if self.min_duration_days > self.max_duration_days:
            raise BadRequest(field="min_duration_days", reason=f"it is over {self.max_duration_days}")
        if self.min_amount_sats > self.max_amount_sats:
            raise BadRequest(field="min_amount_sats", reason=f"it is over {self.max_amount_sats}")
        shares = sum(self.share(tier) for tier in RiskTier)
        if shares > PPM:
            raise BadRequest(field="aggressive_share_ppm", reason=f"the shares add up to {shares}")

    def collateral_ratio(self, tier: RiskTier) -> Ppm:
        """How much of strike × amount a policy of this tier locks."""
        return {
            RiskTier.CONSERVATIVE: self.conservative_collateral_ppm,
            RiskTier.BALANCED: self.balanced_collateral_ppm,
            RiskTier.AGGRESSIVE: self.aggressive_collateral_ppm,
        }[tier]

    def share(self, tier: RiskTier) -> Ppm:
        """The part of the pool's assets that this tier may use."""
        return {
            RiskTier.CONSERVATIVE: self.conservative_share_ppm,
            RiskTier.BALANCED: self.balanced_share_ppm,
            RiskTier.AGGRESSIVE: self.aggressive_share_ppm,
        }[tier]

    def min_sources(self, pair: Pair) -> int:
        """The least number of venues that must agree; USDT/USD is never put to the vote (KeyError)."""
        return {Pair.BTC_USD: self.min_sources_btc_usd, Pair.STX_USD: self.min_sources_stx_usd}[pair]

    @property
    def venues_off(self) -> frozenset[str]:
        """The price venues that are not asked, by name; which there are to ask, the settings say."""
        switches = ((match["venue"], name) for name in self.to_json() if (match := _VENUE_SWITCH.fullmatch(name)))
        return frozenset(venue for venue, name in switches if not getattr(self, name))

    def to_json(self) -> dict[str, int | bool]:
        """Every parameter by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Parameters":
        """Read a whole set: a name too many, a name missing or a value of another type is `BadRequest`."""
        known = {each.name for each in fields(cls)}
        later = {each.name for each in fields(cls) if "later" in each.metadata}
        for name in sorted((known ^ set(value)) - (later - set(value))):
            raise BadRequest(field=name, reason="it is missing" if name in known else "there is no such parameter")
        return cls(**cast("dict[str, Any]", value))


def _check(name: str, value: object, limits: tuple[int, int] | None) -> None:
    """A switch has no limits and is a boolean; everything else is an integer within them."""
    if limits is None:
        if not isinstance(value, bool):
            raise BadRequest(field=name, reason=f"{value!r} is not true or false")
        return
    if type(value) is not int:
        raise BadRequest(field=name, reason=f"{value!r} is not an integer")
    lowest, highest = limits
    if not lowest <= value <= highest:
        raise BadRequest(field=name, reason=f"{value} is not between {lowest} and {highest}")
