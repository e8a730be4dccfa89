"""What each answer of a node leads to: sent, sent again, looked up, given up, or a signer that pauses."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from registry.domain.fees import Fees
from registry.domain.units import MicroStx
from registry.services import signers
from registry.services.signers import NoSuchSigner, SignerNotPaused, SignerPaused
from registry.stacks.network import TESTNET
from registry.stacks.node import NodeUnavailable
from registry.store.tables import SignerRow
from tests.integration.chain import FEE, POCKET_MONEY, Chain
from tests.integration.driver import Driver
from tests.integration.sender import Sender, pinned

WHY = {"reason": "a test", "actor": "operator alice"}
DEAR = Fees(floor=MicroStx(POCKET_MONEY + 1), ceiling=MicroStx(2 * POCKET_MONEY))


@pytest.fixture
def sender(driver: Driver) -> Sender:
    return Sender(driver=driver)


# refused for good


@pytest.mark.parametrize("reason", ["NoSuchContract", "NoSuchPublicFunction"])
def test_a_call_that_no_node_takes_is_a_failure_and_uses_its_nonce_for_nothing(sender: Sender, reason: str) -> None:
    (policy_id,) = pinned(sender.driver)
    ours, elsewhere = sender.contracts, Chain(url="", node=sender.driver.chain.node).contracts
    pool = {"NoSuchContract": elsewhere.pool, "NoSuchPublicFunction": ours.registry}[reason]
    signed = sender.sign(policy_id, contracts=replace(ours, pool=pool))
    assert signed is not None
    sender.driver.send(signed)
    (attempt,) = sender.attempts()
    assert (attempt.verdict, (attempt.refusal or "").partition(":")[0]) == ("refuse", reason)
    sender.driver.send(signed)
    assert sender.attempts()[0].offered_at == attempt.offered_at, "it is not offered again"
    sender.heal()
    sender.confirm(signed)
    assert (sender.driver.edges(policy_id), sender.row(signed).status, sender.nonce) == ("abcf", "Voided", 1)


# maybe sent


def test_a_nonce_that_another_holds_is_looked_up_and_takes_no_second_one(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = sender.sign(policy_id)
    assert signed is not None
    foreign = sender.spend_elsewhere(0, fee=2 * FEE)
    sender.driver.send(signed)
    (attempt,) = sender.attempts()
    assert (sender.row(signed).status, attempt.verdict, attempt.accepted_at) == ("Sent", "resolve", None)
    assert (attempt.refusal or "").startswith("ConflictingNonceInMempool")
    sender.driver.chain.order("drop", txid=f"0x{foreign}", status="dropped_too_expensive")
    sender.look(signed, after=timedelta(minutes=1))
    sender.confirm(signed)
    assert (sender.driver.edges(policy_id), sender.nonce, len(sender.rows())) == ("abcd", 1, 1)


def test_a_nonce_that_our_own_bytes_used_is_found_by_their_txid(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    signed = sender.sign(policy_id)
    assert signed is not None
    sender.driver.chain.node.broadcast(sender.attempts()[0].raw)
    sender.driver.chain.mine()
    # a node that has mined them knows them no more as waiting
    sender.driver.send(signed)
    assert sender.row(signed).status == "Sent"
    sender.heal()
    sender.confirm(signed)
    assert (sender.driver.edges(policy_id), len(sender.attempts()), sender.nonce) == ("abcd", 1, 1)


# the same bytes later


def test_too_many_in_a_row_wait_for_those_before_them(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    sender.driver.sign(policy_id)
    sender.discard()
    sender.change(SignerRow, next_nonce=27)
    signed = sender.sign(policy_id)
    assert signed is not None
    sender.driver.send(signed)
    (attempt,) = sender.attempts()
    row = sender.row(signed)
    assert (row.status, row.dead_because, attempt.verdict) == ("Signed", None, "retry")
    assert row.look_at is not None
    assert row.look_at > sender.driver.now()
    sender.spend_elsewhere(0)
    sender.driver.chain.mine()
    sender.driver.send(signed)
    assert (sender.row(signed).status, sender.statuses()) == ("Sent", ["pending"])


# what comes between


@pytest.fixture
def faulty(sender: Sender) -> Iterator[Sender]:
    """A sender whose node may be told to fail, and is good again after the test."""
    yield sender
    sender.driver.chain.order("faults")


@pytest.mark.parametrize("fault", ["reset", "lose_answer", "garbage", "html", "not_stored", "error", "limit"])
def test_whatever_becomes_of_a_request_or_its_answer_one_nonce_pays_once(faulty: Sender, fault: str) -> None:
    (policy_id,) = pinned(faulty.driver)
    signed = faulty.sign(policy_id)
    assert signed is not None
    faulty.driver.chain.order("faults", rules=[{"on": "broadcast", "fault": fault, "times": 1}])
    if fault == "not_stored":
        faulty.driver.send(signed)
        assert (faulty.row(signed).status, faulty.statuses()) == ("Sent", [None])
    else:
        with pytest.raises(NodeUnavailable) as lost:
            faulty.driver.send(signed)
        assert faulty.row(signed).status == ("Sent" if lost.value.maybe_sent else "Signed")
    for minutes in (1, 2):
        faulty.heal(after=timedelta(minutes=minutes))
        faulty.look(signed, after=timedelta(minutes=minutes))
    before = faulty.driver.balance()
    faulty.confirm(signed)
    row = faulty.driver.policy(policy_id)
    assert (faulty.driver.edges(policy_id), faulty.driver.balance() - before) == (
        "abcd",
        row.settlement_amount_base_units,
    )
    assert (len(faulty.rows()), len(faulty.attempts()), faulty.nonce) == (1, 1, 1)


def test_one_that_the_node_chokes_on_does_not_hold_up_those_behind_it(faulty: Sender) -> None:
    for policy_id in pinned(faulty.driver, 2):
        assert faulty.sign(policy_id) is not None
    faulty.driver.chain.order("faults", rules=[{"on": "broadcast", "fault": "error", "times": 1}])
    faulty.heal()
    assert faulty.statuses() == [None, "pending"]
    faulty.heal(after=timedelta(minutes=1))
    faulty.look(faulty.rows()[0].id, after=timedelta(minutes=1))
    assert faulty.statuses() == ["pending", "pending"]


# a signer that pauses


def test_a_signer_without_money_pauses_and_goes_on_by_itself_once_it_has_some(sender: Sender) -> None:
    first, second = pinned(sender.driver, 2)
    sender.fees = DEAR
    signed = sender.sign(first)
    assert signed is not None
    sender.driver.send(signed)
    row = sender.signer_row()
    assert (row.paused_at is not None, row.funds_needed, sender.row(signed).status) == (True, DEAR.floor, "Signed")
    assert (row.pause_reason or "").startswith("NotEnoughFunds")
    assert sender.sign(second) is None, "nothing is signed meanwhile"
    sender.heal(after=timedelta(minutes=1))
    assert sender.statuses() == [None]
    sender.driver.chain.order("mint", recipient=sender.principal, amount=str(POCKET_MONEY))
    sender.heal(after=timedelta(minutes=1))
    assert (sender.signer_row().paused_at, sender.statuses()) == (None, ["pending"])
    sender.confirm(signed)
    assert (sender.driver.edges(first), len(sender.attempts())) == ("abcd", 1)


def test_a_signature_that_the_node_does_not_take_pauses_the_signer_until_a_person_looked(sender: Sender) -> None:
    first, second = pinned(sender.driver, 2)
    wrong = replace(sender.contracts, network=replace(TESTNET, chain_id=0x8000_0005))
    signed = sender.sign(first, contracts=wrong)
    assert signed is not None
    sender.driver.send(signed)
    row = sender.signer_row()
    assert (row.paused_at is not None, row.funds_needed, sender.row(signed).status) == (True, None, "Signed")
    assert (row.pause_reason or "").startswith("SignatureValidation")
    assert sender.sign(second) is None
    (before,) = sender.attempts()
    sender.heal(after=timedelta(minutes=1))
    assert sender.attempts()[0].offered_at == before.offered_at
    paused_for = signers.resume(sender.driver.database, sender.principal, now=sender.driver.now(), **WHY)
    assert paused_for.startswith("SignatureValidation")
    sender.heal(after=timedelta(minutes=1))
    (after,) = sender.attempts()
    assert (after.raw, after.offered_at != before.offered_at) == (before.raw, True)
    assert sender.signer_row().paused_at is not None, "and it pauses again"


def test_a_signer_that_an_operator_paused_neither_signs_nor_sends(sender: Sender) -> None:
    first, second = pinned(sender.driver, 2)
    signed = sender.sign(first)
    assert signed is not None
    signers.pause(sender.driver.database, sender.principal, now=sender.driver.now(), **WHY)
    with pytest.raises(SignerPaused, match="alice: a test"):
        signers.pause(sender.driver.database, sender.principal, now=sender.driver.now(), **WHY)
    sender.driver.send(signed)
    sender.heal()
    assert (sender.sign(second), sender.statuses(), sender.row(signed).status) == (None, [None], "Signed")
    signers.resume(sender.driver.database, sender.principal, now=sender.driver.now(), **WHY)
    sender.heal()
    sender.confirm(signed)
    assert sender.driver.edges(first) == "abcd"


def test_orders_about_a_signer_that_cannot_be_carried_out_say_so(sender: Sender) -> None:
    (policy_id,) = pinned(sender.driver)
    now = sender.driver.now()
    with pytest.raises(NoSuchSigner):
        signers.pause(sender.driver.database, sender.principal, now=now, **WHY)
    sender.sent(policy_id)
    with pytest.raises(SignerNotPaused):
        signers.resume(sender.driver.database, sender.principal, now=now, **WHY)
    with pytest.raises(NoSuchSigner):
        signers.resume(sender.driver.database, UUID(int=0).hex, now=now, **WHY)
