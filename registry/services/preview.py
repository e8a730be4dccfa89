"""Previews: what a policy would cost and pay at most by the newest prices that are kept. Nothing is written."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from registry.domain.capacity import OpenQuoteLimits
from registry.domain.errors import NoBlockYet
from registry.domain.prices import Pair, PriceUnavailable
from registry.domain.request import CreationRequest
from registry.domain.terms import check_sold, expiration_height
from registry.domain.units import BurnHeight
from registry.queries.instant import one_instant
from registry.queries.pool import pool_state
from registry.services import pricing
from registry.store import blocks, parameters, prices
from registry.store.session import Database
from registry.store.tables import PriceRow


def preview(database: Database, request: CreationRequest, *, limits: OpenQuoteLimits, now: datetime) -> dict[str, Any]:
    """Price a request as a quote of this moment would be, all of one instant of the database.

    Raises:
        PriceUnavailable, ClosesUnavailable: what is kept is too old to quote by; fetch, and ask again.
        NoBlockYet: no height is known to count from.
    """
    with one_instant(database) as session:
        _, in_force = parameters.current(session)
        check_sold(amount=request.amount, days=request.days, parameters=in_force)
        tip = blocks.tip(session)
        if tip is None:
            raise NoBlockYet
        newest = [_newest(session, pair) for pair in request.pairs]
        priced = pricing.price(session, request, newest, parameters=in_force, now=now)
        pool = pool_state(session, limits=limits)["tokens"][request.token.value]
    free = pool["tiers"][priced.tier.value]["free_base_units"]
    return {
        "premium_amount_base_units": priced.cost.amount,
        "premium_fee_amount_base_units": priced.cost.fee,
        "premium_token": request.token.value,
        "max_payout_base_units": priced.collateral,
        "risk_tier": priced.tier.value,
        "has_room": priced.collateral <= free,
        "free_base_units": free,
        "expiration_height": expiration_height(BurnHeight(tip.burn_height), days=request.days),
        "expiration_timestamp_estimate": (now + timedelta(days=request.days)).isoformat(),
        "pricing": priced.pricing,
    }


def _newest(session: Session, pair: Pair) -> PriceRow:
    row = prices.newest(session, pair)
    if row is None:
        raise PriceUnavailable(pair=pair.value, reason="none was fetched")
    return row
