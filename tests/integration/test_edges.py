"""Each edge of the state diagram in its ordinary life, by its letter: how it is reached, and its cause."""

import pytest
from sqlalchemy import select
from sqlmodel import col

from registry.domain.policy import Edge, OnChainStatus
from registry.domain.steps import StepKind
from registry.domain.units import Token
from registry.services import creation, failures
from registry.services.failures import NotFailed
from registry.stacks.contracts import expire_policies
from registry.store.session import unit_of_work
from registry.store.tables import (
    PolicyEventRow,
    ReservationRow,
)
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.driver import Driver
from tests.integration.walks import (
    PAYOUT,
    appoint,
    backend,
    confirm,
    detail,
    last,
    on_chain,
    quoted,
    run_out,
    settling,
    stranger,
)

# creation


def test_edge_a_a_quote_is_recorded_with_its_reservation(driver: Driver) -> None:
    policy_id, _, _ = quoted(driver)
    assert last(driver, policy_id) == ("a", "quoted", "owner")
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "reserved"


def test_edge_b_a_confirmed_purchase_that_equals_the_quote_makes_it_active(driver: Driver) -> None:
    policy_id, payload, _ = quoted(driver)
    driver.chain.buy(driver.wallet, payload)
    confirm(driver)
    assert last(driver, policy_id) == ("b", "purchase confirmed", "chain")
    assert driver.policy(policy_id).status_on_chain == OnChainStatus.ACTIVE


@pytest.mark.parametrize(("declined", "cause"), [(False, "outlived, never purchased"), (True, "declined and outlived")])
def test_edge_e_a_quote_that_no_block_can_hold_any_more_is_given_up(
    driver: Driver, *, declined: bool, cause: str
) -> None:
    policy_id, _, valid_until = quoted(driver)
    if declined:
        told = {"owner_principal": driver.owner, "policy_id": str(policy_id), "declined": True}
        creation.report(driver.database, driver.chain.contracts, told, now=driver.now())
    driver.chain.burn(valid_until + driver.depths.confirmed + 1 - driver.chain.node.tip().burn_height)
    driver.follow()
    assert driver.next(policy_id) is StepKind.GIVE_UP
    assert driver.give_up(policy_id)
    assert last(driver, policy_id) == ("e", cause, "sweep")


def test_edge_i_a_purchase_confirmed_after_giving_up_makes_it_active_and_locks(driver: Driver) -> None:
    policy_id, payload, _ = quoted(driver)
    for _ in range(5):
        driver.chain.burn()
    driver.follow()
    assert driver.give_up(policy_id)
    driver.chain.reorganise(5)  # back to where the quote could be used, and there it is used
    driver.chain.buy(driver.wallet, payload)
    driver.chain.burn()
    driver.chain.burn(5)
    driver.follow()
    assert last(driver, policy_id) == ("i", "purchase confirmed", "chain")
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "locked"
    assert_books_equal_the_chain(driver)


# settlement


def test_edge_c_an_accepted_activation_pins_what_is_owed(driver: Driver) -> None:
    policy_id = settling(driver)
    assert last(driver, policy_id) == ("c", "activated", "owner")
    assert detail(driver, policy_id, Edge.ACTIVATED) == {
        "amount_base_units": PAYOUT,
        "token": Token.STX.value,
        "capped": False,
    }


def test_edge_c_a_european_policy_in_the_money_settles_when_it_is_due(driver: Driver) -> None:
    policy_id = run_out(driver, exercise_style="european")
    driver.chain.price("40000")
    driver.decide(policy_id)
    assert last(driver, policy_id) == ("c", "due in the money", "sweep")
    driver.run(policy_id)
    assert driver.edges(policy_id) == "abcd"


def test_edge_c_and_d_a_payout_that_somebody_else_made_has_the_chain_as_its_cause(driver: Driver) -> None:
    policy_id = driver.buy()
    driver.chain.settle(on_chain(driver, policy_id), amount=5, token=Token.STX)
    confirm(driver)
    with unit_of_work(driver.database) as session:
        rows = session.execute(
            select(PolicyEventRow).where(
                col(PolicyEventRow.policy_id) == policy_id, col(PolicyEventRow.edge).in_(["c", "d"])
            )
        ).scalars()
        assert {row.edge: row.cause for row in rows} == {"c": "chain", "d": "chain"}
    assert driver.policy(policy_id).settlement_amount_base_units == 5


def test_edge_d_payout_and_status_are_confirmed_in_one_transaction(driver: Driver) -> None:
    policy_id = settling(driver)
    before = driver.balance()
    driver.run(policy_id)
    assert last(driver, policy_id) == ("d", "payout confirmed", "chain")
    row = driver.policy(policy_id)
    assert (row.status_on_chain, row.settlement_amount_base_units) == (OnChainStatus.SETTLED, PAYOUT)
    assert driver.balance() - before == PAYOUT


