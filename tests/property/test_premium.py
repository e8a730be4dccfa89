"""Premium, tier and payout over all they may meet; the formula against QuantLib."""

import math
from itertools import product

import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.collateral import required_collateral
from registry.domain.parameters import Parameters
from registry.domain.premium import (
    GREATEST_VOLATILITY,
    black_scholes_put,
    collateral_rent,
    premium,
    premium_per_btc,
)
from registry.domain.prices import Prices
from registry.domain.settlement import PayoutRefused, payout
from registry.domain.tier import OutsideTiers, RiskTier, classify
from registry.domain.units import Sats, Token, Usd8
from registry.domain.volatility import LEAST_VOLATILITY

DEFAULTS = Parameters()
RATE = 0.02

dollars = st.floats(min_value=1.0, max_value=1e7)
volatilities = st.floats(min_value=LEAST_VOLATILITY, max_value=GREATEST_VOLATILITY)
years = st.floats(min_value=1 / 365, max_value=1.0)
usd8 = st.integers(min_value=10**6, max_value=10**16).map(Usd8)
days = st.integers(min_value=1, max_value=365)
amounts = st.integers(min_value=1_000_000, max_value=1_000_000_000).map(Sats)
tiers = st.sampled_from(RiskTier)
tokens = st.sampled_from(Token)
prices = st.builds(Prices, btc_usd=usd8, stx_usd=usd8)

GRID = list(
    product(
        (1.0, 50_000.0, 250_000.0),  # spot
        (0.1, 0.5, 0.7, 0.9, 0.99, 1.0, 1.01, 1.5, 3.0),  # strike over spot
        (0.05, 0.3, 0.6, 1.2, 3.0),  # volatility
        (1 / 365, 7 / 365, 30 / 365, 90 / 365, 1.0),
        (0.0, 0.02, 0.10),  # rate
    )
)


def quantlib_put(*, spot: float, strike: float, volatility: float, rate: float, years: float) -> float:
    forward, discount = spot * math.exp(rate * years), math.exp(-rate * years)
    value: float = QuantLib.blackFormula(QuantLib.Option.Put, strike, forward, volatility * math.sqrt(years), discount)
    return value


def test_the_formula_is_quantlibs_over_a_grid() -> None:
    for spot, moneyness, volatility, time, rate in GRID:
        terms = {"spot": spot, "strike": spot * moneyness, "volatility": volatility, "rate": rate, "years": time}
        assert black_scholes_put(**terms) == pytest.approx(quantlib_put(**terms), rel=1e-9, abs=spot * 1e-13)


def test_the_formula_is_quantlibs_engine_too() -> None:
    today = QuantLib.Date(1, 3, 2026)
    QuantLib.Settings.instance().evaluationDate = today
    counter = QuantLib.Actual365Fixed()
    spot = QuantLib.QuoteHandle(QuantLib.SimpleQuote(50_000.0))
    flat = QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, 0.02, counter))
    surface = QuantLib.BlackVolTermStructureHandle(
        QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), 0.6, counter)
    )
    option = QuantLib.VanillaOption(
        QuantLib.PlainVanillaPayoff(QuantLib.Option.Put, 45_000.0), QuantLib.EuropeanExercise(today + 30)
    )
    option.setPricingEngine(QuantLib.AnalyticEuropeanEngine(QuantLib.BlackScholesProcess(spot, flat, surface)))
    ours = black_scholes_put(spot=50_000.0, strike=45_000.0, volatility=0.6, rate=0.02, years=30 / 365)
    assert ours == pytest.approx(option.NPV(), rel=1e-12)


@given(spot=dollars, strike=dollars, volatility=volatilities, time=years)
def test_a_put_is_worth_at_least_its_discounted_fall_and_at_most_its_discounted_strike(
    *, spot: float, strike: float, volatility: float, time: float
) -> None:
    put = black_scholes_put(spot=spot, strike=strike, volatility=volatility, rate=RATE, years=time)
    discounted = strike * math.exp(-RATE * time)
    slack = 1e-12 * (spot + strike)
    assert max(discounted - spot, 0.0) - slack <= put <= discounted + slack


@given(spot=dollars, strike=dollars, volatility=volatilities, time=years)
def test_put_plus_spot_is_call_plus_discounted_strike(
    *, spot: float, strike: float, volatility: float, time: float
) -> None:
    put = black_scholes_put(spot=spot, strike=strike, volatility=volatility, rate=RATE, years=time)
    forward, discount = spot * math.exp(RATE * time), math.exp(-RATE * time)
    call = QuantLib.blackFormula(QuantLib.Option.Call, strike, forward, volatility * math.sqrt(time), discount)
    assert put + spot == pytest.approx(call + strike * discount, rel=1e-9)


