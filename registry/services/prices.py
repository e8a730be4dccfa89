"""Prices: fetched from the venues, agreed on, kept with everything they came from."""

from collections.abc import Sequence
from datetime import date

from registry.domain.parameters import Parameters
from registry.domain.prices import Pair
from registry.domain.volatility import WINDOWS
from registry.market.feed import Feed, History
from registry.store import parameters, prices
from registry.store.session import Database, unit_of_work

CLOSES = max(WINDOWS) + 1


def fetch(database: Database, feed: Feed, pairs: Sequence[Pair]) -> list[int]:
    """Agree on a price for each pair and keep it; answer the rows' ids in the order of the pairs.

    The closes of finished days are fetched along when yesterday's is not kept yet.
    """
    now = feed.clock()
    with unit_of_work(database) as session:
        _, in_force = parameters.current(session)
        has_closes = prices.has_closes(session, Pair.BTC_USD, today=now.date(), count=CLOSES)
    agreed = [feed.price(pair, parameters=in_force) for pair in pairs]
    history = None if has_closes else _history(feed, today=now.date(), parameters=in_force)
    with unit_of_work(database) as session:
        if history is not None:
            prices.add_closes(session, Pair.BTC_USD, history.closes, venue=history.venue)
        return [prices.add(session, each) for each in agreed]


def _history(feed: Feed, *, today: date, parameters: Parameters) -> History:
    return feed.history(
        Pair.BTC_USD,
        count=CLOSES,
        today=today,
        tolerance=parameters.max_price_deviation_ppm,
        off=parameters.venues_off,
    )
