"""The edges that a fork makes policies walk back, by their letters."""

from collections.abc import Callable
from uuid import UUID

import pytest

from registry.store.session import unit_of_work
from registry.store.tables import (
    ReservationRow,
)
from tests.integration.driver import Driver
from tests.integration.walks import appoint, last, run_out, settling, stranger


@pytest.mark.parametrize(
    ("reach", "walk"),
    [(Driver.buy, "ab"), (settling, "abc")],
    ids=["Active", "Settling"],
)
def test_edge_p_a_purchase_that_a_fork_took_is_pending_again(
    driver: Driver, reach: Callable[[Driver], UUID], walk: str
) -> None:
    policy_id = reach(driver)
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.burn()
    driver.follow()
    driver.sync(policy_id)
    row = driver.policy(policy_id)
    assert (driver.edges(policy_id), row.policy_id_on_chain, row.status_on_chain) == (f"{walk}p", None, None)
    assert last(driver, policy_id)[1:] == ("orphaned", "chain")


def test_edge_p_also_leaves_a_failed_settlement(driver: Driver) -> None:
    policy_id = settling(driver)
    appoint(driver, stranger(driver))
    driver.run(policy_id)
    driver.chain.reorganise(5, transactions="drop")
    driver.chain.burn()
    driver.follow()
    assert driver.edges(policy_id).startswith("abcf")
    assert last(driver, policy_id) == ("p", "orphaned", "chain")


def test_edge_q_a_payout_that_a_fork_took_is_settling_again(driver: Driver) -> None:
    policy_id = settling(driver)
    driver.run(policy_id)
    driver.chain.reorganise(2)
    driver.chain.mine()
    driver.follow()
    assert last(driver, policy_id) == ("q", "orphaned", "chain")
    assert driver.policy(policy_id).settlement_amount_base_units is None


def test_edge_r_a_release_that_a_fork_took_is_expiring_again(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.expire(policy_id)
    driver.run(policy_id)
    driver.chain.reorganise(2)
    driver.chain.mine()
    driver.follow()
    assert last(driver, policy_id) == ("r", "orphaned", "chain")
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "locked"
