"""What a transaction pays first, and what takes its place pays."""

from hypothesis import given
from hypothesis import strategies as st

from registry.domain.fees import Fees
from registry.domain.units import MicroStx

FEES = Fees(floor=MicroStx(10_000), ceiling=MicroStx(100_000))
amounts = st.integers(min_value=0, max_value=10**12).map(MicroStx)


@given(estimate=amounts | st.none(), size=st.integers(min_value=1, max_value=4_000))
def test_the_first_fee_is_the_estimate_within_bounds(estimate: MicroStx | None, size: int) -> None:
    fee = FEES.first(estimate=estimate, size=size)
    assert FEES.floor <= fee <= FEES.ceiling
    if estimate is not None and FEES.floor <= estimate <= FEES.ceiling:
        assert fee == estimate


def test_no_fee_is_under_a_micro_stx_for_each_byte() -> None:
    cheap = Fees(floor=MicroStx(200), ceiling=MicroStx(1_000))
    assert cheap.first(estimate=None, size=180) == 200
    assert cheap.first(estimate=MicroStx(900), size=950) == 950
    assert cheap.first(estimate=None, size=3_600) == 3_600


def test_a_raise_is_a_quarter_and_at_least_one_up_to_the_ceiling() -> None:
    assert FEES.raised(MicroStx(10_000)) == 12_500
    assert FEES.raised(MicroStx(10_001)) == 12_502
    assert FEES.raised(MicroStx(1)) == 2
    assert FEES.raised(MicroStx(99_999)) == 100_000
    assert FEES.raised(MicroStx(100_000)) is None


@given(fee=st.integers(min_value=1, max_value=10**7).map(MicroStx))
def test_what_replaces_pays_strictly_more_even_at_the_ceiling(fee: MicroStx) -> None:
    raised = FEES.raised(fee)
    assert FEES.above(fee) > fee
    assert raised is None or fee < raised <= FEES.ceiling


def test_the_ceiling_is_reached_in_a_few_raises() -> None:
    fee, raises = FEES.floor, 0
    while (dearer := FEES.raised(fee)) is not None:
        fee, raises = dearer, raises + 1
    assert (fee, raises) == (FEES.ceiling, 11)