def test_edge_f_a_refusal_for_good_fails_the_settlement_with_the_contracts_number(driver: Driver) -> None:
    policy_id = settling(driver)
    appoint(driver, stranger(driver))
    driver.run(policy_id)
    assert last(driver, policy_id) == ("f", "refused by the contract", "chain")
    assert detail(driver, policy_id, Edge.SETTLEMENT_FAILED)["code"] == 200


def test_edge_h_an_operator_tries_a_failed_settlement_again_and_what_was_pinned_is_paid(driver: Driver) -> None:
    policy_id = settling(driver)
    before = driver.balance()
    appoint(driver, stranger(driver))
    driver.run(policy_id)
    (failed,) = failures.waiting(driver.database, limit=9)
    assert (failed["id"], failed["code"]) == (str(policy_id), 200)
    appoint(driver, backend(driver))
    driver.chain.price("20000")
    failures.retry(driver.database, policy_id, reason="the backend is appointed", actor="ada", now=driver.now())
    assert last(driver, policy_id) == ("h", "tried again by an operator", "ada")
    assert detail(driver, policy_id, Edge.SETTLEMENT_RESUMED) == {"reason": "the backend is appointed"}
    assert driver.next(policy_id) is StepKind.SIGN_AND_BROADCAST
    driver.run(policy_id)
    assert (driver.edges(policy_id), driver.balance() - before) == ("abcfhd", PAYOUT)
    with pytest.raises(NotFailed, match="is Settled"):
        failures.retry(driver.database, policy_id, reason="again", actor="ada", now=driver.now())


def test_edge_h_a_settlement_that_had_failed_is_paid_by_somebody_else_after_all(driver: Driver) -> None:
    policy_id = settling(driver)
    appoint(driver, stranger(driver))
    driver.run(policy_id)
    appoint(driver, backend(driver))
    driver.chain.settle(on_chain(driver, policy_id), amount=PAYOUT, token=Token.STX)
    confirm(driver)
    assert driver.edges(policy_id) == "abcfhd"
    assert last(driver, policy_id)[1] == "payout confirmed"
    assert driver.next(policy_id) is None


# expiration


def test_edge_j_and_k_what_ran_out_is_released_and_moved_in_one_transaction(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.expire(policy_id)
    assert last(driver, policy_id) == ("j", "ran out", "sweep")
    driver.run(policy_id)
    assert last(driver, policy_id) == ("k", "release confirmed", "chain")
    assert_books_equal_the_chain(driver)


def test_edge_j_a_european_policy_out_of_the_money_expires_when_it_is_due(driver: Driver) -> None:
    policy_id = run_out(driver, exercise_style="european")
    driver.chain.price("45000")
    driver.decide(policy_id)
    assert last(driver, policy_id) == ("j", "due out of the money", "sweep")


def test_edge_j_and_k_a_release_that_somebody_else_ordered_is_followed(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.chain.order_call(
        driver.chain.backend, expire_policies(driver.chain.contracts, [on_chain(driver, policy_id)])
    )
    confirm(driver)
    assert driver.edges(policy_id) == "abjk"
    assert driver.policy(policy_id).status_on_chain == OnChainStatus.EXPIRED


def test_edge_l_a_refusal_for_good_fails_the_expiration(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.expire(policy_id)
    appoint(driver, stranger(driver))
    driver.run(policy_id)
    assert last(driver, policy_id) == ("l", "refused by the contract", "chain")
    assert driver.policy(policy_id).status_detailed == "FailedExpiration"


def test_edge_m_an_operator_tries_a_failed_expiration_again(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.expire(policy_id)
    appoint(driver, stranger(driver))
    driver.run(policy_id)
    appoint(driver, backend(driver))
    failures.retry(driver.database, policy_id, reason="the backend is appointed", actor="ada", now=driver.now())
    assert last(driver, policy_id) == ("m", "tried again by an operator", "ada")
    driver.run(policy_id)
    assert driver.edges(policy_id) == "abjlmk"
    assert_books_equal_the_chain(driver)


def test_edge_m_an_expiration_that_had_failed_is_released_by_somebody_else_after_all(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.expire(policy_id)
    appoint(driver, stranger(driver))
    driver.run(policy_id)
    appoint(driver, backend(driver))
    driver.chain.order_call(
        driver.chain.backend, expire_policies(driver.chain.contracts, [on_chain(driver, policy_id)])
    )
    confirm(driver)
    assert driver.edges(policy_id) == "abjlmk"
