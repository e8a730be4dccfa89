"""Every nonce is used, none twice, whatever becomes of the bytes that were signed for it."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from registry.domain.parameters import Parameters
from registry.domain.units import BurnHeight
from registry.stacks.node import Accepted
from registry.stacks.wire import TokenTransfer, Transaction
from registry.store import parameters
from registry.store.session import unit_of_work
from registry.store.tables import SignerRow
from tests.integration.chain import FEE, Chain
from tests.integration.driver import Driver
from tests.integration.sender import Sender, pinned

DROPS = ["dropped_stale_garbage_collect", "dropped_problematic"]


@pytest.fixture
def sender(driver: Driver) -> Sender:
    return Sender(driver=driver)


def nowhere(sender: Sender) -> Chain:
    """Contracts that were never deployed."""
    return Chain(url=sender.driver.chain.url, node=sender.driver.chain.node)


def voided(sender: Sender, policy_id: UUID) -> UUID:
    """A payout whose call the node would not take, with a filler mined in its place."""
    signed = sender.sign(policy_id, contracts=nowhere(sender).contracts)
    assert signed is not None
    sender.driver.send(signed)
    sender.heal()
    sender.confirm(signed)
    return signed


# the same bytes again


def test_what_was_signed_and_never_sent_is_sent(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = sender.sign(policy_id)
    assert signed is not None
    sender.heal()
    assert (sender.row(signed).status, sender.statuses()) == ("Sent", ["pending"])
    sender.confirm(signed)
    assert (sender.driver.edges(policy_id), sender.nonce) == ("abcd", 1)


@pytest.mark.parametrize("status", DROPS)
def test_what_a_node_dropped_is_sent_again_as_the_same_bytes(sender: Sender, status: str) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = sender.sent(policy_id)
    sender.drop(sender.attempts()[0], status)
    assert sender.statuses() == [None]
    assert sender.driver.look(signed) == []
    assert (sender.statuses(), len(sender.attempts())) == (["pending"], 1)
    sender.confirm(signed)
    assert (sender.driver.edges(policy_id), sender.nonce) == ("abcd", 1)


def test_what_waits_for_an_hour_is_offered_again_though_nobody_lost_it(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    sender.sent(policy_id)
    (before,) = sender.attempts()
    sender.heal(after=timedelta(minutes=59))
    assert sender.attempts()[0].offered_at == before.offered_at
    sender.heal(after=timedelta(minutes=61))
    (after,) = sender.attempts()
    assert after.offered_at is not None
    assert before.offered_at is not None
    assert after.offered_at > before.offered_at
    assert (after.raw, after.accepted_at) == (before.raw, before.accepted_at)


# fillers


def test_a_dead_call_gives_its_nonce_to_a_filler_and_those_behind_it_go_on(sender: Sender) -> None:
    refused, good = pinned(sender.driver, 2)
    dead = sender.sign(refused, contracts=nowhere(sender).contracts)
    assert dead is not None
    sender.driver.send(dead)
    behind = sender.sent(good)
    sender.driver.chain.mine()
    assert (sender.nonce, sender.row(dead).dead_because) == (0, "refused")
    sender.heal()
    sender.confirm(dead, behind)
    call, filler = sender.attempts(dead)
    assert (call.kind, filler.kind, filler.fee_micro_stx > call.fee_micro_stx) == ("call", "filler", True)
    payload = Transaction.decode(filler.raw).payload
    assert isinstance(payload, TokenTransfer)
    assert (str(payload.recipient), payload.amount) == ("ST000000000000000000002AMW42H", 1)
    assert [row.status for row in sender.rows()] == ["Voided", "Succeeded"]
    assert sender.driver.edges(good) == "abcd"
    assert (sender.driver.edges(refused), sender.entries(refused)) == ("abcf", [(-1, False)])
    assert sender.nonce == 2


def test_a_filler_decides_nothing_before_it_is_confirmed(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = sender.sign(policy_id, contracts=nowhere(sender).contracts)
    assert signed is not None
    sender.driver.send(signed)
    sender.heal()
    sender.driver.chain.mine()
    sender.driver.follow()
    assert sender.driver.look(signed) == []
    assert (sender.row(signed).status, sender.entries(policy_id)) == ("Mined", [(None, True)])
    sender.confirm(signed)
    assert (sender.row(signed).status, sender.entries(policy_id)) == ("Voided", [(-1, False)])


def test_a_filler_that_a_fork_took_back_is_mined_again_and_its_call_never_is(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = voided(sender, policy_id)
    assert sender.driver.edges(policy_id) == "abcf"
    sender.driver.chain.reorganise(2, transactions="drop")
    sender.driver.chain.mine()
    sender.driver.follow()
    sender.driver.sync(policy_id)
    assert (sender.row(signed).status, sender.driver.edges(policy_id)) == ("Sent", "abcfh")
    sender.driver.look(signed)
    assert sender.statuses() == [None, "pending"]
    sender.confirm(signed)
    assert (sender.row(signed).status, len(sender.attempts()), sender.nonce) == ("Voided", 2, 1)
    again = sender.driver.run(policy_id)
    assert (sender.row(again).nonce, sender.driver.edges(policy_id)) == (1, "abcfhd")


def test_what_names_an_id_that_a_fork_moved_is_replaced_and_the_policy_is_paid_by_its_new_id(sender: Sender) -> None:
    driver = sender.driver
    with unit_of_work(driver.database) as session:
        parameters.put_in_force(session, replace(Parameters(), quote_valid_blocks=30), reason="for this test")
    mine, other = driver.quote(), driver.quote()
    policy_id = UUID(mine["policy"]["id"])
    driver.chain.buy(driver.wallet, mine["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(6)
    driver.follow()
    driver.chain.price("40000")
    driver.activate(policy_id)
    stale = sender.sent(policy_id)
    (attempt,) = sender.attempts()
    sender.drop(attempt)
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.nonces.clear()
    for answer in (other, mine):
        driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.burn()
    driver.chain.burn(6)
    # another node has had it all the time
    assert isinstance(driver.chain.node.broadcast(attempt.raw), Accepted)
    driver.follow()
    sender.heal()
    assert (sender.row(stale).dead_because, sender.statuses()) == ("moved", [None, "pending"])
    sender.confirm(stale)
    assert driver.policy(policy_id).policy_id_on_chain == 2
    assert (sender.row(stale).status, sender.entries(policy_id)) == ("Voided", [(None, False)])
    driver.decide(policy_id)
    before = driver.balance()
    again = driver.run(policy_id)
    row = driver.policy(policy_id)
    assert (row.status_detailed, sender.row(again).nonce) == ("Settled", 1)
    assert driver.balance() - before == row.settlement_amount_base_units
    driver.sync(UUID(other["policy"]["id"]))  # it may have come before the id was free
    assert driver.policy(UUID(other["policy"]["id"])).status_detailed == "Active"


# nonces that others used, and databases that remember too little or too much


def test_a_nonce_that_somebody_else_used_is_given_up_once_that_is_final(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = sender.sign(policy_id)
    assert signed is not None
    foreign = sender.spend_elsewhere(0)
    sender.driver.chain.mine()
    sender.driver.send(signed)
    assert (sender.row(signed).status, sender.attempts()[0].verdict) == ("Sent", "resolve")
    sender.driver.chain.burn(5)
    sender.driver.follow()
    assert sender.heal() == []
    assert (sender.row(signed).status, len(sender.attempts())) == ("Sent", 1)
    sender.driver.chain.burn()
    sender.driver.follow()
    assert sender.heal() == [policy_id]
    row = sender.row(signed)
    assert (row.status, row.dead_because, row.height) == ("Voided", "used", BurnHeight(sender.driver.height.final))
    assert sender.entries(policy_id) == [(None, False)]
    again = sender.driver.run(policy_id)
    assert (sender.driver.edges(policy_id), sender.row(again).nonce) == ("abcd", 1)
    assert sender.driver.has_succeeded(foreign)


def test_a_foreign_use_that_a_fork_undid_leaves_nothing_open(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = sender.sign(policy_id)
    assert signed is not None
    sender.spend_elsewhere(0)
    sender.driver.chain.mine()
    sender.driver.chain.burn(6)
    sender.driver.follow()
    assert sender.heal() == [policy_id]
    sender.driver.chain.reorganise(2, transactions="drop")
    sender.driver.chain.mine()
    sender.driver.follow()
    assert (sender.row(signed).status, sender.nonce) == ("Sent", 0)
    sender.heal()
    sender.confirm(signed)
    assert (sender.row(signed).status, sender.attempts()[-1].kind) == ("Voided", "filler")
    again = sender.driver.run(policy_id)
    assert (sender.row(again).nonce, sender.driver.policy(policy_id).status_detailed) == (1, "Settled")


def test_a_restored_database_takes_no_nonce_that_the_chain_has_used(sender: Sender) -> None:
    first, second = pinned(sender.driver, 2)
    sender.driver.run(first)
    for nonce in (1, 2):
        sender.spend_elsewhere(nonce)
        sender.driver.chain.mine()
    sender.change(SignerRow, next_nonce=1)
    again = sender.driver.run(second)
    assert (sender.row(again).nonce, sender.driver.edges(second)) == (3, "abcd")
    sender.change(SignerRow, next_nonce=1)
    sender.heal()
    assert sender.signer_row().next_nonce == sender.nonce == 4


def test_a_gap_that_no_row_of_ours_explains_is_filled(sender: Sender) -> None:
    first, second = pinned(sender.driver, 2)
    sender.driver.run(first)
    sender.change(SignerRow, next_nonce=3)
    behind = sender.sent(second)
    sender.driver.chain.mine()
    assert (sender.row(behind).nonce, sender.nonce) == (3, 1)
    sender.heal()
    assert [(row.nonce, row.purpose) for row in sender.rows()] == [
        (0, "settle"),
        (1, "fill"),
        (2, "fill"),
        (3, "settle"),
    ]
    sender.confirm(*(row.id for row in sender.rows()[1:]))
    assert [row.status for row in sender.rows()] == ["Succeeded", "Voided", "Voided", "Succeeded"]
    assert (sender.driver.edges(second), sender.nonce) == ("abcd", 4)


def test_a_nonce_that_a_fork_gave_back_is_used_by_the_same_bytes(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = sender.driver.run(policy_id)
    assert (sender.driver.edges(policy_id), sender.nonce) == ("abcd", 1)
    sender.driver.chain.reorganise(2)
    sender.driver.chain.order("pause")
    assert sender.nonce == 0
    sender.heal()
    assert (len(sender.rows()), len(sender.attempts()), sender.signer_row().next_nonce) == (1, 1, 1)
    sender.confirm(signed)
    assert (len(sender.attempts()), sender.nonce) == (1, 1)
    assert sender.driver.policy(policy_id).status_detailed == "Settled"


def test_two_rounds_at_once_sign_a_nonce_once_more_only_once(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = sender.sign(policy_id, contracts=nowhere(sender).contracts)
    assert signed is not None
    sender.driver.send(signed)
    sender.at_once(2)
    assert [attempt.kind for attempt in sender.attempts()] == ["call", "filler"]
    assert sender.attempts()[1].fee_micro_stx > FEE
