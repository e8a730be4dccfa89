"""The venues that we know, by name."""

from collections.abc import Callable, Sequence
from datetime import datetime

from registry.domain.errors import BadRequest
from registry.market.binance import Binance
from registry.market.bitstamp import Bitstamp
from registry.market.coinbase import Coinbase
from registry.market.feed import Feed
from registry.market.http import Http, utc_now
from registry.market.kraken import Kraken
from registry.market.pyth import Pyth
from registry.market.venue import CandleVenue, Venue

NAMES = ("coinbase", "kraken", "bitstamp", "binance", "pyth")

ANSWERS_A_PRICE = 2
"""Whole answers that a venue has time for: one that trades in another coin asks for that coin's price too."""

ANSWERS_A_HISTORY = 5
"""Whole answers that all venues together have time for."""


def feed(
    names: Sequence[str] = NAMES,
    *,
    http: Http,
    venue_url: str | None = None,
    pyth_api_key: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Feed:
    """A feed of these venues; their order is the order of preference for the history.

    `venue_url` puts one server in the place of all of them: each is then at `{venue_url}/{name}`.
    """
    _check(names)
    exchanges: dict[str, CandleVenue] = {
        "coinbase": Coinbase(http, **_base("coinbase", venue_url)),
        "kraken": Kraken(http, **_base("kraken", venue_url)),
        "bitstamp": Bitstamp(http, **_base("bitstamp", venue_url)),
    }
    dollars = [exchanges[name] for name in names if name in exchanges]
    exchanges["binance"] = Binance(http, dollars, **_base("binance", venue_url))
    pyth = Pyth(http, api_key=pyth_api_key, **_base("pyth", venue_url))
    venues: dict[str, Venue] = {**exchanges, "pyth": pyth}
    return Feed(
        venues=[venues[name] for name in names],
        candle_venues=[exchanges[name] for name in names if name in exchanges],
        clock=clock,
        price_seconds=ANSWERS_A_PRICE * http.bounds.total_seconds,
        history_seconds=ANSWERS_A_HISTORY * http.bounds.total_seconds,
    )


def _check(names: Sequence[str]) -> None:
    for name in names:
        if name not in NAMES:
            raise BadRequest(field="venues", reason=f"{name!r} is none of {', '.join(NAMES)}")
        if names.count(name) > 1:
            raise BadRequest(field="venues", reason=f"{name} is named twice")


def _base(name: str, venue_url: str | None) -> dict[str, str]:
    return {} if venue_url is None else {"base_url": f"{venue_url.rstrip('/')}/{name}"}
