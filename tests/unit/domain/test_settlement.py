"""What a policy pays at a price."""

import pytest

from registry.domain.collateral import required_collateral
from registry.domain.errors import Refusal
from registry.domain.parameters import Parameters
from registry.domain.prices import Prices, PriceUnavailable
from registry.domain.settlement import BelowMinimum, NothingToPay, NotInTheMoney, Payout, PayoutRefused, payout
from registry.domain.tier import RANGES, TierRange
from registry.domain.units import BaseUnits, Sats, Token, Usd8

STRIKE = Usd8(45_000 * 10**8)
PLENTY = BaseUnits(10**15)


def owed(
    price: int,
    *,
    token: Token = Token.SBTC,
    amount: int = 10**8,
    stx: int = 2 * 10**8,
    collateral: BaseUnits = PLENTY,
    min_payout: int | None = None,
) -> Payout:
    return payout(
        strike=STRIKE,
        amount=Sats(amount),
        token=token,
        collateral=collateral,
        prices=Prices(btc_usd=Usd8(price), stx_usd=Usd8(stx)),
        min_payout=None if min_payout is None else BaseUnits(min_payout),
    )


@pytest.mark.parametrize("price", [STRIKE, STRIKE + 1, 2 * STRIKE])
def test_the_strike_itself_is_out_of_the_money(price: int) -> None:
    with pytest.raises(NotInTheMoney) as refused:
        owed(price)
    assert refused.value.figures == {"price": price, "strike": STRIKE}


def test_one_unit_below_the_strike_is_in_the_money() -> None:
    amount = 45_000 * 10**8  # enough for one unit of price to be one satoshi
    assert owed(STRIKE - 1, amount=amount).amount == 1


def test_the_payout_in_sats_is_the_fall_times_the_amount_over_the_price() -> None:
    assert owed(40_000 * 10**8).amount == 12_500_000  # 5 000 USD at 40 000


def test_the_payout_in_micro_stx_is_the_fall_in_dollars_over_the_stx_price() -> None:
    assert owed(40_000 * 10**8, token=Token.STX).amount == 2_500_000_000  # 5 000 USD at 2


def test_a_payout_is_rounded_down() -> None:
    price = 40_000 * 10**8 + 1
    numerator = (STRIKE - price) * 33_333_333
    assert owed(price, amount=33_333_333).amount == numerator // price
    assert numerator % price > 0


def test_a_payout_that_rounds_to_nothing_is_refused() -> None:
    with pytest.raises(NothingToPay, match="less than one base unit of sBTC"):
        owed(STRIKE - 1, amount=10**8)


def test_a_payout_never_passes_the_collateral_and_says_so() -> None:
    found = owed(40_000 * 10**8, collateral=BaseUnits(12_499_999))
    assert (found.amount, found.uncapped, found.capped) == (12_499_999, 12_500_000, True)


def test_a_payout_of_exactly_the_collateral_is_not_capped() -> None:
    assert not owed(40_000 * 10**8, collateral=BaseUnits(12_500_000)).capped


@pytest.mark.parametrize("token", Token)
@pytest.mark.parametrize("offer", RANGES, ids=lambda offer: offer.tier.value)
def test_the_collateral_covers_a_fall_to_well_under_half_of_spot(offer: TierRange, token: Token) -> None:
    spot = 50_000 * 10**8
    strike = Usd8(spot * offer.to_percent // 100)
    quoted = Prices(btc_usd=Usd8(spot), stx_usd=Usd8(2 * 10**8))
    fallen = Prices(btc_usd=Usd8(spot * 44 // 100), stx_usd=Usd8(2 * 10**8 * 44 // 100))
    collateral = required_collateral(
        strike=strike,
        amount=Sats(10**8),
        tier=offer.tier,
        token=token,
        prices=quoted,
        parameters=Parameters(),
    )
    found = payout(strike=strike, amount=Sats(10**8), token=token, collateral=collateral, prices=fallen)
    assert not found.capped


def test_without_collateral_nothing_is_paid() -> None:
    with pytest.raises(NothingToPay):
        owed(40_000 * 10**8, collateral=BaseUnits(0))


def test_the_least_payout_asked_for_is_enough() -> None:
    assert owed(40_000 * 10**8, min_payout=12_500_000).amount == 12_500_000


def test_less_than_the_least_payout_asked_for_is_refused_with_both_figures() -> None:
    with pytest.raises(BelowMinimum) as refused:
        owed(40_000 * 10**8, min_payout=12_500_001)
    assert refused.value.figures == {"payout": 12_500_000, "token": "sBTC", "min_payout": 12_500_001}


def test_the_least_payout_is_compared_with_what_is_really_paid() -> None:
    with pytest.raises(BelowMinimum):
        owed(40_000 * 10**8, collateral=BaseUnits(1_000), min_payout=1_001)


def test_every_reason_to_pay_nothing_is_a_refusal_of_its_own_code() -> None:
    codes = {each.code for each in (NotInTheMoney, NothingToPay, BelowMinimum)}
    assert len(codes) == 3
    assert issubclass(PayoutRefused, Refusal)


def test_a_missing_price_is_no_reason_to_refuse_the_owner() -> None:
    prices = Prices(btc_usd=Usd8(40_000 * 10**8))
    with pytest.raises(PriceUnavailable):
        payout(strike=STRIKE, amount=Sats(10**8), token=Token.STX, collateral=PLENTY, prices=prices)
