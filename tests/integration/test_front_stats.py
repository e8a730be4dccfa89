"""Stats that are counted: equal to a sum over everything, whoever folds them when, and kept once an hour."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlmodel import col

from registry.domain.policy import PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.units import Token
from registry.queries.stats import get_platform_stats
from registry.services import quarantine
from registry.services import stats as services
from registry.store import stats
from registry.store.front_tables import StatChangeRow, StatHistoryRow
from registry.store.session import Database, unit_of_work
from registry.store.tables import CollateralState, PolicyRow, ReservationRow
from tests.integration import rows
from tests.integration.aggregate import assert_counted_is_summed
from tests.integration.asking import Asking, add, asking, policy
from tests.integration.driver import Driver
from tests.integration.test_api import refused
from tests.integration.walks import confirm, run_out, settling, unexplained

EVERY = 1_000
NOON = datetime(2026, 3, 1, 12, 20, tzinfo=UTC)


@pytest.fixture
def broker(valkey: str) -> str:
    """A database of the run's Valkey that no worker serves."""
    return f"{valkey.removesuffix('/0')}/9"


@pytest.fixture
def front(database: Database, broker: str) -> Iterator[Asking]:
    with asking(database, broker) as own:
        yield own


def waiting(database: Database) -> int:
    with unit_of_work(database) as session:
        return session.execute(select(func.count()).select_from(StatChangeRow)).scalar_one()


def check_and_fold(database: Database) -> None:
    """Before and after a fold the figures are those of a sum over everything."""
    assert_counted_is_summed(database)
    before = get_platform_stats(database, {})
    assert services.fold(database, limit=EVERY) > 0
    assert waiting(database) == 0
    assert get_platform_stats(database, {}) == before


# whole lives


def test_counted_stats_are_those_of_a_sum_after_payouts_and_a_fork_that_takes_one_back(driver: Driver) -> None:
    policy_id = settling(driver)
    check_and_fold(driver.database)
    driver.run(policy_id)
    check_and_fold(driver.database)
    driver.chain.reorganise(2)
    driver.chain.mine()
    driver.follow()
    assert driver.edges(policy_id) == "abcdq"
    check_and_fold(driver.database)
    confirm(driver)
    driver.chain.burn(3)
    driver.follow()
    driver.sync(policy_id)
    assert driver.edges(policy_id) == "abcdqd"
    check_and_fold(driver.database)


def test_counted_stats_are_those_of_a_sum_after_a_fork_that_takes_purchases_and_a_quote_that_runs_out(
    driver: Driver,
) -> None:
    policy_id = driver.buy()
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.burn(driver.depths.final)
    driver.follow()
    driver.sync(policy_id)
    assert driver.edges(policy_id) == "abp"
    check_and_fold(driver.database)
    assert driver.give_up(policy_id)
    check_and_fold(driver.database)
    driver.buy(premium_token=Token.SBTC.value)
    check_and_fold(driver.database)


