"""Pyth, by Hermes."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

from registry.domain.oracle import Observation
from registry.domain.prices import Pair
from registry.domain.units import PPM, Ppm
from registry.market.answer import Answer
from registry.market.http import Http
from registry.market.venue import symbol

FEEDS = {
    Pair.BTC_USD: "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43",
    Pair.STX_USD: "ec7a775f46379b5e943c3526b1c8d54cd49749176b0b98e02dde68d1bd335c17",
}
LEAST_EXPONENT = -30
WIDEST_CONFIDENCE = Ppm(5_000)
"""Of the price: a wider interval says that the publishers do not agree."""


@dataclass(frozen=True, slots=True)
class Pyth:
    """An aggregate of publishers with a confidence interval, which must be narrow; has no candles."""

    http: Http
    base_url: str = "https://pyth.dourolabs.app/hermes"
    api_key: str | None = field(default=None, repr=False)

    name: ClassVar[str] = "pyth"
    pairs: ClassVar[frozenset[Pair]] = frozenset(FEEDS)

    def latest(self, pair: Pair) -> Observation:
        """The newest update of the pair's feed."""
        feed = symbol(self.name, pair, symbols=FEEDS)
        answer = self.http.get(
            self.name,
            f"{self.base_url}/v2/updates/price/latest",
            params={"ids[]": feed, "parsed": "true"},
            headers={"Authorization": f"Bearer {self.api_key}"} if self.api_key else None,
        )
        update = answer.field("parsed").item(0)
        if update.field("id").text().removeprefix("0x").lower() != feed:
            raise update.field("id").fail(f"is not the feed of {pair.value}")
        return self._observation(pair, update.field("price"))

    def _observation(self, pair: Pair, quote: Answer) -> Observation:
        """Price and confidence are whole numbers × 10^expo."""
        price, confidence = quote.field("price"), quote.field("conf")
        whole, spread, exponent = price.integer(), confidence.integer(), quote.field("expo").integer()
        if not LEAST_EXPONENT <= exponent <= 0:
            raise quote.field("expo").fail(f"is {exponent}")
        if not 0 <= spread * PPM <= whole * WIDEST_CONFIDENCE:
            raise confidence.fail(f"is {spread} for a price of {whole}, over {WIDEST_CONFIDENCE} ppm of it")
        return Observation(
            venue=self.name,
            pair=pair,
            price=price.price_of(Decimal(whole).scaleb(exponent)),
            source_time=quote.field("publish_time").seconds(),
            fetched_at=quote.fetched_at,
        )
