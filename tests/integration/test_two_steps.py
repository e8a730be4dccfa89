"""Expiring in two steps: the registry is moved first, then the collateral is freed; the second step is the repair."""

from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlmodel import col

from registry.domain.policy import OnChainStatus
from registry.domain.steps import StepKind
from registry.domain.transaction import ExpirationPath, Purpose
from registry.domain.units import Token
from registry.stacks.contracts import expire_policies, update_policy_status
from registry.store.session import unit_of_work
from registry.store.tables import (
    ActivationRequestRow,
    ReservationRow,
    TransactionEntryRow,
    TransactionRow,
)
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.chain import new_key
from tests.integration.driver import Driver
from tests.integration.walks import WEEK, appoint, backend, confirm, last, on_chain, run_out


def two_steps(driver: Driver) -> None:
    driver.expiration_path = ExpirationPath.TWO_STEP


def purposes(driver: Driver) -> list[str]:
    with unit_of_work(driver.database) as session:
        return list(session.execute(select(col(TransactionRow.purpose)).order_by(col(TransactionRow.nonce))).scalars())


def test_in_two_steps_the_registry_is_moved_first_and_the_collateral_freed_once_that_is_confirmed(
    driver: Driver,
) -> None:
    two_steps(driver)
    policy_id = run_out(driver)
    driver.expire(policy_id)
    driver.run(policy_id)
    row = driver.policy(policy_id)
    assert (row.status_detailed, row.status_on_chain) == ("Expiring", OnChainStatus.EXPIRED)
    assert row.tx_id_status_update is not None
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "locked"
    assert driver.next(policy_id) is StepKind.SIGN_AND_BROADCAST
    driver.run(policy_id)
    assert (driver.edges(policy_id), purposes(driver)) == ("abjk", [Purpose.MARK_EXPIRED, Purpose.RELEASE])
    assert_books_equal_the_chain(driver)


def test_nothing_is_released_before_the_registrys_move_is_confirmed(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.expire(policy_id)
    call = update_policy_status(driver.chain.contracts, on_chain(driver, policy_id), OnChainStatus.EXPIRED)
    driver.chain.order_call(driver.chain.backend, call)
    driver.chain.mine()
    driver.chain.burn(driver.depths.confirmed - 1)
    driver.follow()
    assert (driver.next(policy_id), driver.sign(policy_id)) == (None, None)
    driver.chain.burn()
    driver.follow()
    assert driver.next(policy_id) is StepKind.SIGN_AND_BROADCAST


def test_a_fork_that_undoes_the_registrys_move_has_it_made_again(driver: Driver) -> None:
    two_steps(driver)
    policy_id = run_out(driver)
    driver.expire(policy_id)
    signed = driver.run(policy_id)
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.mine()
    driver.follow()
    driver.sync(policy_id)
    row = driver.policy(policy_id)
    assert (row.status_detailed, row.status_on_chain, row.tx_id_status_update) == ("Expiring", 0, None)
    driver.chain.burn(WEEK)
    driver.look(signed)  # the node knows it no more: the same bytes go out again
    confirm(driver)
    driver.look(signed)
    driver.sync(policy_id)
    driver.run(policy_id)
    assert (driver.edges(policy_id), purposes(driver)) == ("abjk", [Purpose.MARK_EXPIRED, Purpose.RELEASE])


@pytest.mark.parametrize("begun", [False, True], ids=["still Active", "already Expiring"])
def test_what_the_registry_alone_calls_expired_is_repaired_by_freeing_its_collateral(
    driver: Driver, *, begun: bool
) -> None:
    policy_id = run_out(driver)
    if begun:
        driver.expire(policy_id)
    call = update_policy_status(driver.chain.contracts, on_chain(driver, policy_id), OnChainStatus.EXPIRED)
    driver.chain.order_call(driver.chain.backend, call)
    confirm(driver)
    assert last(driver, policy_id) == (("j", "ran out", "sweep") if begun else ("j", "chain", "chain"))
    driver.run(policy_id)
    assert (driver.edges(policy_id), purposes(driver)) == ("abjk", [Purpose.RELEASE])
    assert_books_equal_the_chain(driver)


def test_a_batch_that_came_too_late_for_one_policy_is_mended_by_freeing_its_collateral(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.expire(policy_id)
    other = new_key()
    appoint(driver, driver.chain.fund(other))
    call = update_policy_status(driver.chain.contracts, on_chain(driver, policy_id), OnChainStatus.EXPIRED)
    driver.chain.order_call(other, call)
    driver.chain.mine()
    appoint(driver, backend(driver))
    first = driver.run(policy_id)  # signed before the move of the registry was confirmed
    with unit_of_work(driver.database) as session:
        assert session.get_one(TransactionEntryRow, (first, policy_id)).refusal == 103
    driver.run(policy_id)
    assert (driver.edges(policy_id), purposes(driver)) == ("abjk", [Purpose.EXPIRE, Purpose.RELEASE])
    assert_books_equal_the_chain(driver)


def test_a_request_that_is_open_when_the_chain_ends_the_policy_is_closed_with_it(driver: Driver) -> None:
    paid, expired = driver.buy(duration_days=7), driver.buy(duration_days=7)
    driver.feed = replace(driver.feed, venues=())
    for policy_id in (paid, expired):
        with pytest.raises(Exception, match="no usable"):
            driver.activate(policy_id, key=str(policy_id))
    driver.chain.settle(on_chain(driver, paid), amount=5, token=Token.STX)
    driver.chain.burn(WEEK + 1)
    driver.chain.order_call(driver.chain.backend, expire_policies(driver.chain.contracts, [on_chain(driver, expired)]))
    confirm(driver)
    with unit_of_work(driver.database) as session:
        rows = session.execute(select(ActivationRequestRow)).scalars()
        assert {row.policy_id: row.state for row in rows} == {paid: "accepted", expired: "void"}


def test_in_two_steps_each_policy_of_a_batch_comes_to_its_end(driver: Driver) -> None:
    two_steps(driver)
    batch = [driver.buy(duration_days=7) for _ in range(2)]
    driver.chain.burn(WEEK + 1)
    driver.follow()
    driver.expire(*batch)
    for _ in range(2):
        for _ in batch:
            driver.run(*batch)
    assert [driver.edges(each) for each in batch] == ["abjk", "abjk"]
    with unit_of_work(driver.database) as session:
        assert len(session.execute(select(TransactionEntryRow)).scalars().all()) == 4
