"""The versioned parameters and the terms that they allow."""

from dataclasses import fields, replace
from typing import Any

import pytest

from registry.domain.errors import BadRequest
from registry.domain.parameters import Parameters
from registry.domain.prices import Pair
from registry.domain.terms import SwitchedOff, check_sold, expiration_height, valid_until_height
from registry.domain.tier import RiskTier
from registry.domain.units import BurnHeight, Sats

DEFAULTS = Parameters()


def test_the_defaults_are_what_is_sold_today() -> None:
    assert DEFAULTS.to_json() == {
        "min_duration_days": 7,
        "max_duration_days": 365,
        "min_amount_sats": 1_000_000,
        "max_amount_sats": 1_000_000_000,
        "quote_valid_blocks": 2,
        "creation_enabled": True,
        "activation_enabled": True,
        "fee_ppm": 10_000,
        "base_rate_ppm": 10_000,
        "volatility_multiplier_ppm": 1_500_000,
        "duration_factor_ppm": 500_000,
        "risk_free_rate_ppm": 20_000,
        "min_premium_rate_ppm": 50_000,
        "conservative_collateral_ppm": 1_100_000,
        "balanced_collateral_ppm": 1_200_000,
        "aggressive_collateral_ppm": 1_300_000,
        "stx_collateral_factor_ppm": 1_500_000,
        "conservative_share_ppm": 400_000,
        "balanced_share_ppm": 350_000,
        "aggressive_share_ppm": 250_000,
        "max_utilisation_ppm": 800_000,
        "price_max_age_seconds": 60,
        "max_price_deviation_ppm": 20_000,
        "min_sources_btc_usd": 3,
        "min_sources_stx_usd": 2,
        "venue_coinbase_enabled": True,
        "venue_kraken_enabled": True,
        "venue_bitstamp_enabled": True,
        "venue_binance_enabled": True,
        "venue_pyth_enabled": True,
    }


def test_a_set_survives_its_json() -> None:
    changed = replace(DEFAULTS, quote_valid_blocks=30, creation_enabled=False)
    assert Parameters.from_json(changed.to_json()) == changed


@pytest.mark.parametrize("name", [each.name for each in fields(Parameters) if not each.name.startswith("venue_")])
def test_every_parameter_must_be_named(name: str) -> None:
    incomplete = {key: value for key, value in DEFAULTS.to_json().items() if key != name}
    with pytest.raises(BadRequest, match=f"{name} is not usable: it is missing"):
        Parameters.from_json(incomplete)


@pytest.mark.parametrize("venue", ["coinbase", "kraken", "bitstamp", "binance", "pyth"])
def test_a_venue_is_on_unless_a_set_switches_it_off(venue: str) -> None:
    switch = f"venue_{venue}_enabled"
    before_there_were_switches = {key: value for key, value in DEFAULTS.to_json().items() if key != switch}
    assert Parameters.from_json(before_there_were_switches) == DEFAULTS
    assert DEFAULTS.venues_off == frozenset()
    assert Parameters.from_json({**before_there_were_switches, switch: False}).venues_off == {venue}


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(BadRequest, match="there is no such parameter"):
        Parameters.from_json({**DEFAULTS.to_json(), "discount_ppm": 1})


@pytest.mark.parametrize("name", [each.name for each in fields(Parameters)])
@pytest.mark.parametrize("value", [None, "1", 1.5, -1, 10**12, [1]])
def test_a_value_of_another_type_or_range_is_refused(name: str, value: object) -> None:
    if (name, value) == ("max_amount_sats", 10**12):
        assert Parameters.from_json({**DEFAULTS.to_json(), name: value}).max_amount_sats == 10**12
        return
    with pytest.raises(BadRequest, match=r"_(days|sats|blocks|enabled|ppm|seconds|usd) is not usable"):
        Parameters.from_json({**DEFAULTS.to_json(), name: value})


@pytest.mark.parametrize(("name", "value"), [("creation_enabled", 1), ("fee_ppm", True), ("quote_valid_blocks", False)])
def test_a_switch_is_no_number_and_a_number_no_switch(name: str, value: object) -> None:
    with pytest.raises(BadRequest, match=f"{name} is not usable"):
        Parameters.from_json({**DEFAULTS.to_json(), name: value})


@pytest.mark.parametrize(
    "change",
    [
        {"min_duration_days": 30, "max_duration_days": 29},
        {"min_amount_sats": 2_000_000, "max_amount_sats": 1_999_999},
        {"conservative_share_ppm": 400_001},
        {"fee_ppm": 1_000_000},
        {"aggressive_collateral_ppm": 999_999},
    ],
)
def test_a_set_that_contradicts_itself_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        replace(DEFAULTS, **change)


def test_every_tier_has_its_ratio_and_share() -> None:
    assert [DEFAULTS.collateral_ratio(tier) for tier in RiskTier] == [1_100_000, 1_200_000, 1_300_000]
    assert [DEFAULTS.share(tier) for tier in RiskTier] == [400_000, 350_000, 250_000]


def test_a_pair_that_only_converts_has_no_least_number_of_sources() -> None:
    assert DEFAULTS.min_sources(Pair.BTC_USD) == 3
    assert DEFAULTS.min_sources(Pair.STX_USD) == 2
    with pytest.raises(KeyError):
        DEFAULTS.min_sources(Pair.USDT_USD)


@pytest.mark.parametrize(("amount", "days"), [(1_000_000, 7), (1_000_000_000, 365), (5_000_000, 30)])
def test_both_ends_of_amount_and_duration_are_sold(amount: int, days: int) -> None:
    check_sold(amount=Sats(amount), days=days, parameters=DEFAULTS)


@pytest.mark.parametrize(
    ("amount", "days", "field"),
    [
        (999_999, 30, "protected_amount_sats"),
        (1_000_000_001, 30, "protected_amount_sats"),
        (0, 30, "protected_amount_sats"),
        (-1, 30, "protected_amount_sats"),
        (1_000_000, 6, "duration_days"),
        (1_000_000, 366, "duration_days"),
    ],
)
def test_outside_its_ends_nothing_is_sold(amount: int, days: int, field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_sold(amount=Sats(amount), days=days, parameters=DEFAULTS)
    assert refused.value.figures["field"] == field
    assert {"value", "lowest", "highest"} <= set(refused.value.figures)


def test_nothing_is_sold_while_creation_is_switched_off() -> None:
    with pytest.raises(SwitchedOff, match="creation is switched off"):
        check_sold(amount=Sats(1_000_000), days=30, parameters=replace(DEFAULTS, creation_enabled=False))


def test_a_policy_runs_144_burn_blocks_a_day_and_its_quote_two() -> None:
    assert expiration_height(BurnHeight(800_000), days=30) == 804_320
    assert valid_until_height(BurnHeight(800_000), parameters=DEFAULTS) == 800_002