@given(strike=usd8, spot=usd8, days=days, tier=tiers, lower=volatilities, higher=volatilities)
def test_a_wilder_market_is_never_cheaper(
    *, strike: Usd8, spot: Usd8, days: int, tier: RiskTier, lower: float, higher: float
) -> None:
    lower, higher = sorted((lower, higher))
    calm, wild = (
        premium_per_btc(strike=strike, spot=spot, days=days, tier=tier, volatility=volatility, parameters=DEFAULTS)
        for volatility in (lower, higher)
    )
    assert calm <= wild + slack(strike, spot)


@given(low=usd8, high=usd8, spot=usd8, days=days, tier=tiers, volatility=volatilities)
def test_a_higher_strike_is_never_cheaper(
    *, low: Usd8, high: Usd8, spot: Usd8, days: int, tier: RiskTier, volatility: float
) -> None:
    low, high = sorted((low, high))
    far, near = (
        premium_per_btc(strike=strike, spot=spot, days=days, tier=tier, volatility=volatility, parameters=DEFAULTS)
        for strike in (low, high)
    )
    assert far <= near + slack(high, spot)


@given(strike=usd8, spot=usd8, days=days, tier=tiers, volatility=volatilities)
def test_a_premium_is_never_below_the_rent_of_its_collateral(
    *, strike: Usd8, spot: Usd8, days: int, tier: RiskTier, volatility: float
) -> None:
    price = premium_per_btc(strike=strike, spot=spot, days=days, tier=tier, volatility=volatility, parameters=DEFAULTS)
    rent = collateral_rent(strike=strike, days=days, tier=tier, parameters=DEFAULTS)
    assert price >= rent > 0


@given(strike=usd8, amount=amounts, days=days, tier=tiers, token=tokens, volatility=volatilities, prices=prices)
def test_every_policy_costs_something_and_its_fee_is_less(
    *, strike: Usd8, amount: Sats, days: int, tier: RiskTier, token: Token, volatility: float, prices: Prices
) -> None:
    found = premium(
        strike=strike,
        amount=amount,
        days=days,
        tier=tier,
        token=token,
        volatility=volatility,
        prices=prices,
        parameters=DEFAULTS,
    )
    assert 0 <= found.fee < found.amount
    dollars_paid = found.amount * prices.divisor(token)
    assert dollars_paid - prices.divisor(token) < found.per_btc * amount <= dollars_paid


@given(strike=usd8, amount=amounts, tier=tiers, token=tokens, quoted=prices, later=prices)
def test_a_payout_never_passes_the_collateral(
    *, strike: Usd8, amount: Sats, tier: RiskTier, token: Token, quoted: Prices, later: Prices
) -> None:
    collateral = required_collateral(
        strike=strike, amount=amount, tier=tier, token=token, prices=quoted, parameters=DEFAULTS
    )
    try:
        found = payout(strike=strike, amount=amount, token=token, collateral=collateral, prices=later)
    except PayoutRefused:
        return
    assert later.btc_usd < strike
    assert 0 < found.amount <= collateral
    assert found.amount <= found.uncapped
    assert found.uncapped * later.divisor(token) <= (strike - later.btc_usd) * amount


@given(spot=usd8, permille=st.integers(1, 1_500), days=st.integers(-1, 400))
def test_a_strike_has_exactly_one_tier_or_a_refusal_that_would_take_its_own_ranges(
    *, spot: Usd8, permille: int, days: int
) -> None:
    strike = Usd8(spot * permille // 1_000)
    within = 70 * spot <= 100 * strike <= 100 * spot
    try:
        tier = classify(strike, spot=spot, days=days)
    except OutsideTiers as refused:
        accepted = refused.figures["accepted"]
        assert isinstance(accepted, list)
        for each in accepted:
            assert classify(each["strike_from"], spot=spot, days=each["days_to"])
            assert classify(each["strike_to"], spot=spot, days=each["days_to"])
        return
    assert tier in RiskTier
    assert within
    assert 1 <= days <= 90


def slack(strike: Usd8, spot: Usd8) -> int:
    """Neighbouring floats may swap by their last digits."""
    return 2 + (strike + spot) // 10**12
