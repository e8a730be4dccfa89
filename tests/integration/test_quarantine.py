"""Purchases that no quote explains: edges n, o and s, and what an operator may release."""

from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col

from registry.domain.policy import Edge
from registry.domain.tier import RiskTier
from registry.domain.units import Token
from registry.services import quarantine
from registry.services.quarantine import NothingToRelease, NotQuarantined
from registry.store.session import unit_of_work
from registry.store.tables import (
    PolicyRow,
    ReservationRow,
    TierCapitalRow,
)
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.driver import Driver
from tests.integration.walks import PAYOUT, detail, last, unexplained


def release(driver: Driver, policy_id: UUID) -> None:
    quarantine.release(
        driver.database,
        driver.chain.contracts,
        policy_id,
        tier=RiskTier.BALANCED,
        reason="restored from the backup of Monday",
        actor="ada",
        now=driver.now(),
    )


def test_edge_n_a_purchase_that_no_quote_explains_is_quarantined(driver: Driver) -> None:
    policy_id = unexplained(driver)
    assert last(driver, policy_id) == ("n", "no quote of ours explains it", "chain")
    (listed,) = quarantine.waiting(driver.database, limit=9)
    assert listed["id"] == str(policy_id)
    assert (driver.next(policy_id), driver.sign(policy_id)) == (None, None)


def test_edge_o_an_operator_stands_by_a_quarantined_purchase_and_it_is_paid_like_any_other(driver: Driver) -> None:
    policy_id = unexplained(driver)
    locked = driver.policy(policy_id)
    release(driver, policy_id)
    assert last(driver, policy_id) == ("o", "released by an operator", "ada")
    assert detail(driver, policy_id, Edge.ADOPTED)["reason"] == "restored from the backup of Monday"
    row = driver.policy(policy_id)
    assert (row.status_detailed, row.risk_tier, row.policy_id_on_chain) == ("Active", "Balanced", 1)
    assert row.premium_amount_base_units == locked.premium_amount_base_units
    with unit_of_work(driver.database) as session:
        held = session.get_one(ReservationRow, policy_id)
        tier = session.get_one(TierCapitalRow, ("Balanced", Token.STX))
    assert (held.state, tier.locked_base_units) == ("locked", held.amount_base_units)
    driver.chain.price("40000")
    before = driver.balance()
    driver.activate(policy_id)
    driver.run(policy_id)
    assert (driver.edges(policy_id), driver.balance() - before) == ("nocd", PAYOUT)
    assert_books_equal_the_chain(driver)


def test_what_was_released_comes_back_after_a_fork_like_any_other(driver: Driver) -> None:
    policy_id = unexplained(driver)
    release(driver, policy_id)
    driver.chain.reorganise(2)
    driver.chain.burn()
    driver.follow()
    driver.sync(policy_id)
    assert driver.edges(policy_id) == "nop"
    driver.chain.burn(2)
    driver.follow()
    assert (driver.edges(policy_id), driver.policy(policy_id).policy_id_on_chain) == ("nopb", 1)


@pytest.mark.parametrize("again", [0, 1], ids=["never quarantined", "released already"])
def test_only_what_is_in_quarantine_is_released(driver: Driver, again: int) -> None:
    policy_id = unexplained(driver) if again else driver.buy()
    if again:
        release(driver, policy_id)
    walked = driver.edges(policy_id)
    with pytest.raises(NotQuarantined, match="is Active"):
        release(driver, policy_id)
    assert driver.edges(policy_id) == walked


def test_a_purchase_that_a_fork_took_is_not_released(driver: Driver) -> None:
    policy_id = unexplained(driver)
    driver.chain.reorganise(2)
    driver.chain.burn()
    driver.follow()
    with unit_of_work(driver.database) as session:
        # as it is between the rewind and the sync of this policy
        session.execute(
            update(PolicyRow)
            .where(col(PolicyRow.id) == policy_id)
            .values(status_detailed="Quarantined", creation_block="gone", policy_id_on_chain=7, status_on_chain=0)
        )
    with pytest.raises(NothingToRelease, match="a fork took"):
        release(driver, policy_id)


def test_edge_s_an_entry_that_a_fork_took_leaves_quarantine(driver: Driver) -> None:
    policy_id = unexplained(driver)
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.burn()
    driver.follow()
    driver.sync(policy_id)
    assert last(driver, policy_id) == ("s", "orphaned", "chain")
    assert driver.policy(policy_id).status_detailed == "FailedCreation"
