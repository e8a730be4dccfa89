"""Bitstamp."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from registry.domain.closes import Close, finished_closes
from registry.domain.oracle import Observation
from registry.domain.prices import Pair
from registry.market.answer import Answer
from registry.market.http import Http
from registry.market.venue import symbol

MARKETS = {Pair.BTC_USD: "btcusd", Pair.USDT_USD: "usdtusd"}


@dataclass(frozen=True, slots=True)
class Bitstamp:
    """Does not list STX."""

    http: Http
    base_url: str = "https://www.bitstamp.net"

    name: ClassVar[str] = "bitstamp"
    pairs: ClassVar[frozenset[Pair]] = frozenset(MARKETS)

    def latest(self, pair: Pair) -> Observation:
        """The last trade; the time is the ticker's."""
        market = symbol(self.name, pair, symbols=MARKETS)
        answer = self.http.get(self.name, f"{self.base_url}/api/v2/ticker/{market}/")
        return Observation(
            venue=self.name,
            pair=pair,
            price=answer.field("last").price(),
            source_time=answer.field("timestamp").seconds(),
            fetched_at=answer.fetched_at,
        )

    def daily_closes(self, pair: Pair, *, count: int, today: date) -> list[Close]:
        """Up to 1 000 candles in one request, the last of them today's."""
        market = symbol(self.name, pair, symbols=MARKETS)
        span = {"step": "86400", "limit": str(count + 1)}
        answer = self.http.get(self.name, f"{self.base_url}/api/v2/ohlc/{market}/", params=span)
        rows = answer.field("data").field("ohlc").items()
        return finished_closes((_close(row) for row in rows), count=count, today=today)


def _close(row: Answer) -> Close:
    return row.field("close").close(row.field("timestamp").seconds())
