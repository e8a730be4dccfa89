"""The platform's stats: what is counted under which token, and sums to the last unit."""

from sqlmodel import SQLModel

from registry.domain.policy import PolicyStatus
from registry.domain.units import Token
from registry.queries.stats import get_platform_stats
from registry.store.session import Database, unit_of_work
from registry.store.tables import CollateralState
from tests.integration import rows

NOBODY: dict[str, int] = dict.fromkeys((status.value for status in PolicyStatus), 0)


def add(database: Database, *added: SQLModel) -> None:
    with unit_of_work(database) as session:
        session.add_all(added)


def test_stats_sum_per_token_what_the_chain_confirmed(database: Database) -> None:
    paid = rows.active(
        2,
        status_detailed=PolicyStatus.SETTLED,
        status_on_chain=1,
        premium_token=Token.SBTC,
        premium_amount_base_units=50,
        premium_fee_amount_base_units=2,
        settlement_amount_base_units=30,
        settlement_token=Token.SBTC,
    )
    active, asked = rows.active(1), rows.policy()
    add(database, active, paid, asked)
    add(
        database,
        rows.reservation(active.id, state=CollateralState.LOCKED, amount_base_units=2**62),
        rows.reservation(paid.id, state=CollateralState.RELEASED, token=Token.SBTC),
        rows.reservation(asked.id, amount_base_units=7),
    )
    stats = get_platform_stats(database, {})
    assert (stats["policies"], stats["active"]) == (3, 1)
    assert stats["by_status"] == {**NOBODY, "Active": 1, "Settled": 1, "PendingCreation": 1}
    stx, sbtc = stats["by_token"]["STX"], stats["by_token"]["sBTC"]
    assert stx.pop("by_status") == {**NOBODY, "Active": 1, "PendingCreation": 1}
    assert stx == {
        "policies": 2,
        "active": 1,
        "active_cover_sats": 10_000_000,
        "premium_base_units": 1_000,
        "fee_base_units": 10,
        "settled_base_units": 0,
        "locked_base_units": 2**62,
        "reserved_base_units": 7,
    }
    assert sbtc.pop("by_status") == {**NOBODY, "Settled": 1}
    assert sbtc == {
        "policies": 1,
        "active": 0,
        "active_cover_sats": 0,
        "premium_base_units": 50,
        "fee_base_units": 2,
        "settled_base_units": 30,
        "locked_base_units": 0,
        "reserved_base_units": 0,
    }


def test_stats_of_nothing_are_zeros(database: Database) -> None:
    stats = get_platform_stats(database, {})
    assert set(stats["by_status"].values()) == {0}
    assert stats["by_token"]["STX"]["locked_base_units"] == 0


def test_sums_larger_than_any_column_are_exact(database: Database) -> None:
    most = 2**63 - 1
    add(database, *(rows.active(number, premium_amount_base_units=most) for number in range(1, 4)))
    found = get_platform_stats(database, {})["by_token"]["STX"]["premium_base_units"]
    assert (type(found), found) == (int, 3 * most)


def test_a_policy_that_no_quote_explains_counts_under_what_it_was_paid_in(database: Database) -> None:
    add(database, rows.active(1, status_detailed=PolicyStatus.QUARANTINED, risk_tier=None, premium_token=Token.SBTC))
    by_token = get_platform_stats(database, {})["by_token"]
    assert (by_token["sBTC"]["by_status"]["Quarantined"], by_token["STX"]["policies"]) == (1, 0)
