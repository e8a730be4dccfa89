"""The collateral of a policy: the most that it can ever pay, locked at the purchase and never topped up."""

from registry.domain.parameters import Parameters
from registry.domain.prices import Prices
from registry.domain.tier import RiskTier
from registry.domain.units import PPM, BaseUnits, Sats, Token, Usd8, ceil_div


def required_collateral(
    *,
    strike: Usd8,
    amount: Sats,
    tier: RiskTier,
    token: Token,
    prices: Prices,
    parameters: Parameters,
) -> BaseUnits:
    """Strike × amount at the quote's prices × the tier's ratio (× the factor for STX), ceiled once."""
    factor = parameters.stx_collateral_factor_ppm if token is Token.STX else PPM
    scaled = strike * amount * parameters.collateral_ratio(tier) * factor
    return BaseUnits(ceil_div(scaled, prices.divisor(token) * PPM * PPM))
