"""How much a tier may still lock."""

from dataclasses import replace

import pytest

from registry.domain.capacity import (
    Bound,
    OpenQuoteLimits,
    PoolUse,
    TierUse,
    TooManyOpenQuotes,
    check_open_quotes,
    check_room,
    room,
)
from registry.domain.errors import NoCapacity
from registry.domain.parameters import Parameters
from registry.domain.tier import RiskTier
from registry.domain.units import BaseUnits, Ppm, Principal, Token

DEFAULTS = Parameters()
NO_QUOTE_LIMIT = OpenQuoteLimits(tier_ppm=Ppm(1_000_000))
OWNER = Principal("ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM")


def pool(assets: int = 1_000_000, *, locked: int = 0, reserved: int = 0) -> PoolUse:
    return PoolUse(token=Token.STX, assets=BaseUnits(assets), locked=BaseUnits(locked), reserved=BaseUnits(reserved))


def tier(name: RiskTier = RiskTier.CONSERVATIVE, *, locked: int = 0, reserved: int = 0, unsigned: int = 0) -> TierUse:
    return TierUse(tier=name, locked=BaseUnits(locked), reserved=BaseUnits(reserved), unsigned=BaseUnits(unsigned))


@pytest.mark.parametrize(
    ("name", "free"),
    [(RiskTier.CONSERVATIVE, 320_000), (RiskTier.BALANCED, 280_000), (RiskTier.AGGRESSIVE, 200_000)],
)
def test_a_tier_uses_eighty_per_cent_of_its_share(name: RiskTier, free: int) -> None:
    found = room(pool(), tier(name), parameters=DEFAULTS, limits=NO_QUOTE_LIMIT)
    assert (found.free, found.bound) == (free, Bound.TIER)


def test_locks_and_reservations_both_take_from_the_tier() -> None:
    use = tier(locked=100_000, reserved=50_000)
    found = room(pool(locked=100_000, reserved=50_000), use, parameters=DEFAULTS, limits=NO_QUOTE_LIMIT)
    assert found.free == 170_000


def test_the_whole_never_passes_what_the_pool_has_unlocked_and_unreserved() -> None:
    found = room(pool(locked=900_000, reserved=60_000), tier(), parameters=DEFAULTS, limits=NO_QUOTE_LIMIT)
    assert (found.free, found.bound) == (40_000, Bound.POOL)


def test_unsigned_quotes_hold_a_quarter_of_a_tier_at_most() -> None:
    use = tier(reserved=30_000, unsigned=30_000)
    found = room(pool(reserved=30_000), use, parameters=DEFAULTS, limits=OpenQuoteLimits())
    assert (found.free, found.bound) == (70_000, Bound.OPEN_QUOTES)


def test_a_tier_over_its_limit_has_nothing_free_and_not_less() -> None:
    found = room(pool(), tier(reserved=400_000), parameters=DEFAULTS, limits=NO_QUOTE_LIMIT)
    assert found.free == 0


def test_an_empty_pool_has_nothing_free() -> None:
    assert room(pool(0), tier(), parameters=DEFAULTS, limits=OpenQuoteLimits()).free == 0


def test_an_exact_fit_fits_and_one_unit_more_does_not() -> None:
    def check(needed: int) -> None:
        check_room(BaseUnits(needed), pool=pool(), use=tier(), parameters=DEFAULTS, limits=NO_QUOTE_LIMIT)

    check(320_000)
    with pytest.raises(NoCapacity) as refused:
        check(320_001)
    assert refused.value.figures == {
        "tier": "Conservative",
        "token": "STX",
        "free": 320_000,
        "needed": 320_001,
        "bound": "tier",
    }
    assert "has 320000 STX base units free, this policy needs 320001" in str(refused.value)


def test_limits_are_rounded_down() -> None:
    parameters = replace(DEFAULTS, max_utilisation_ppm=Ppm(333_333))
    assert room(pool(10), tier(), parameters=parameters, limits=NO_QUOTE_LIMIT).free == 1  # 1.333…


def test_the_largest_pool_is_reckoned_exactly() -> None:
    found = room(pool(2**63 - 1), tier(), parameters=DEFAULTS, limits=NO_QUOTE_LIMIT)
    assert found.free == (2**63 - 1) * 32 // 100


def test_an_owner_holds_three_open_quotes_and_not_a_fourth() -> None:
    check_open_quotes(OWNER, unsigned=2, limits=OpenQuoteLimits())
    with pytest.raises(TooManyOpenQuotes, match="already holds 3 unsigned quotes, 3 are allowed"):
        check_open_quotes(OWNER, unsigned=3, limits=OpenQuoteLimits())
