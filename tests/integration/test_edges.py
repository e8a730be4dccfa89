"""Every edge of the state diagram, by its letter: how it is reached, and the cause that is recorded with it."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from registry.domain.parameters import Parameters
from registry.domain.policy import Edge, OnChainStatus
from registry.domain.steps import StepKind
from registry.domain.tier import RiskTier
from registry.domain.transaction import ExpirationPath, Purpose
from registry.domain.units import Principal, Token
from registry.services import creation, failures, quarantine
from registry.services.failures import NotFailed
from registry.services.quarantine import NothingToRelease, NotQuarantined
from registry.stacks.clarity import parse_principal
from registry.stacks.contracts import expire_policies, update_policy_status
from registry.stacks.network import TESTNET
from registry.store import parameters
from registry.store.session import unit_of_work
from registry.store.tables import (
    ActivationRequestRow,
    PolicyEventRow,
    PolicyRow,
    QuoteRow,
    ReservationRow,
    TierCapitalRow,
    TransactionEntryRow,
    TransactionRow,
)
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.chain import new_key
from tests.integration.driver import Driver

WEEK = 7 * 144
PAYOUT = 250 * 10**6


def last(driver: Driver, policy_id: UUID) -> tuple[str, str, str]:
    """The newest edge of a policy, with its cause and who walked it."""
    with unit_of_work(driver.database) as session:
        row = session.execute(
            select(PolicyEventRow)
            .where(col(PolicyEventRow.policy_id) == policy_id)
            .order_by(col(PolicyEventRow.id).desc())
            .limit(1)
        ).scalar_one()
    return row.edge, row.cause, row.actor


def detail(driver: Driver, policy_id: UUID, edge: Edge) -> dict[str, object]:
    """What was recorded beside an edge."""
    with unit_of_work(driver.database) as session:
        row = session.execute(
            select(PolicyEventRow).where(col(PolicyEventRow.policy_id) == policy_id, col(PolicyEventRow.edge) == edge)
        ).scalar_one()
    return row.detail


def quoted(driver: Driver) -> tuple[UUID, dict[str, object], int]:
    """A policy that waits for its purchase, with the wallet's payload and the quote's last height."""
    answer = driver.quote()
    return UUID(answer["policy"]["id"]), answer["wallet_payload"], answer["quote"]["valid_until_height"]


def on_chain(driver: Driver, policy_id: UUID) -> int:
    found = driver.policy(policy_id).policy_id_on_chain
    assert found is not None
    return found


def settling(driver: Driver) -> UUID:
    policy_id = driver.buy()
    driver.chain.price("40000")
    driver.activate(policy_id)
    return policy_id


def run_out(driver: Driver, **changes: object) -> UUID:
    """An Active policy whose week is over, followed up to there."""
    policy_id = driver.buy(duration_days=7, **changes)
    driver.chain.burn(WEEK + 1)
    driver.follow()
    return policy_id


def confirm(driver: Driver) -> None:
    """Mine what waits, and let it be confirmed."""
    driver.chain.mine()
    driver.chain.burn(driver.depths.confirmed)
    driver.follow()


def appoint(driver: Driver, who: Principal) -> None:
    """Have the registry listen to another backend."""
    driver.chain.call(
        driver.chain.deployer, driver.chain.contracts.registry, "set-backend-principal", parse_principal(who)
    )
    driver.chain.mine()


def backend(driver: Driver) -> Principal:
    return Principal(driver.chain.backend.address(TESTNET))


def stranger(driver: Driver) -> Principal:
    return Principal(driver.chain.deployer.address(TESTNET))


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


# two steps


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


# quarantine


def unexplained(driver: Driver) -> UUID:
    """A purchase in our pool whose quote the database has lost, confirmed."""
    with unit_of_work(driver.database) as session:
        parameters.put_in_force(session, replace(Parameters(), quote_valid_blocks=30), reason="for this test")
    policy_id, payload, _ = quoted(driver)
    driver.chain.buy(driver.wallet, payload)
    with unit_of_work(driver.database) as session:
        session.execute(update(QuoteRow).where(col(QuoteRow.policy_id) == policy_id).values(quote_id=b"\x00" * 16))
    driver.chain.mine()
    driver.chain.burn(driver.depths.final)
    driver.follow()
    with unit_of_work(driver.database) as session:
        return session.execute(
            select(col(PolicyRow.id)).where(col(PolicyRow.status_detailed) == "Quarantined")
        ).scalar_one()


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


# what a fork undoes


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
    driver.follow()
    assert last(driver, policy_id) == ("q", "orphaned", "chain")
    assert driver.policy(policy_id).settlement_amount_base_units is None


def test_edge_r_a_release_that_a_fork_took_is_expiring_again(driver: Driver) -> None:
    policy_id = run_out(driver)
    driver.expire(policy_id)
    driver.run(policy_id)
    driver.chain.reorganise(2)
    driver.follow()
    assert last(driver, policy_id) == ("r", "orphaned", "chain")
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "locked"


def test_edge_s_an_entry_that_a_fork_took_leaves_quarantine(driver: Driver) -> None:
    policy_id = unexplained(driver)
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.burn()
    driver.follow()
    driver.sync(policy_id)
    assert last(driver, policy_id) == ("s", "orphaned", "chain")
    assert driver.policy(policy_id).status_detailed == "FailedCreation"


def test_every_letter_of_the_diagram_has_a_test_here() -> None:
    names = "".join(name for name in globals() if name.startswith("test_edge_"))
    missing = [edge for edge in Edge if f"_{edge.value}_" not in names]
    assert missing == []
