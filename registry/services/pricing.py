"""Pricing: what a request costs and what it may pay at most, by prices that were kept. Quotes and previews share it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from registry.domain.collateral import required_collateral
from registry.domain.oracle import require_fresh
from registry.domain.parameters import Parameters
from registry.domain.premium import FORMULA_VERSION, Premium, premium
from registry.domain.prices import Pair
from registry.domain.request import CreationRequest
from registry.domain.tier import RiskTier, classify
from registry.domain.units import BaseUnits
from registry.domain.volatility import annualised_volatility, closes_needed
from registry.store import prices
from registry.store.tables import PriceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A request at some prices; `pricing` is everything that the figures came from, as a policy's record keeps it."""

    cost: Premium
    collateral: BaseUnits
    tier: RiskTier
    pricing: dict[str, Any]


def price(
    session: Session, request: CreationRequest, fetched: Sequence[PriceRow], *, parameters: Parameters, now: datetime
) -> Priced:
    """Price a request by these aggregates, which must be fresh, and by the closes that are kept."""
    require_all_fresh(fetched, parameters, now=now)
    market = prices.as_prices(fetched)
    tier = classify(request.strike, spot=market.btc_usd, days=request.days)
    closes = prices.closes(session, Pair.BTC_USD, count=closes_needed(request.days), today=now.date())
    volatility = annualised_volatility(closes, days=request.days, today=now.date())
    cost = premium(
        strike=request.strike,
        amount=request.amount,
        days=request.days,
        tier=tier,
        token=request.token,
        volatility=volatility,
        prices=market,
        parameters=parameters,
    )
    collateral = required_collateral(
        strike=request.strike,
        amount=request.amount,
        tier=tier,
        token=request.token,
        prices=market,
        parameters=parameters,
    )
    pricing = {
        "premium_per_btc": cost.per_btc,
        "volatility": repr(volatility),
        "formula_version": FORMULA_VERSION,
        "prices": [prices.snapshot(each) for each in fetched],
    }
    return Priced(cost=cost, collateral=collateral, tier=tier, pricing=pricing)


def require_all_fresh(fetched: Sequence[PriceRow], parameters: Parameters, *, now: datetime) -> None:
    """Raise `PriceUnavailable` for the first that has grown too old to quote by."""
    for each in fetched:
        require_fresh(Pair(each.pair), observed_at=each.observed_at, now=now, parameters=parameters)
