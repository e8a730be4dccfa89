"""Blocks followed once and in order; what a fork undoes, and what comes back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, update
from sqlmodel import col

from registry.domain.policy import OnChainStatus
from registry.domain.units import Token
from registry.services import blocks
from registry.stacks.contracts import update_policy_status
from registry.stacks.wire import SmartContract
from registry.store.session import unit_of_work
from registry.store.tables import BlockRow, ChainEventRow, PolicyRow, QuoteRow, ReservationRow
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.chain import CLARITY, new_key
from tests.integration.driver import Driver


def _count(driver: Driver, table: type[BlockRow] | type[ChainEventRow]) -> int:
    with unit_of_work(driver.database) as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


def test_two_followers_at_once_apply_every_block_once(driver: Driver) -> None:
    driver.quote()
    driver.chain.mine(12)
    known = _count(driver, BlockRow)

    def follow(_: int) -> int:
        own = driver.chain
        followed = blocks.follow(
            driver.database, own.node, own.contracts, depths=driver.depths, limit=50, now=datetime.now(UTC)
        )
        return followed.applied

    with ThreadPoolExecutor(max_workers=2) as threads:
        applied = list(threads.map(follow, range(2)))
    assert sum(applied) == 12
    assert _count(driver, BlockRow) == known + 12


def test_a_bounded_round_says_that_the_tip_was_not_reached(driver: Driver) -> None:
    driver.chain.mine(5)
    own = driver.chain
    first, second = (
        blocks.follow(driver.database, own.node, own.contracts, depths=driver.depths, limit=3, now=datetime.now(UTC))
        for _ in range(2)
    )
    assert (first.applied, first.behind) == (3, True)
    assert (second.applied, second.behind) == (2, False)


def test_following_again_changes_nothing(driver: Driver) -> None:
    policy_id = driver.buy()
    events = _count(driver, ChainEventRow)
    assert driver.follow() == []
    assert _count(driver, ChainEventRow) == events
    assert driver.edges(policy_id) == "ab"


def test_the_pools_mirror_equals_the_contract_to_the_last_unit(driver: Driver) -> None:
    paid = driver.buy()
    driver.buy(premium_token=Token.SBTC.value, duration_days=7)
    driver.chain.burn(100)
    driver.follow()
    assert_books_equal_the_chain(driver)
    driver.chain.price("40000")
    driver.activate(paid)
    driver.run(paid)
    driver.chain.burn(77)
    driver.follow()
    assert_books_equal_the_chain(driver)


def test_an_orphaned_purchase_is_pending_again_and_comes_back_with_its_transaction(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    assert driver.edges(policy_id) == "ab"
    driver.chain.reorganise(2)
    driver.chain.mine()
    driver.follow()
    row = driver.policy(policy_id)
    assert driver.edges(policy_id) == "abp"
    assert (row.status_detailed, row.status_on_chain, row.policy_id_on_chain) == ("PendingCreation", None, None)
    assert (row.premium_amount_base_units, row.tx_id_creation, row.creation_height) == (None, None, None)
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "reserved"
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    assert driver.edges(policy_id) == "abpb"
    assert driver.policy(policy_id).status_on_chain == 0
    assert_books_equal_the_chain(driver)


def test_a_purchase_that_a_fork_dropped_is_given_up_once_its_quote_is_outlived(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.burn(6)
    driver.follow()
    assert driver.edges(policy_id) == "abp"
    assert driver.give_up(policy_id)
    assert driver.edges(policy_id) == "abpe"
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "released"
    assert_books_equal_the_chain(driver)


def test_an_orphaned_payout_is_settling_again_and_is_paid_once(driver: Driver) -> None:
    policy_id = driver.buy()
    driver.chain.price("40000")
    driver.activate(policy_id)
    before = driver.balance()
    signed = driver.run(policy_id)
    paid = driver.balance() - before
    amount = driver.policy(policy_id).settlement_amount_base_units
    assert paid == amount
    driver.chain.reorganise(2)
    driver.chain.mine()
    driver.follow()
    row = driver.policy(policy_id)
    assert driver.edges(policy_id) == "abcdq"
    assert (row.status_detailed, row.status_on_chain, row.settlement_amount_base_units) == ("Settling", 0, None)
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    for concerned in driver.look(signed):
        driver.sync(concerned)
    driver.sync(policy_id)
    assert driver.edges(policy_id) == "abcdqd"
    assert driver.policy(policy_id).settlement_amount_base_units == amount
    assert driver.balance() - before == amount
    assert_books_equal_the_chain(driver)


def test_a_purchase_that_no_quote_explains_is_quarantined_and_never_signed_for(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.mine()
    with unit_of_work(driver.database) as session:
        # the database has lost the quote
        session.execute(update(QuoteRow).where(col(QuoteRow.policy_id) == policy_id).values(quote_id=b"\x00" * 16))
    driver.chain.burn(6)
    driver.follow()
    driver.follow()
    with unit_of_work(driver.database) as session:
        (row,) = session.execute(select(PolicyRow).where(col(PolicyRow.status_detailed) == "Quarantined")).scalars()
    assert driver.edges(row.id) == "n"
    assert (row.status_on_chain, row.risk_tier, row.owner_principal) == (0, None, driver.owner)
    driver.chain.price("10000")
    assert driver.next(row.id) is None
    assert driver.sign(row.id) is None


def test_a_policy_of_another_counterparty_is_skipped(driver: Driver) -> None:
    chain, stranger = driver.chain, new_key()
    chain.fund(stranger)
    code = (
        "(define-public (write) (contract-call? "
        f'\'{chain.contracts.registry} create-policy-entry tx-sender (as-contract tx-sender) u1 u1 u999999999 "PUT"))'
    )
    chain.send(stranger, SmartContract(name="other-pool", code=code, clarity_version=CLARITY), fee=10**6)
    chain.mine()
    tx_id = chain.call(stranger, f"{stranger.address(chain.contracts.network)}.other-pool", "write")  # type: ignore[arg-type]
    chain.mine()
    assert driver.has_succeeded(tx_id)
    policy_id = driver.buy()
    driver.follow()
    assert driver.policy(policy_id).policy_id_on_chain == 2
    with unit_of_work(driver.database) as session:
        assert session.execute(select(func.count()).select_from(PolicyRow)).scalar_one() == 1
        concerned = session.execute(
            select(col(ChainEventRow.policy_id)).where(col(ChainEventRow.policy_id_on_chain) == 1)
        ).scalars()
        assert set(concerned) == {None}


def test_a_status_that_nobody_here_asked_for_walks_the_same_edges(driver: Driver) -> None:
    policy_id = driver.buy()
    on_chain = driver.policy(policy_id).policy_id_on_chain
    assert on_chain is not None
    driver.chain.settle(on_chain, amount=5, token=Token.STX)
    driver.chain.mine()
    driver.chain.burn(2)
    driver.follow()
    assert driver.edges(policy_id) == "abcd"
    assert driver.policy(policy_id).settlement_amount_base_units == 5


def test_a_registry_status_alone_does_not_free_the_collateral(driver: Driver) -> None:
    policy_id = driver.buy(duration_days=7)
    on_chain = driver.policy(policy_id).policy_id_on_chain
    assert on_chain is not None
    driver.chain.burn(7 * 144 + 1)
    call = update_policy_status(driver.chain.contracts, on_chain, OnChainStatus.EXPIRED)
    driver.chain.order_call(driver.chain.backend, call)
    driver.chain.mine()
    driver.chain.burn(2)
    driver.follow()
    assert driver.policy(policy_id).status_detailed == "Expiring"
    with unit_of_work(driver.database) as session:
        assert session.get_one(ReservationRow, policy_id).state == "locked"
    assert_books_equal_the_chain(driver)


def test_an_events_bytes_are_kept_as_they_came(driver: Driver) -> None:
    driver.buy()
    with unit_of_work(driver.database) as session:
        kept = {(row.contract, row.tx_id): row for row in session.execute(select(ChainEventRow)).scalars()}
    logs = driver.chain.node.logs(driver.chain.contracts.pool).logs
    (purchase,) = [log for log in logs if b"policy-purchased" in log.raw]
    assert kept[purchase.contract_id, purchase.txid].raw == purchase.raw


def test_no_block_is_forgotten_when_events_are_deleted_by_hand(driver: Driver) -> None:
    """A database restored from before a block follows it again from where it stands."""
    policy_id = driver.buy()
    with unit_of_work(driver.database) as session:
        newest = session.execute(select(func.max(col(BlockRow.height)))).scalar_one()
        session.execute(delete(BlockRow).where(col(BlockRow.height) == newest))
    driver.follow()
    with unit_of_work(driver.database) as session:
        assert session.execute(select(func.max(col(BlockRow.height)))).scalar_one() == newest
    assert driver.edges(policy_id) == "ab"


@pytest.mark.parametrize("depth", [1, 4])
def test_a_fork_of_any_depth_leaves_the_mirror_equal(driver: Driver, depth: int) -> None:
    driver.buy()
    answer = driver.quote()
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    for _ in range(4):
        driver.chain.burn()
    driver.follow()
    driver.chain.reorganise(depth)
    driver.chain.burn()
    driver.follow()
    assert_books_equal_the_chain(driver)
