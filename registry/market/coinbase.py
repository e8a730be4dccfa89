"""Coinbase Exchange."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

from registry.domain.closes import Close, finished_closes
from registry.domain.oracle import Observation
from registry.domain.prices import Pair
from registry.market.answer import Answer
from registry.market.http import Http
from registry.market.venue import symbol

PRODUCTS = {Pair.BTC_USD: "BTC-USD", Pair.STX_USD: "STX-USD", Pair.USDT_USD: "USDT-USD"}
MOST_CANDLES = 300
"""A request for more is refused."""


@dataclass(frozen=True, slots=True)
class Coinbase:
    """The exchange's own API; the retail one gives no time."""

    http: Http
    base_url: str = "https://api.exchange.coinbase.com"

    name: ClassVar[str] = "coinbase"
    pairs: ClassVar[frozenset[Pair]] = frozenset(PRODUCTS)

    def latest(self, pair: Pair) -> Observation:
        """The last trade, with its time."""
        product = symbol(self.name, pair, symbols=PRODUCTS)
        answer = self.http.get(self.name, f"{self.base_url}/products/{product}/ticker")
        return Observation(
            venue=self.name,
            pair=pair,
            price=answer.field("price").price(),
            source_time=answer.field("time").iso_time(),
            fetched_at=answer.fetched_at,
        )

    def daily_closes(self, pair: Pair, *, count: int, today: date) -> list[Close]:
        """Candles in as many requests as they need."""
        product = symbol(self.name, pair, symbols=PRODUCTS)
        closes: list[Close] = []
        for back in range(count, 0, -MOST_CANDLES):
            first = today - timedelta(days=back)
            last = min(first + timedelta(days=MOST_CANDLES), today) - timedelta(days=1)
            closes += [_close(row) for row in self._candles(product, first=first, last=last).items()]
        return finished_closes(closes, count=count, today=today)

    def _candles(self, product: str, *, first: date, last: date) -> Answer:
        """The candles of these days, both included."""
        span = {"granularity": "86400", "start": f"{first}T00:00:00Z", "end": f"{last}T00:00:00Z"}
        return self.http.get(self.name, f"{self.base_url}/products/{product}/candles", params=span)


def _close(row: Answer) -> Close:
    """A row is time, low, high, open, close, volume."""
    return row.item(4).close(row.item(0).seconds())