def test_counted_stats_are_those_of_a_sum_after_expiration_and_quarantine(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.expire(policy_id)
    driver.run(policy_id)
    assert driver.policy(policy_id).status_detailed == PolicyStatus.EXPIRED
    check_and_fold(driver.database)
    lost = unexplained(driver)
    check_and_fold(driver.database)
    quarantine.release(
        driver.database,
        driver.chain.contracts,
        lost,
        tier=RiskTier.BALANCED,
        reason="a test",
        actor="ada",
        now=driver.now(),
    )
    check_and_fold(driver.database)


# folding


def test_a_fold_takes_no_more_than_it_is_told_to(database: Database) -> None:
    add(database, *(policy(number) for number in range(1, 8)))
    assert [services.fold(database, limit=3) for _ in range(4)] == [3, 3, 1, 0]
    assert_counted_is_summed(database)


def test_whoever_folds_at_once_counts_nothing_twice_and_a_reader_meanwhile_misses_nothing(database: Database) -> None:
    add(database, *(policy(number) for number in range(1, 301)))
    expected = get_platform_stats(database, {})
    with ThreadPoolExecutor(max_workers=6) as threads:
        folds = [threads.submit(services.fold, database, limit=7) for _ in range(60)]
        reads = [threads.submit(get_platform_stats, database, {}) for _ in range(60)]
        assert all(read.result() == expected for read in reads)
        assert sum(fold.result() for fold in folds) == 300
    assert_counted_is_summed(database)


def test_changes_that_another_worker_folds_are_passed_by(database: Database) -> None:
    add(database, *(policy(number) for number in range(1, 6)))
    with unit_of_work(database) as other:
        oldest = select(col(StatChangeRow.id)).order_by(col(StatChangeRow.id)).limit(2)
        other.execute(oldest.with_for_update())
        with unit_of_work(database) as session:
            session.execute(text("SET LOCAL lock_timeout = '2s'"))
            assert stats.fold(session, limit=EVERY) == 3
    assert waiting(database) == 2
    assert_counted_is_summed(database)


def test_a_change_that_was_rolled_back_was_never_counted(database: Database) -> None:
    add(database, made := policy(1))
    with unit_of_work(database) as session:
        session.execute(update(PolicyRow).where(col(PolicyRow.id) == made.id).values(status_detailed="Settling"))
        session.rollback()
    assert get_platform_stats(database, {})["by_status"]["Active"] == 1
    assert_counted_is_summed(database)


def test_totals_larger_than_any_column_are_exact_after_a_fold_too(database: Database) -> None:
    most = 2**63 - 1
    add(database, *(policy(number, premium_amount_base_units=most) for number in range(1, 4)))
    check_and_fold(database)
    found = get_platform_stats(database, {})["by_token"]["STX"]["premium_base_units"]
    assert (type(found), found) == (int, 3 * most)


def test_what_a_policy_holds_is_counted_under_its_token_from_each_state_to_the_next(database: Database) -> None:
    made = rows.policy()
    add(database, made, rows.reservation(made.id, token=Token.SBTC, amount_base_units=2**62))
    check_and_fold(database)
    for state in (CollateralState.LOCKED, CollateralState.RESERVED, CollateralState.RELEASED):
        with unit_of_work(database) as session:
            session.execute(update(ReservationRow).values(state=state))
        check_and_fold(database)


# the hours


def history(database: Database) -> list[datetime]:
    with unit_of_work(database) as session:
        return [row.at for row in session.execute(select(StatHistoryRow).order_by(col(StatHistoryRow.at))).scalars()]


def test_an_hour_is_kept_once_whoever_comes_first(database: Database) -> None:
    with ThreadPoolExecutor(max_workers=4) as threads:
        kept = list(threads.map(lambda _: services.record_hour(database, now=NOON), range(8)))
    assert sorted(kept) == [False] * 7 + [True]
    assert history(database) == [datetime(2026, 3, 1, 11, tzinfo=UTC)]
    assert services.record_hour(database, now=NOON + timedelta(hours=2))
    assert history(database) == [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (11, 13)]


def test_the_history_is_told_hour_by_hour_with_the_figures_of_then(front: Asking, database: Database) -> None:
    add(database, rows.block(burn_height=77))
    for hour in range(5):
        add(database, policy(hour + 1, protected_amount_sats=2**53))
        services.record_hour(database, now=NOON + timedelta(hours=hour))

    def pages(**query: Any) -> list[list[int]]:
        return [[item["stats"]["policies"] for item in page] for page in front.pages("/v1/stats/history", "", **query)]

    assert pages() == [[1, 2, 3, 4, 5]]
    assert pages(limit=2) == [[1, 2], [3, 4], [5]]
    between = {"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T15:00:00Z"}
    assert pages(limit=2, **between) == [[2, 3], [4]]
    (first, *_) = front.found("/v1/stats/history")["items"]
    assert (first["at"], first["taken_at"], first["height"]) == (
        "2026-03-01T11:00:00+00:00",
        "2026-03-01T12:20:00+00:00",
        77,
    )
    assert first["stats"]["by_token"]["STX"]["active_cover_sats"] == str(2**53)
    cursor = front.found("/v1/stats/history", limit=2)["next"]
    refused(front.get("/v1/stats/history", limit=2, after=cursor, **between), 422, "bad_cursor")
    refused(front.get("/v1/stats/history", **{"from": "today"}), 400, "bad_request")
    refused(front.get("/v1/stats/history", since="2026-03-01T12:00:00Z"), 400, "bad_request")


def test_stats_are_open_to_everybody_and_change_with_each_policy(front: Asking, database: Database) -> None:
    first = front.get("/v1/stats")
    assert first.json()["policies"] == 0
    add(database, policy(1, premium_amount_base_units=2**60))
    second = front.get("/v1/stats", headers={"If-None-Match": first.headers["ETag"]})
    assert (second.status_code, second.json()["active"]) == (200, 1)
    assert second.json()["by_token"]["STX"]["premium_base_units"] == str(2**60)
    refused(front.get("/v1/stats", fresh="yes"), 400, "bad_request")
