"""The settlement of a policy: what is owed at a price, or why nothing is."""

from dataclasses import dataclass
from typing import ClassVar

from registry.domain.errors import Refusal
from registry.domain.prices import Prices
from registry.domain.units import BaseUnits, Sats, Token, Usd8, floor_div

FORMULA_VERSION = 1
"""Pinned with each settlement; raised by whoever changes what a payout comes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """What is owed, positive and never over the collateral; `uncapped` is what the formula alone gives."""

    token: Token
    amount: BaseUnits
    uncapped: BaseUnits

    @property
    def capped(self) -> bool:
        """Whether the collateral was less than the formula's amount; the event says so."""
        return self.amount < self.uncapped


class PayoutRefused(Refusal):
    """Nothing is owed at this price; the policy stays Active."""

    code = "payout_refused"
    remedy: ClassVar[str] = "ask again while the price is further below the strike"


class NotInTheMoney(PayoutRefused):
    """The price is not strictly below the strike."""

    code = "not_in_the_money"
    sentence: ClassVar[str] = "the price {price} is not below the strike {strike}"


class NothingToPay(PayoutRefused):
    """The payout rounds down to nothing."""

    code = "nothing_to_pay"
    sentence: ClassVar[str] = "at the price {price} the payout is less than one base unit of {token}"


class BelowMinimum(PayoutRefused):
    """The owner named a least payout, and this is less."""

    code = "below_minimum"
    sentence: ClassVar[str] = "the payout would be {payout} base units of {token}, less than the {min_payout} asked for"
    remedy: ClassVar[str] = "name a lower min_payout, or ask again at another price"


def payout(
    *,
    strike: Usd8,
    amount: Sats,
    token: Token,
    collateral: BaseUnits,
    prices: Prices,
    min_payout: BaseUnits | None = None,
) -> Payout:
    """Decide what is owed at these prices, floored and capped, or raise the `PayoutRefused` that says why."""
    if prices.btc_usd >= strike:
        raise NotInTheMoney(price=prices.btc_usd, strike=strike)
    uncapped = floor_div((strike - prices.btc_usd) * amount, prices.divisor(token))
    owed = min(uncapped, collateral)
    if owed <= 0:
        raise NothingToPay(price=prices.btc_usd, token=token.value)
    if min_payout is not None and owed < min_payout:
        raise BelowMinimum(payout=owed, token=token.value, min_payout=min_payout)
    return Payout(token=token, amount=BaseUnits(owed), uncapped=BaseUnits(uncapped))
