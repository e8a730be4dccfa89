"""What a fork undoes in one place after another, and that nothing is lost, stuck or paid twice by it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from registry.domain.height import ChainHeight
from registry.domain.parameters import Parameters
from registry.domain.steps import StepKind
from registry.domain.units import BurnHeight, StacksHeight, TxId
from registry.services import blocks, broadcast, expiration
from registry.store import blocks as block_rows
from registry.store import parameters, transactions
from registry.store.session import unit_of_work
from registry.store.tables import (
    AttemptRow,
    BlockRow,
    PolicyEventRow,
    PolicyRow,
    QuoteRow,
    TransactionEntryRow,
    TransactionRow,
)
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.driver import Driver
from tests.integration.views import Lagging, Remembered
from tests.integration.walks import PAYOUT, settling


def long_quotes(driver: Driver) -> None:
    with unit_of_work(driver.database) as session:
        parameters.put_in_force(session, replace(Parameters(), quote_valid_blocks=30), reason="for this test")


def bought(driver: Driver, *answers: dict[str, Any], deep: int = 2) -> list[UUID]:
    """Buy in this order in one block, with one more on top that makes it `deep`."""
    for answer in answers:
        driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(deep)
    return [UUID(answer["policy"]["id"]) for answer in answers]


def forget(driver: Driver, blocks_back: int) -> None:
    """Go back, and lose what was mined there."""
    driver.chain.reorganise(blocks_back, transactions="drop")
    driver.chain.nonces.clear()


def confirm(driver: Driver, transaction_id: UUID) -> None:
    driver.follow()
    for policy_id in driver.look(transaction_id):
        driver.sync(policy_id)


def transaction(driver: Driver) -> TransactionRow:
    """The only one there is."""
    with unit_of_work(driver.database) as session:
        return session.execute(select(TransactionRow)).scalar_one()


def attempt(driver: Driver) -> AttemptRow:
    with unit_of_work(driver.database) as session:
        return session.execute(select(AttemptRow)).scalar_one()


def causes(driver: Driver, policy_id: UUID) -> dict[str, str]:
    with unit_of_work(driver.database) as session:
        rows = session.execute(select(PolicyEventRow).where(col(PolicyEventRow.policy_id) == policy_id)).scalars()
        return {row.edge: row.cause for row in rows}


def assert_canonical_blocks_are_the_nodes(driver: Driver) -> None:
    with unit_of_work(driver.database) as session:
        rows = session.execute(select(BlockRow).where(col(BlockRow.is_canonical)).order_by(col(BlockRow.height)))
        ours = [(row.height, row.index_block_hash) for row in rows.scalars()]
    tip = driver.chain.node.tip()
    theirs = [driver.chain.node.block(StacksHeight(height)) for height, _ in ours]
    assert [hash_ for _, hash_ in ours] == [block.index_block_hash for block in theirs if block is not None]
    assert ours[-1] == (tip.height, tip.index_block_hash)


# blocks


def test_a_fork_that_lost_and_wins_again_is_applied_again(driver: Driver) -> None:
    (policy_id,) = bought(driver, driver.quote())
    driver.follow()
    real = driver.chain.node
    first_fork = Remembered(driver.chain.url, driver.chain.contracts)
    forget(driver, 2)
    driver.chain.burn(3)
    driver.follow()
    assert driver.edges(policy_id) == "abp"
    driver.chain.node = first_fork
    driver.follow()
    assert driver.edges(policy_id) == "abpb"
    driver.chain.node = real
    driver.follow()
    assert driver.edges(policy_id) == "abpbp"
    assert_canonical_blocks_are_the_nodes(driver)
    assert_books_equal_the_chain(driver)
    first_fork.close()


@pytest.mark.parametrize("behind", ["registry", "pool"])
def test_events_that_the_node_shows_only_later_are_not_lost(driver: Driver, behind: str) -> None:
    contract = getattr(driver.chain.contracts, behind)
    real = driver.chain.node
    lagging = Lagging(driver.chain.url, contract, known=len(real.logs(contract).logs))
    answer = driver.quote()
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.node = lagging
    driver.follow()
    driver.chain.node = real
    driver.chain.burn()
    driver.follow()
    driver.follow()
    assert_books_equal_the_chain(driver)
    driver.chain.burn()
    driver.follow()
    assert driver.edges(UUID(answer["policy"]["id"])) == "ab"
    lagging.close()


def test_two_followers_that_meet_a_fork_at_once_agree_with_the_node(driver: Driver) -> None:
    for _ in range(4):
        driver.chain.burn()
    driver.follow()
    driver.chain.reorganise(3)
    for _ in range(5):
        driver.chain.burn()
    with ThreadPoolExecutor(max_workers=3) as threads:
        list(threads.map(lambda _: driver.follow(), range(3)))
    driver.follow()
    assert_canonical_blocks_are_the_nodes(driver)


def test_a_rewind_that_another_worker_did_already_is_not_done_again(driver: Driver) -> None:
    driver.chain.burn()
    driver.follow()
    with unit_of_work(driver.database) as session:
        stale = block_rows.tip(session)
    assert stale is not None
    driver.chain.reorganise(1)
    driver.chain.burn()
    driver.chain.burn()
    driver.follow()
    late = blocks._undo_above(driver.database, StacksHeight(stale.height - 1), tip=stale, now=driver.now())
    assert late is None
    assert_canonical_blocks_are_the_nodes(driver)


def test_a_node_that_lags_is_no_fork_and_one_that_has_other_blocks_is(driver: Driver) -> None:
    behind = Remembered(driver.chain.url, driver.chain.contracts)
    (policy_id,) = bought(driver, driver.quote())
    driver.follow()
    real, applied = driver.chain.node, canonical(driver)
    driver.chain.node = behind
    assert driver.follow() == []
    assert (canonical(driver), driver.edges(policy_id)) == (applied, "ab")
    driver.chain.node = real
    forget(driver, 2)
    driver.follow()  # a lower tip, and no block that is not ours: it may lag as well
    assert canonical(driver) == applied
    driver.chain.mine()
    driver.follow()
    assert driver.edges(policy_id) == "abp"
    assert_canonical_blocks_are_the_nodes(driver)
    behind.close()


def canonical(driver: Driver) -> list[str]:
    with unit_of_work(driver.database) as session:
        rows = session.execute(select(BlockRow).where(col(BlockRow.is_canonical)).order_by(col(BlockRow.height)))
        return [row.index_block_hash for row in rows.scalars()]


# on-chain ids


def test_two_purchases_that_swap_their_ids_in_a_fork_both_come_back(driver: Driver) -> None:
    long_quotes(driver)
    one, two = driver.quote(), driver.quote()
    ids = bought(driver, one, two)
    driver.follow()
    assert [driver.policy(each).policy_id_on_chain for each in ids] == [1, 2]
    forget(driver, 2)
    bought(driver, two, one)
    driver.follow()
    for each in driver.claim():
        assert driver.next(each) in {None, StepKind.SYNC_STATUS}
        driver.sync(each)
    assert [driver.edges(each) for each in ids] == ["abpb", "abpb"]
    assert [driver.policy(each).policy_id_on_chain for each in ids] == [2, 1]
    assert_books_equal_the_chain(driver)


def lose(driver: Driver, policy_id: UUID) -> None:
    """Forget a quote, as a database does that was restored from before it."""
    with unit_of_work(driver.database) as session:
        session.execute(update(QuoteRow).where(col(QuoteRow.policy_id) == policy_id).values(quote_id=b"\0" * 16))


def test_an_unexplained_purchase_that_a_fork_moved_is_quarantined_anew(driver: Driver) -> None:
    answer = driver.quote()
    lose(driver, UUID(answer["policy"]["id"]))
    bought(driver, answer)
    driver.follow()
    driver.chain.reorganise(2)
    driver.chain.burn()
    driver.chain.burn(2)
    driver.follow()
    driver.follow()
    with unit_of_work(driver.database) as session:
        rows = session.execute(select(PolicyRow).where(col(PolicyRow.risk_tier).is_(None))).scalars().all()
    walks = {driver.edges(row.id): row.policy_id_on_chain for row in rows}
    assert walks == {"ns": None, "n": 1}


def test_an_id_that_a_quarantined_policy_had_goes_to_whom_the_fork_gave_it(driver: Driver) -> None:
    long_quotes(driver)
    lost, mine = driver.quote(), driver.quote()
    lose(driver, UUID(lost["policy"]["id"]))
    bought(driver, lost)
    driver.follow()
    forget(driver, 2)
    (policy_id,) = bought(driver, mine)
    driver.follow()
    driver.sync(policy_id)
    assert (driver.edges(policy_id), driver.policy(policy_id).policy_id_on_chain) == ("ab", 1)


# payouts


def test_a_payout_that_moved_to_another_block_is_confirmed_there(driver: Driver) -> None:
    policy_id = settling(driver)
    before = driver.balance()
    signed = driver.run(policy_id)
    first = driver.policy(policy_id).end_block
    driver.chain.reorganise(2)
    driver.chain.burn()
    driver.chain.burn()
    driver.follow()  # undone and seen again in one round, but not deep enough
    row = driver.policy(policy_id)
    assert (driver.edges(policy_id), row.settlement_amount_base_units) == ("abcdq", None)
    assert driver.next(policy_id) in {None, StepKind.MONITOR}
    driver.chain.burn()
    confirm(driver, signed)
    assert driver.edges(policy_id) == "abcdqd"
    assert driver.policy(policy_id).end_block not in {None, first}
    assert driver.balance() - before == PAYOUT
    assert (transaction(driver).status, transaction(driver).nonce) == ("Succeeded", 0)
    assert_books_equal_the_chain(driver)


def test_a_payout_that_a_fork_put_before_its_purchase_is_paid_by_another_transaction(driver: Driver) -> None:
    policy_id = settling(driver)
    before = driver.balance()
    signed = driver.run(policy_id)
    driver.chain.reorganise(4)
    driver.chain.burn()
    driver.chain.burn(6)
    confirm(driver, signed)
    assert driver.edges(policy_id) == "abcdqpb"
    assert transaction(driver).status == "Aborted"  # the pool did not know the policy yet
    driver.chain.price("20000")
    driver.decide(policy_id)
    driver.sync(policy_id)
    assert driver.run(policy_id) != signed
    assert driver.edges(policy_id) == "abcdqpbcd"
    assert driver.balance() - before == PAYOUT
    assert_books_equal_the_chain(driver)


def test_a_purchase_and_its_payout_that_moved_together_are_both_confirmed_again(driver: Driver) -> None:
    policy_id = settling(driver)
    signed = driver.run(policy_id)
    first_fork = Remembered(driver.chain.url, driver.chain.contracts)
    real = driver.chain.node
    forget(driver, 4)
    driver.chain.burn()
    driver.follow()
    assert driver.edges(policy_id) == "abcdqp"
    driver.chain.node = first_fork
    confirm(driver, signed)
    assert driver.edges(policy_id) == "abcdqpbcd"
    assert causes(driver, policy_id)["c"] == "pinned earlier"
    assert driver.policy(policy_id).settlement_amount_base_units == PAYOUT
    driver.chain.node = real
    first_fork.close()


def test_a_transaction_that_the_node_lost_is_sent_again_as_the_same_bytes(driver: Driver) -> None:
    policy_id = settling(driver)
    signed = driver.sign(policy_id)
    assert signed is not None
    driver.send(signed)
    tx_id = TxId(attempt(driver).tx_id)
    driver.chain.order("drop", txid=tx_id)
    assert driver.chain.node.transaction(tx_id) is None
    assert driver.look(signed) == []
    assert driver.chain.node.transaction(tx_id) is not None
    driver.chain.mine()
    driver.chain.burn(2)
    confirm(driver, signed)
    assert (driver.edges(policy_id), transaction(driver).nonce) == ("abcd", 0)


def test_a_payout_that_a_fork_dropped_is_sent_again_and_paid_once(driver: Driver) -> None:
    policy_id = settling(driver)
    before = driver.balance()
    signed = driver.run(policy_id)
    forget(driver, 2)
    driver.chain.mine()
    driver.follow()
    assert driver.edges(policy_id) == "abcdq"
    assert driver.balance() == before
    driver.look(signed)
    driver.chain.burn()
    driver.chain.burn(2)
    confirm(driver, signed)
    assert driver.edges(policy_id) == "abcdqd"
    assert (driver.balance() - before, attempt(driver).tx_id) == (PAYOUT, driver.policy(policy_id).tx_id_status_update)


def test_a_refusal_that_a_fork_undid_never_happened(driver: Driver) -> None:
    policy_id = settling(driver)
    driver.chain.call(
        driver.chain.deployer, driver.chain.contracts.registry, "set-backend-principal", driver.chain.principal_value()
    )
    driver.chain.mine()
    signed = driver.run(policy_id)
    assert driver.edges(policy_id) == "abcf"
    forget(driver, 3)  # the order to listen to another backend is gone as well
    driver.chain.mine()
    driver.follow()
    assert (driver.edges(policy_id), causes(driver, policy_id)["h"]) == ("abcfh", "orphaned")
    driver.look(signed)
    driver.chain.burn()
    driver.chain.burn(2)
    confirm(driver, signed)
    assert driver.edges(policy_id) == "abcfhd"
    assert transaction(driver).status == "Succeeded"


def test_two_transactions_for_one_policy_may_fall_in_one_fork(driver: Driver) -> None:
    policy_id = driver.buy(duration_days=7)
    early = ChainHeight.at(BurnHeight(driver.policy(policy_id).expiration_height + 3), depths=driver.depths)
    expiration.begin(driver.database, [policy_id], height=early, now=driver.now())
    own = driver.chain
    first = broadcast.sign_for(
        driver.database, own.node, own.contracts, own.signer, [policy_id], height=early, now=driver.now()
    )
    assert first is not None
    driver.send(first)
    driver.chain.mine()
    driver.chain.burn(2)
    confirm(driver, first)
    assert (driver.edges(policy_id), driver.next(policy_id)) == ("abj", None)  # u104: not a failure, wait
    driver.chain.burn(7 * 144)
    driver.follow()
    second = driver.run(policy_id)
    assert driver.edges(policy_id) == "abjk"
    driver.chain.reorganise(5)
    driver.chain.burn(7 * 144 + 2)
    driver.follow()
    assert driver.edges(policy_id) == "abjkr"
    with unit_of_work(driver.database) as session:
        opened = session.execute(select(TransactionEntryRow).where(col(TransactionEntryRow.is_open))).scalars().all()
        assert [entry.transaction_id for entry in opened] == [second]
        assert {each.status for each in transactions.facts(session, policy_id)} == {"Sent"}
    driver.chain.burn(2)
    for each in (first, second):
        confirm(driver, each)
    assert driver.edges(policy_id) == "abjkrk"
    assert_books_equal_the_chain(driver)


def test_what_names_an_id_that_a_fork_gave_to_another_is_never_sent(driver: Driver) -> None:
    long_quotes(driver)
    mine, other = driver.quote(), driver.quote()
    (policy_id,) = bought(driver, mine, deep=6)
    driver.follow()
    driver.chain.price("40000")
    driver.activate(policy_id)
    signed = driver.sign(policy_id)
    assert signed is not None
    forget(driver, 2)
    bought(driver, other, mine, deep=6)
    driver.follow()
    assert driver.policy(policy_id).policy_id_on_chain == 2
    driver.decide(policy_id)
    driver.send(signed)
    assert transaction(driver).status == "Signed"
    assert driver.chain.node.transaction(TxId(attempt(driver).tx_id)) is None


def test_what_stands_in_a_block_that_is_not_applied_is_not_decided_yet(driver: Driver) -> None:
    policy_id = settling(driver)
    signed = driver.sign(policy_id)
    assert signed is not None
    driver.chain.burn(6)
    driver.follow()
    driver.chain.reorganise(1)
    driver.send(signed)
    driver.chain.burn()  # deep enough by the height that we know, but that is another fork's
    assert driver.look(signed) == []
    driver.chain.burn(2)
    confirm(driver, signed)
    assert driver.edges(policy_id) == "abcd"
