"""Kraken."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from registry.domain.closes import Close, finished_closes
from registry.domain.oracle import Observation
from registry.domain.prices import Pair
from registry.market.answer import Answer
from registry.market.http import Http
from registry.market.venue import symbol

PAIRS = {Pair.BTC_USD: "XBTUSD", Pair.STX_USD: "STXUSD", Pair.USDT_USD: "USDTUSD"}
BASES = {Pair.BTC_USD: "XBT", Pair.STX_USD: "STX", Pair.USDT_USD: "USDT"}


@dataclass(frozen=True, slots=True)
class Kraken:
    """Fails with status 200 and a list of errors; its ticker has no time, so that of the fetch counts."""

    http: Http
    base_url: str = "https://api.kraken.com"

    name: ClassVar[str] = "kraken"
    pairs: ClassVar[frozenset[Pair]] = frozenset(PAIRS)

    def latest(self, pair: Pair) -> Observation:
        """The last trade."""
        result = self._result("Ticker", pair, {})
        last = _of_pair(result, pair).field("c").item(0)
        return Observation(
            venue=self.name,
            pair=pair,
            price=last.price(),
            source_time=result.fetched_at,
            fetched_at=result.fetched_at,
        )

    def daily_closes(self, pair: Pair, *, count: int, today: date) -> list[Close]:
        """Up to 720 candles in one request; `last` beside them is a cursor."""
        rows = _of_pair(self._result("OHLC", pair, {"interval": "1440"}), pair)
        return finished_closes((_close(row) for row in rows.items()), count=count, today=today)

    def _result(self, method: str, pair: Pair, params: Mapping[str, str]) -> Answer:
        asked = symbol(self.name, pair, symbols=PAIRS)
        answer = self.http.get(self.name, f"{self.base_url}/0/public/{method}", params={"pair": asked, **params})
        errors = [each.text() for each in answer.field("error").items()]
        if errors:
            raise answer.fail(f"is an error: {', '.join(errors)[:200]}")
        return answer.field("result")


def _of_pair(result: Answer, pair: Pair) -> Answer:
    """The only entry: Kraken answers XXBTZUSD when asked for XBTUSD."""
    key, found = result.only_field(beside="last")
    if not (BASES[pair] in key and key.endswith("USD")):
        raise found.fail(f"is not {pair.value}")
    return found


def _close(row: Answer) -> Close:
    """A row is time, open, high, low, close, vwap, volume, count."""
    return row.item(4).close(row.item(0).seconds())
