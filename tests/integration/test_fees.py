"""Fees on a chain: what is paid first, and what takes the place of bytes that wait too long."""

from uuid import UUID

import pytest

from registry.domain.fees import Fees
from registry.domain.units import MicroStx
from registry.stacks.node import Accepted
from registry.stacks.wire import Transaction
from registry.store.tables import AttemptRow
from tests.integration.chain import CEILING, FEE
from tests.integration.driver import Driver
from tests.integration.refusing import answering
from tests.integration.sender import LATER, Sender, pinned

WIDE = Fees(floor=MicroStx(200), ceiling=MicroStx(10**6))


@pytest.fixture
def settling(driver: Driver) -> tuple[Sender, UUID]:
    """A policy whose payout may be signed for, and who signs it."""
    (policy_id,) = pinned(driver)
    return Sender(driver=driver), policy_id


def stuck(sender: Sender, policy_id: UUID) -> UUID:
    """A payout that waits, signed three burn blocks ago."""
    signed = sender.sign(policy_id)
    assert signed is not None
    sender.driver.chain.burn(3)
    sender.driver.follow()
    sender.driver.send(signed)
    return signed


def fees_paid(sender: Sender) -> list[int]:
    """What the bytes of each attempt say that it pays."""
    return [Transaction.decode(attempt.raw).origin.fee for attempt in sender.attempts()]


def test_the_nodes_middle_estimate_is_paid_within_bounds(settling: tuple[Sender, UUID]) -> None:
    sender, policy_id = settling
    sender.fees = WIDE
    assert sender.sign(policy_id) is not None
    (attempt,) = sender.attempts()
    # the devnet's middle estimate is twice the size
    assert fees_paid(sender) == [2 * len(attempt.raw)] == [attempt.fee_micro_stx]


def test_an_estimate_under_the_floor_is_not_followed(settling: tuple[Sender, UUID]) -> None:
    sender, policy_id = settling
    assert sender.sign(policy_id) is not None
    assert fees_paid(sender) == [FEE]


@pytest.mark.parametrize("status", [500, 200])
def test_a_node_without_an_estimate_holds_no_signature_up(settling: tuple[Sender, UUID], status: int) -> None:
    sender, policy_id = settling
    with answering(sender.driver.chain.url, "/v2/fees/transaction", status=status) as node:
        assert sender.sign(policy_id, node=node) is not None
    assert fees_paid(sender) == [FEE]


def test_what_is_stuck_is_replaced_at_its_nonce_for_a_quarter_more(settling: tuple[Sender, UUID]) -> None:
    sender, policy_id = settling
    signed = stuck(sender, policy_id)
    sender.heal(after=LATER)
    first, second = sender.attempts()
    assert fees_paid(sender) == [FEE, FEE * 5 // 4]
    before, after = Transaction.decode(first.raw), Transaction.decode(second.raw)
    assert (before.payload, before.post_conditions, before.origin.nonce) == (
        after.payload,
        after.post_conditions,
        after.origin.nonce,
    )
    assert sender.statuses() == [None, "pending"]
    sender.confirm(signed)
    assert sender.driver.policy(policy_id).tx_id_status_update == second.tx_id
    assert (sender.driver.edges(policy_id), sender.nonce) == ("abcd", 1)


def test_the_older_bytes_may_be_mined_all_the_same_and_then_they_decide(settling: tuple[Sender, UUID]) -> None:
    sender, policy_id = settling
    signed = stuck(sender, policy_id)
    sender.heal(after=LATER)
    first, second = sender.attempts()
    sender.drop(second)
    assert isinstance(sender.driver.chain.node.broadcast(first.raw), Accepted)
    before = sender.driver.balance()
    sender.confirm(signed)
    row = sender.driver.policy(policy_id)
    assert (row.status_detailed, row.tx_id_status_update) == ("Settled", first.tx_id)
    assert (sender.row(signed).status, sender.entries(policy_id)) == ("Succeeded", [(None, False)])
    assert sender.driver.balance() - before == row.settlement_amount_base_units
    sender.heal(after=LATER)
    assert (len(sender.attempts()), sender.nonce) == (2, 1)


def test_blocks_alone_or_minutes_alone_raise_nothing(settling: tuple[Sender, UUID]) -> None:
    sender, policy_id = settling
    signed = sender.sign(policy_id)
    assert signed is not None
    sender.driver.send(signed)
    sender.heal(after=LATER)
    assert fees_paid(sender) == [FEE]
    sender.change(AttemptRow, height=sender.driver.height.tip - 3)
    sender.heal()
    assert fees_paid(sender) == [FEE]
    sender.heal(after=LATER)
    assert len(fees_paid(sender)) == 2


def test_fees_are_raised_up_to_the_ceiling_and_no_further(settling: tuple[Sender, UUID]) -> None:
    sender, policy_id = settling
    stuck(sender, policy_id)
    for times in range(1, 11):
        sender.change(AttemptRow, height=sender.driver.height.tip - 3)
        sender.heal(after=times * LATER)
    paid = fees_paid(sender)
    assert paid == sorted(set(paid))
    assert (paid[0], paid[-1], len(paid)) == (FEE, CEILING, 8)
    assert len({row.nonce for row in sender.rows()}) == 1


def test_a_fee_that_the_node_finds_too_low_is_raised_and_the_call_goes_through(settling: tuple[Sender, UUID]) -> None:
    sender, policy_id = settling
    sender.fees = WIDE
    signed = sender.sign(policy_id)
    assert signed is not None
    (attempt,) = sender.attempts()
    low = sender.signer.sign_for_more(attempt.raw, fee=MicroStx(len(attempt.raw) - 1))
    sender.change(AttemptRow, raw=low.encode(), tx_id=low.txid, fee_micro_stx=low.origin.fee)
    sender.driver.send(signed)
    assert (sender.row(signed).status, sender.attempts()[0].verdict) == ("Signed", "raise_fee")
    sender.heal()
    assert (sender.row(signed).status, len(sender.attempts())) == ("Sent", 2)
    sender.confirm(signed)
    assert (sender.driver.edges(policy_id), sender.nonce) == ("abcd", 1)
