"""The premium and the collateral of one policy."""

import math
from dataclasses import replace

import pytest

from registry.domain.collateral import required_collateral
from registry.domain.parameters import Parameters
from registry.domain.premium import (
    UnusableVolatility,
    black_scholes_put,
    collateral_rent,
    premium,
    premium_per_btc,
)
from registry.domain.prices import Prices, PriceUnavailable
from registry.domain.tier import RiskTier
from registry.domain.units import Ppm, Sats, Token, Usd8

DEFAULTS = Parameters()
SPOT = Usd8(50_000 * 10**8)
STRIKE = Usd8(45_000 * 10**8)
STX = Usd8(2 * 10**8)
BTC = Sats(10**8)


def per_btc(volatility: float = 0.6, strike: Usd8 = STRIKE, tier: RiskTier = RiskTier.BALANCED) -> Usd8:
    return premium_per_btc(strike=strike, spot=SPOT, days=30, tier=tier, volatility=volatility, parameters=DEFAULTS)


def priced(
    token: Token, *, amount: Sats = BTC, prices: Prices | None = None, parameters: Parameters = DEFAULTS
) -> tuple[int, int]:
    found = premium(
        strike=STRIKE,
        amount=amount,
        days=30,
        tier=RiskTier.BALANCED,
        token=token,
        volatility=0.6,
        prices=prices or Prices(btc_usd=SPOT, stx_usd=STX),
        parameters=parameters,
    )
    assert found.token is token
    return found.amount, found.fee


def test_the_check_value_before_the_factors() -> None:
    put = black_scholes_put(spot=50_000.0, strike=45_000.0, volatility=0.6, rate=0.02, years=30 / 365)
    assert put == pytest.approx(1323.79, abs=0.005)


def test_the_check_value_after_the_factors() -> None:
    assert per_btc() / 10**8 == pytest.approx(2087.96, abs=0.005)


def test_the_formula_becomes_an_integer_once_by_rounding_up() -> None:
    put = black_scholes_put(spot=50_000.0, strike=45_000.0, volatility=0.6, rate=0.02, years=30 / 365)
    exact = put * 1.01 * 1.5 * (1 + 30 / 365 * 0.5) * 10**8
    assert per_btc() == math.ceil(exact)
    assert type(per_btc()) is int


def test_a_far_strike_costs_the_rent_of_its_collateral() -> None:
    far = Usd8(35_000 * 10**8)
    rent = collateral_rent(strike=far, days=30, tier=RiskTier.CONSERVATIVE, parameters=DEFAULTS)
    assert rent == -(-35_000 * 10**8 * 11 * 5 * 30 // (10 * 100 * 365))  # 158.22 USD
    assert per_btc(0.01, far, RiskTier.CONSERVATIVE) == rent
    assert per_btc(1e-6, far, RiskTier.CONSERVATIVE) == rent


@pytest.mark.parametrize("volatility", [0.0, -0.0, -0.1, 5e-324, 9.9e-7, math.nan, math.inf, -math.inf, 100.1])
def test_a_volatility_that_prices_nothing_is_an_error_and_never_a_premium(volatility: float) -> None:
    with pytest.raises(UnusableVolatility) as refused:
        per_btc(volatility)
    assert refused.value.figures["volatility"] == str(volatility)  # JSON knows no NaN


def test_the_premium_in_sats_is_per_btc_times_amount_over_spot_rounded_up() -> None:
    amount = Sats(12_345_678)
    assert priced(Token.SBTC, amount=amount)[0] == math.ceil(per_btc() * amount / SPOT)
    assert (priced(Token.SBTC, amount=amount)[0] - 1) * SPOT < per_btc() * amount


def test_the_premium_in_micro_stx_is_its_dollars_over_the_stx_price_rounded_up() -> None:
    amount = Sats(12_345_678)
    numerator, denominator = per_btc() * amount * 10**6, 10**8 * STX
    assert priced(Token.STX, amount=amount)[0] == -(-numerator // denominator)


def test_the_fee_is_a_part_of_the_premium_rounded_down() -> None:
    for token in Token:
        total, fee = priced(token, amount=Sats(1_234_567))
        assert fee == total // 100


def test_without_a_fee_there_is_none() -> None:
    assert priced(Token.STX, parameters=replace(DEFAULTS, fee_ppm=Ppm(0)))[1] == 0


def test_a_policy_in_stx_needs_an_stx_price_and_one_in_sbtc_does_not() -> None:
    bitcoin_only = Prices(btc_usd=SPOT)
    assert priced(Token.SBTC, prices=bitcoin_only)
    with pytest.raises(PriceUnavailable, match="STX/USD"):
        priced(Token.STX, prices=bitcoin_only)


@pytest.mark.parametrize(("btc", "stx", "pair"), [(0, 1, "BTC/USD"), (-1, None, "BTC/USD"), (1, 0, "STX/USD")])
def test_a_price_that_is_not_positive_is_a_missing_price(btc: int, stx: int | None, pair: str) -> None:
    with pytest.raises(PriceUnavailable) as refused:
        Prices(btc_usd=Usd8(btc), stx_usd=None if stx is None else Usd8(stx))
    assert refused.value.figures["pair"] == pair


@pytest.mark.parametrize(
    ("tier", "token", "collateral"),
    [
        (RiskTier.CONSERVATIVE, Token.SBTC, 99_000_000),  # 45 000 × 1.1 / 50 000
        (RiskTier.BALANCED, Token.SBTC, 108_000_000),
        (RiskTier.AGGRESSIVE, Token.SBTC, 117_000_000),
        (RiskTier.CONSERVATIVE, Token.STX, 37_125_000_000),  # 45 000 × 1.1 × 1.5 / 2
        (RiskTier.BALANCED, Token.STX, 40_500_000_000),
        (RiskTier.AGGRESSIVE, Token.STX, 43_875_000_000),
    ],
)
def test_collateral_is_strike_times_amount_times_ratio_and_half_as_much_again_in_stx(
    tier: RiskTier, token: Token, collateral: int
) -> None:
    prices = Prices(btc_usd=SPOT, stx_usd=STX)
    found = required_collateral(strike=STRIKE, amount=BTC, tier=tier, token=token, prices=prices, parameters=DEFAULTS)
    assert found == collateral


def test_collateral_is_rounded_up_once() -> None:
    found = required_collateral(
        strike=Usd8(1),
        amount=Sats(1),
        tier=RiskTier.CONSERVATIVE,
        token=Token.STX,
        prices=Prices(btc_usd=SPOT, stx_usd=STX),
        parameters=DEFAULTS,
    )
    assert found == 1


def test_products_over_64_bits_stay_exact() -> None:
    huge = Usd8(10**17 + 1)
    found = required_collateral(
        strike=huge,
        amount=Sats(10**13 + 1),
        tier=RiskTier.BALANCED,
        token=Token.SBTC,
        prices=Prices(btc_usd=Usd8(10**17)),
        parameters=DEFAULTS,
    )
    assert found == -(-(10**17 + 1) * (10**13 + 1) * 12 // 10**18)
