"""What may be asked, and how the answers come in pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import SQLModel

from registry.domain.capacity import OpenQuoteLimits
from registry.domain.errors import BadRequest
from registry.domain.policy import PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.units import Token
from registry.queries.policies import get_by_id, list_active_by_tier, list_by_owner, list_expiring_between
from registry.queries.pool import get_state
from registry.store.session import Database, unit_of_work
from registry.store.tables import CollateralState, PolicyRow
from tests.integration import rows
from tests.integration.driver import Driver
from tests.integration.walks import quoted

POOL = "ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69.liquidity-pool"
OWNER = "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"
BORN = datetime(2026, 1, 1, tzinfo=UTC)


def _policy(number: int, **changes: Any) -> PolicyRow:
    values: dict[str, Any] = {
        "policy_id_on_chain": number,
        "owner_principal": OWNER,
        "counterparty_principal": POOL,
        "protected_value_price_feed_units": 45_000 * 10**8,
        "protected_amount_sats": 10_000_000,
        "expiration_height": 1_000 + number,
        "status_on_chain": 0,
        "status_detailed": PolicyStatus.ACTIVE,
        "risk_tier": RiskTier.BALANCED,
        "premium_token": Token.STX,
        "premium_amount_base_units": 100,
        "premium_fee_amount_base_units": 1,
        "created_at": BORN + timedelta(seconds=number),
        **changes,
    }
    return PolicyRow(**values)


def _add(database: Database, *added: SQLModel) -> None:
    with unit_of_work(database) as session:
        session.add_all(added)


def _numbers(page: dict[str, Any]) -> list[int]:
    return [item["policy_id_on_chain"] for item in page["items"]]


def test_one_policy_is_found_by_either_id_and_a_missing_one_is_null(database: Database) -> None:
    row = _policy(7)
    _add(database, row)
    by_number, by_uuid = (get_by_id(database, {"policy_id": each}) for each in (7, str(row.id)))
    assert by_number == by_uuid
    assert by_number is not None
    assert by_number["id"] == str(row.id)
    assert get_by_id(database, {"policy_id": "7"}) == by_number
    assert get_by_id(database, {"policy_id": 8}) is None
    with pytest.raises(BadRequest, match="neither a UUID nor an on-chain id"):
        get_by_id(database, {"policy_id": "seven"})


def test_a_purchase_and_a_payout_are_shown_with_their_depth_from_their_block_on(driver: Driver) -> None:
    def depths() -> tuple[str | None, str | None]:
        shown = get_by_id(driver.database, {"policy_id": str(policy_id)})
        assert shown is not None
        purchase, end = (shown["chain"][name] for name in ("purchase", "end"))
        return purchase and purchase["depth"], end and end["depth"]

    policy_id, payload, _ = quoted(driver)
    assert depths() == (None, None)
    driver.chain.buy(driver.wallet, payload)
    driver.chain.burn()
    driver.follow()
    assert (depths(), driver.policy(policy_id).status_detailed) == (("included", None), "PendingCreation")
    driver.chain.burn(2)
    driver.follow()
    assert (depths(), driver.policy(policy_id).status_detailed) == (("confirmed", None), "Active")
    driver.chain.price("40000")
    driver.activate(policy_id)
    driver.chain.burn(4)
    driver.follow()
    assert depths() == ("final", None)
    signed = driver.sign(policy_id)
    assert signed is not None
    driver.send(signed)
    driver.chain.mine()
    driver.follow()
    assert (depths(), driver.policy(policy_id).status_detailed) == (("final", "included"), "Settling")


def test_every_ordered_field_is_shown(database: Database) -> None:
    _add(database, _policy(1))
    shown = get_by_id(database, {"policy_id": 1})
    assert shown is not None
    assert {
        "policy_id_on_chain",
        "owner_principal",
        "counterparty_principal",
        "protected_value_price_feed_units",
        "protected_amount_sats",
        "expiration_height",
        "policy_type",
        "status_on_chain",
        "status_detailed",
        "creation_height",
        "creation_timestamp",
        "expiration_timestamp_estimate",
        "premium_amount_base_units",
        "premium_token",
        "premium_fee_amount_base_units",
        "settlement_amount_base_units",
        "settlement_token",
        "settlement_timestamp",
        "tx_id_creation",
        "tx_id_status_update",
        "last_checked_block_height_expiry",
        "risk_tier",
        "oracle_data_snapshot_creation",
        "oracle_data_snapshot_settlement",
    } <= set(shown)


def test_pages_hold_every_policy_once_while_others_are_inserted(database: Database) -> None:
    _add(database, *(_policy(number) for number in range(1, 6)))
    first = list_by_owner(database, {"owner_principal": OWNER, "limit": 2})
    _add(database, _policy(0, created_at=BORN))
    second = list_by_owner(database, {"owner_principal": OWNER, "limit": 2, "after": first["next"]})
    third = list_by_owner(database, {"owner_principal": OWNER, "limit": 2, "after": second["next"]})
    assert [_numbers(page) for page in (first, second, third)] == [[1, 2], [3, 4], [5]]
    assert third["next"] is None


def test_policies_born_at_the_same_instant_are_not_lost_between_pages(database: Database) -> None:
    _add(database, *(_policy(number, created_at=BORN) for number in range(1, 5)))
    first = list_by_owner(database, {"owner_principal": OWNER, "limit": 3})
    rest = list_by_owner(database, {"owner_principal": OWNER, "limit": 3, "after": first["next"]})
    assert sorted(_numbers(first) + _numbers(rest)) == [1, 2, 3, 4]


def test_a_list_by_owner_shows_one_owner_and_one_status(database: Database) -> None:
    other = "ST1V0E6135062YQ0JWDERD788R89E2BC98Q4ANYBK"
    _add(
        database,
        _policy(1),
        _policy(2, status_detailed=PolicyStatus.SETTLED, status_on_chain=1),
        _policy(3, owner_principal=other),
    )
    assert _numbers(list_by_owner(database, {"owner_principal": OWNER})) == [1, 2]
    assert _numbers(list_by_owner(database, {"owner_principal": OWNER, "status": "Settled"})) == [2]
    with pytest.raises(BadRequest, match="PendingCreation"):
        list_by_owner(database, {"owner_principal": OWNER, "status": "settled"})


def test_expiring_between_includes_both_ends_and_active_policies_only(database: Database) -> None:
    _add(
        database,
        *(_policy(number) for number in range(1, 5)),
        _policy(5, expiration_height=1_002, status_detailed=PolicyStatus.EXPIRED, status_on_chain=2),
    )
    page = list_expiring_between(database, {"min_height": 1_002, "max_height": 1_003, "limit": 1})
    assert _numbers(page) == [2]
    rest = list_expiring_between(database, {"min_height": 1_002, "max_height": 1_003, "after": page["next"]})
    assert _numbers(rest) == [3]


def test_active_by_tier_is_of_one_tier(database: Database) -> None:
    _add(
        database,
        _policy(1),
        _policy(2, risk_tier=RiskTier.AGGRESSIVE),
        _policy(3, status_detailed=PolicyStatus.SETTLING),
    )
    assert _numbers(list_active_by_tier(database, {"risk_tier": "Balanced"})) == [1]
    with pytest.raises(BadRequest, match="Conservative, Balanced, Aggressive"):
        list_active_by_tier(database, {"risk_tier": "balanced"})


@pytest.mark.parametrize("limit", [0, False, "", -1, 501, "many", True])
def test_a_limit_outside_its_bounds_is_refused(module_database: Database, limit: object) -> None:
    with pytest.raises(BadRequest, match="limit"):
        list_by_owner(module_database, {"owner_principal": OWNER, "limit": limit})


@pytest.mark.parametrize("after", ["", "nonsense", "2026-01-01/x", 7])
def test_a_cursor_that_no_page_gave_is_refused(module_database: Database, after: object) -> None:
    with pytest.raises(BadRequest, match="after"):
        list_by_owner(module_database, {"owner_principal": OWNER, "after": after})


@pytest.mark.parametrize("mark", ["0", "-1", "1_0", " 7", str(2**63), str(2**200)])
def test_a_cursor_of_heights_holds_a_height(module_database: Database, mark: str) -> None:
    row = _policy(1)
    with pytest.raises(BadRequest, match="after"):
        list_expiring_between(module_database, {"min_height": 0, "max_height": 9, "after": f"{mark}/{row.id}"})


def test_a_cursor_of_times_names_its_zone(module_database: Database) -> None:
    row = _policy(1)
    with pytest.raises(BadRequest, match="after"):
        list_by_owner(module_database, {"owner_principal": OWNER, "after": f"2026-01-01T00:00:00/{row.id}"})


def test_unknown_fields_are_refused(module_database: Database) -> None:
    with pytest.raises(BadRequest, match="no such field"):
        get_by_id(module_database, {"policy_id": 1, "as_of": 3})


# the pool


def test_an_empty_pool_has_nothing_to_sell(database: Database) -> None:
    state = get_state(database, {}, limits=OpenQuoteLimits())
    assert (state["height"], state["parameters_id"]) == (None, 1)
    for token in state["tokens"].values():
        assert (token["assets_base_units"], token["free_base_units"], token["utilisation_ppm"]) == (0, 0, 0)
        assert {tier["free_base_units"] for tier in token["tiers"].values()} == {0}


def test_the_pool_tells_what_each_tier_can_still_sell_and_what_bounds_it(database: Database) -> None:
    signed, unsigned = rows.active(1), rows.policy()
    _add(
        database,
        signed,
        unsigned,
        rows.book(assets=1_000_000, locked=200_000, unearned=500, since=7, until=9),
        rows.capital(reserved_base_units=60_000, locked_base_units=200_000),
        rows.block(burn_height=8),
    )
    _add(
        database,
        rows.reservation(signed.id, state=CollateralState.LOCKED, amount_base_units=200_000),
        rows.reservation(unsigned.id, amount_base_units=60_000),
    )
    state = get_state(database, {}, limits=OpenQuoteLimits())
    assert state["height"] == 8
    stx = state["tokens"]["STX"]
    tiers = stx.pop("tiers")
    assert stx == {
        "assets_base_units": 1_000_000,
        "locked_base_units": 200_000,
        "reserved_base_units": 60_000,
        "free_base_units": 740_000,
        "unearned_base_units": 500,
        "earned_until_height": 9,
        "as_of_height": 7,
        "utilisation_ppm": 200_000,
    }
    assert tiers["Balanced"] == {
        "share_ppm": 350_000,
        "usable_base_units": 280_000,
        "locked_base_units": 200_000,
        "reserved_base_units": 60_000,
        "unsigned_base_units": 60_000,
        "free_base_units": 20_000,
        "bound": "tier",
        "utilisation_ppm": 928_571,
    }
    assert (tiers["Aggressive"]["free_base_units"], tiers["Aggressive"]["bound"]) == (62_500, "open_quotes")
    assert state["tokens"]["sBTC"]["assets_base_units"] == 0
