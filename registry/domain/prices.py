"""Prices: what a policy's dollars are worth in the token that it is paid in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from registry.domain.errors import Unavailable
from registry.domain.units import MICRO_PER_STX, SATS_PER_BTC, Token, Usd8


class Pair(StrEnum):
    """What is priced. USDT/USD only converts the quotes of venues that trade against USDT."""

    BTC_USD = "BTC/USD"
    STX_USD = "STX/USD"
    USDT_USD = "USDT/USD"


class PriceUnavailable(Unavailable):
    """There is no price to decide by; `venues` says what each venue failed by, where venues were asked."""

    code = "price_unavailable"
    sentence: ClassVar[str] = "there is no usable {pair} price: {reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices that one decision is made by, all positive. 1 sBTC counts as 1 BTC."""

    btc_usd: Usd8
    stx_usd: Usd8 | None = None

    def __post_init__(self) -> None:
        """Refuse what nothing can be divided by."""
        for pair, price in ((Pair.BTC_USD, self.btc_usd), (Pair.STX_USD, self.stx_usd)):
            if price is not None and price <= 0:
                raise PriceUnavailable(pair=pair.value, reason=f"{price} is not positive")

    def divisor(self, token: Token) -> int:
        """What (USD × 10^8 per BTC) × sats is divided by to give base units of `token`, exactly.

        For STX that is 10^8 × STX/USD ÷ 10^6, which is whole.
        """
        if token is Token.SBTC:
            return self.btc_usd
        if self.stx_usd is None:
            raise PriceUnavailable(pair=Pair.STX_USD.value, reason="none was fetched")
        return SATS_PER_BTC // MICRO_PER_STX * self.stx_usd
