"""The audit computes a payout by itself, and comes to what the settlement's formula comes to."""

from hypothesis import given
from hypothesis import strategies as st

from registry.domain.prices import Prices
from registry.domain.settlement import PayoutRefused, payout
from registry.domain.units import BaseUnits, Sats, Token, Usd8
from workers.audit.money import BTC, STX, owed
from workers.audit.records import Pinned

usd8 = st.integers(min_value=1, max_value=10**16).map(Usd8)
base_units = st.integers(min_value=1, max_value=10**12).map(BaseUnits)


@given(
    strike=usd8,
    amount=st.integers(min_value=1, max_value=10**9).map(Sats),
    collateral=base_units,
    prices=st.builds(Prices, btc_usd=usd8, stx_usd=usd8),
    token=st.sampled_from(Token),
)
def test_the_audits_amount_is_the_formulas_capped_or_not(
    *, strike: Usd8, amount: Sats, collateral: BaseUnits, prices: Prices, token: Token
) -> None:
    kept = {BTC: int(prices.btc_usd), STX: int(prices.stx_usd or 0)}
    pinned = Pinned(amount=0, token=token, capped=False, said={}, kept=kept)
    formula = owed(pinned, strike=strike, amount=amount)
    try:
        ours = payout(strike=strike, amount=amount, token=token, collateral=collateral, prices=prices)
    except PayoutRefused:
        assert formula <= 0
        return
    assert (ours.uncapped, ours.amount) == (formula, min(formula, collateral))
