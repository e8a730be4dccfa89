"""Binance, which trades against USDT: its prices are converted, or left out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import ClassVar

from registry.domain.closes import Close, ClosesUnavailable, finished_closes
from registry.domain.oracle import Observation
from registry.domain.prices import Pair
from registry.domain.units import USD8, Usd8
from registry.market.answer import Answer
from registry.market.http import Http
from registry.market.venue import CandleVenue, VenueError, symbol

SYMBOLS = {Pair.BTC_USD: "BTCUSDT", Pair.STX_USD: "STXUSDT"}


@dataclass(frozen=True, slots=True)
class Binance:
    """`dollars` are the venues that are asked for USDT/USD, in turn; with none of them it has no vote."""

    http: Http
    dollars: Sequence[CandleVenue]
    base_url: str = "https://api.binance.com"

    name: ClassVar[str] = "binance"
    pairs: ClassVar[frozenset[Pair]] = frozenset(SYMBOLS)

    def without(self, venues: Collection[str]) -> "Binance":
        """The same, that asks none of these venues for USDT/USD."""
        return replace(self, dollars=[each for each in self.dollars if each.name not in venues])

    def latest(self, pair: Pair) -> Observation:
        """The last trade × USDT/USD, as old as the older of the two."""
        asked = symbol(self.name, pair, symbols=SYMBOLS)
        answer = self.http.get(self.name, f"{self.base_url}/api/v3/ticker/24hr", params={"symbol": asked})
        if answer.field("symbol").text() != asked:
            raise answer.field("symbol").fail(f"is not {asked}")
        price = answer.field("lastPrice").price()
        tether = self._tether()
        return Observation(
            venue=self.name,
            pair=pair,
            price=_in_dollars(price, tether.price),
            source_time=min(answer.field("closeTime").milliseconds(), tether.source_time),
            fetched_at=answer.fetched_at,
        )

    def daily_closes(self, pair: Pair, *, count: int, today: date) -> list[Close]:
        """Up to 1 000 candles in one request, the last of them today's; each × that day's USDT/USD."""
        asked = symbol(self.name, pair, symbols=SYMBOLS)
        span = {"symbol": asked, "interval": "1d", "limit": str(count + 1)}
        rows = self.http.get(self.name, f"{self.base_url}/api/v3/klines", params=span).items()
        closes = finished_closes((_close(row) for row in rows), count=count, today=today)
        tether = self._tether_closes(count=count, today=today)
        return [
            Close(day=close.day, price=_in_dollars(close.price, dollar.price))
            for close, dollar in zip(closes, tether, strict=True)
        ]

    def _tether(self) -> Observation:
        reasons = []
        for venue in self.dollars:
            try:
                return venue.latest(Pair.USDT_USD)
            except VenueError as error:
                reasons.append(f"{venue.name}: {error.figures['reason']}")
        raise self._no_tether(reasons)

    def _tether_closes(self, *, count: int, today: date) -> list[Close]:
        reasons = []
        for venue in self.dollars:
            try:
                return venue.daily_closes(Pair.USDT_USD, count=count, today=today)
            except (VenueError, ClosesUnavailable) as error:
                reasons.append(f"{venue.name}: {error.figures['reason']}")
        raise self._no_tether(reasons)

    def _no_tether(self, reasons: Sequence[str]) -> VenueError:
        told = "; ".join(reasons) or "no venue to ask"
        return VenueError(venue=self.name, reason=f"there is no USDT/USD to convert it by ({told})")


def _in_dollars(price: Usd8, tether: Usd8) -> Usd8:
    """USDT × 10^8 to USD × 10^8, half to even and at least one unit."""
    return Usd8(max(1, round(Fraction(price * tether, USD8))))


def _close(row: Answer) -> Close:
    """A row is open time, open, high, low, close, and more."""
    return row.item(4).close(row.item(0).milliseconds())
