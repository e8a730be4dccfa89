"""What may be asked, and how the answers come in pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from registry.domain.errors import BadRequest
from registry.domain.policy import PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.units import Token
from registry.queries.policies import get_by_id, list_active_by_tier, list_by_owner, list_expiring_between
from registry.queries.stats import get_platform_stats
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyRow

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


def _add(database: Database, *rows: PolicyRow) -> None:
    with unit_of_work(database) as session:
        session.add_all(rows)


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


def test_stats_sum_per_token_what_the_chain_confirmed(database: Database) -> None:
    _add(
        database,
        _policy(1),
        _policy(
            2,
            status_detailed=PolicyStatus.SETTLED,
            status_on_chain=1,
            premium_token=Token.SBTC,
            premium_amount_base_units=50,
            premium_fee_amount_base_units=2,
            settlement_amount_base_units=30,
            settlement_token=Token.SBTC,
        ),
        _policy(
            3,
            policy_id_on_chain=None,
            status_on_chain=None,
            status_detailed=PolicyStatus.PENDING_CREATION,
            premium_token=None,
            premium_amount_base_units=None,
            premium_fee_amount_base_units=None,
        ),
    )
    stats = get_platform_stats(database, {})
    assert (stats["policies"], stats["active"]) == (3, 1)
    assert stats["by_status"]["PendingCreation"] == 1
    assert stats["by_status"]["Expired"] == 0
    assert stats["by_token"] == {
        "STX": {"policies": 1, "premium_base_units": 100, "fee_base_units": 1, "settled_base_units": 0},
        "sBTC": {"policies": 1, "premium_base_units": 50, "fee_base_units": 2, "settled_base_units": 30},
    }


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        (f"owner_principal = '{OWNER}' ORDER BY created_at, id LIMIT 3", "by_owner_principal"),
        ("policy_id_on_chain = 7", "by_policy_id_on_chain"),
        ("status_detailed = 'Active' AND expiration_height BETWEEN 1 AND 9", "by_status_detailed"),
        (
            "risk_tier = 'Balanced' AND status_detailed = 'Active' ORDER BY created_at, id LIMIT 3",
            "by_tier_and_status",
        ),
    ],
)
def test_every_list_is_read_from_an_index(database: Database, condition: str, index: str) -> None:
    with unit_of_work(database) as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = session.execute(text(f"EXPLAIN SELECT * FROM policies WHERE {condition}")).scalars().all()  # noqa: S608 - the conditions are written above
    assert any(index in line for line in plan), plan
