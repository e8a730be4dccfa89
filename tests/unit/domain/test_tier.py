"""Which strike and duration belongs to which tier."""

from itertools import pairwise

import pytest

from registry.domain.errors import BadRequest
from registry.domain.tier import RANGES, OutsideTiers, RiskTier, classify
from registry.domain.units import Usd8

SPOT = Usd8(50_000 * 10**8)


def strike(percent: int, more: int = 0) -> Usd8:
    return Usd8(SPOT * percent // 100 + more)


@pytest.mark.parametrize(
    ("percent", "days", "tier"),
    [
        (70, 7, RiskTier.CONSERVATIVE),
        (75, 30, RiskTier.CONSERVATIVE),
        (80, 30, RiskTier.CONSERVATIVE),
        (80, 31, RiskTier.BALANCED),
        (85, 1, RiskTier.BALANCED),
        (90, 60, RiskTier.BALANCED),
        (90, 61, RiskTier.AGGRESSIVE),
        (100, 1, RiskTier.AGGRESSIVE),
        (100, 90, RiskTier.AGGRESSIVE),
    ],
)
def test_both_ends_belong_to_a_range_and_the_first_match_wins(percent: int, days: int, tier: RiskTier) -> None:
    assert classify(strike(percent), spot=SPOT, days=days) is tier


@pytest.mark.parametrize(
    ("protected", "days"),
    [
        (strike(70, -1), 7),  # one unit under the lowest
        (strike(100, 1), 7),  # one unit over the highest
        (strike(79), 31),  # too long for its strike
        (strike(81), 61),
        (strike(90, 1), 91),
        (strike(95), 365),  # nothing over 90 days is sold, whatever the duration parameter
        (strike(95), 0),
        (strike(95), -1),
        (Usd8(0), 30),
        (Usd8(-1), 30),
    ],
)
def test_anything_else_is_refused(protected: Usd8, days: int) -> None:
    with pytest.raises(OutsideTiers):
        classify(protected, spot=SPOT, days=days)


def test_one_unit_decides_between_two_tiers() -> None:
    assert classify(strike(80, 1), spot=SPOT, days=30) is RiskTier.BALANCED
    assert classify(strike(90, 1), spot=SPOT, days=30) is RiskTier.AGGRESSIVE


def test_a_spot_that_does_not_divide_is_compared_exactly() -> None:
    spot = Usd8(1_000_000_000_001)  # 80 % of it is 800 000 000 000.8
    assert classify(Usd8(800_000_000_000), spot=spot, days=30) is RiskTier.CONSERVATIVE
    assert classify(Usd8(800_000_000_001), spot=spot, days=30) is RiskTier.BALANCED


def test_a_refusal_carries_ranges_whose_every_corner_is_accepted() -> None:
    spot = Usd8(4_999_999_999_997)
    with pytest.raises(OutsideTiers) as refused:
        classify(Usd8(1), spot=spot, days=30)
    assert isinstance(refused.value, BadRequest)
    accepted = refused.value.figures["accepted"]
    assert isinstance(accepted, list)
    assert [each["tier"] for each in accepted] == ["Conservative", "Balanced", "Aggressive"]
    for each in accepted:
        for corner in (each["strike_from"], each["strike_to"]):
            assert classify(corner, spot=spot, days=each["days_to"])
    lowest, highest = accepted[0]["strike_from"], accepted[-1]["strike_to"]
    for outside in (lowest - 1, highest + 1):
        with pytest.raises(OutsideTiers):
            classify(Usd8(outside), spot=spot, days=7)


def test_a_refusal_says_the_figures() -> None:
    with pytest.raises(OutsideTiers) as refused:
        classify(strike(101), spot=SPOT, days=30)
    assert refused.value.figures["accepted"][0] == {  # type: ignore[index]
        "tier": "Conservative",
        "strike_from": 3_500_000_000_000,
        "strike_to": 4_000_000_000_000,
        "days_to": 30,
    }
    assert "a strike of 5050000000000 at a spot of 5000000000000 for 30 days" in str(refused.value)


def test_the_ranges_touch_and_leave_no_gap() -> None:
    for lower, upper in pairwise(RANGES):
        assert lower.to_percent == upper.from_percent
        assert lower.up_to_days < upper.up_to_days
