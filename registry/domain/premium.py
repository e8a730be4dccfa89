"""The premium of a put: Black–Scholes, the factors on it, and the rent of the collateral under it.

Floats live in `black_scholes_put` and the factors only. Their result becomes USD × 10^8 once; from there on
everything is integers.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, erfc, exp, log, sqrt
from typing import ClassVar

from registry.domain.errors import Unavailable
from registry.domain.parameters import Parameters
from registry.domain.prices import Prices
from registry.domain.tier import RiskTier
from registry.domain.units import PPM, USD8, BaseUnits, Sats, Token, Usd8, ceil_div, floor_div
from registry.domain.volatility import DAYS_PER_YEAR, LEAST_VOLATILITY

FORMULA_VERSION = 1
"""Kept with each quote; raised by whoever changes what a premium comes to."""

GREATEST_VOLATILITY = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Premium:
    """What a policy costs. The fee is a part of the amount, both in base units of `token`."""

    per_btc: Usd8
    token: Token
    amount: BaseUnits
    fee: BaseUnits


class UnusableVolatility(Unavailable):
    """A premium cannot be computed from this; it is never taken for 0."""

    code = "unusable_volatility"
    sentence: ClassVar[str] = "a volatility of {volatility} is not between {least} and {greatest}"


def premium(
    *,
    strike: Usd8,
    amount: Sats,
    days: int,
    tier: RiskTier,
    token: Token,
    volatility: float,
    prices: Prices,
    parameters: Parameters,
) -> Premium:
    """Price one policy: the amount is ceiled, the fee within it floored."""
    per_btc = premium_per_btc(
        strike=strike,
        spot=prices.btc_usd,
        days=days,
        tier=tier,
        volatility=volatility,
        parameters=parameters,
    )
    total = ceil_div(per_btc * amount, prices.divisor(token))
    fee = floor_div(total * parameters.fee_ppm, PPM)
    return Premium(per_btc=per_btc, token=token, amount=BaseUnits(total), fee=BaseUnits(fee))


def premium_per_btc(
    *,
    strike: Usd8,
    spot: Usd8,
    days: int,
    tier: RiskTier,
    volatility: float,
    parameters: Parameters,
) -> Usd8:
    """USD × 10^8 for one BTC, ceiled: the formula's price or the rent, whichever is more."""
    if not LEAST_VOLATILITY <= volatility <= GREATEST_VOLATILITY:  # also refuses NaN
        # as text, for JSON knows no NaN
        raise UnusableVolatility(volatility=str(volatility), least=LEAST_VOLATILITY, greatest=GREATEST_VOLATILITY)
    years = days / DAYS_PER_YEAR
    fair = black_scholes_put(
        spot=spot / USD8,
        strike=strike / USD8,
        volatility=volatility,
        rate=parameters.risk_free_rate_ppm / PPM,
        years=years,
    )
    price = fair * _factors(years, parameters=parameters)
    rent = collateral_rent(strike=strike, days=days, tier=tier, parameters=parameters)
    return max(Usd8(ceil(Fraction(price) * USD8)), rent)


def collateral_rent(*, strike: Usd8, days: int, tier: RiskTier, parameters: Parameters) -> Usd8:
    """The least premium per BTC, ceiled: far strikes price to 0.0 or −10^-12, yet lock the same coins."""
    yearly = strike * parameters.collateral_ratio(tier) * parameters.min_premium_rate_ppm
    return Usd8(ceil_div(yearly * days, DAYS_PER_YEAR * PPM * PPM))


def black_scholes_put(*, spot: float, strike: float, volatility: float, rate: float, years: float) -> float:
    """A European put in the unit of `spot` and `strike`; all but `rate` positive."""
    spread = volatility * sqrt(years)
    d1 = (log(spot / strike) + (rate + volatility * volatility / 2) * years) / spread
    d2 = d1 - spread
    return strike * exp(-rate * years) * _normal(-d2) - spot * _normal(-d1)


def _factors(years: float, *, parameters: Parameters) -> float:
    """(1 + base rate) × volatility multiplier × (1 + years × duration factor); none of them is the fee."""
    base = 1 + parameters.base_rate_ppm / PPM
    duration = 1 + years * parameters.duration_factor_ppm / PPM
    return base * (parameters.volatility_multiplier_ppm / PPM) * duration


def _normal(x: float) -> float:
    """The cumulative normal distribution; `erfc` keeps the digits of its tails."""
    return erfc(-x / sqrt(2)) / 2
