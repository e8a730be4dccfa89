"""Events that somebody pushes: sent twice, too early, of a fork that lost or by a liar, the end is the chain's."""

import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from registry.domain.units import Principal, TxId
from registry.stacks.clarity import StringAscii, Tuple, UInt, Value, parse_principal, to_hex
from registry.stacks.events import Event, PolicyCreated, PolicyStatusUpdated, decode_event
from registry.store import blocks
from registry.store.session import unit_of_work
from registry.store.tables import ChainEventRow, PolicyEventRow
from tests.integration.leftovers import STRIKE, event_of, nothing_left
from tests.integration.stack import Holder, Stack, as_kept, until

SECONDS = 20.0


def edges(stack: Stack, policy_id: str) -> str:
    """The letters of a policy's walk so far."""
    with unit_of_work(stack.database) as session:
        walked = session.execute(
            select(col(PolicyEventRow.edge))
            .where(col(PolicyEventRow.policy_id) == UUID(policy_id))
            .order_by(col(PolicyEventRow.id))
        )
        return "".join(walked.scalars())


def told_by_the_node(stack: Stack, kind: type[Event], tx_id: str) -> dict[str, object]:
    """The registry's event of one transaction, as the node shows it now, in the form in which a node pushes it."""
    registry = stack.chain.contracts.registry
    for log in stack.chain.node.logs(registry).logs:
        if log.txid == tx_id and isinstance(decode_event(stack.chain.contracts, registry, log.raw), kind):
            return {
                **event_of(registry, "0x" + log.raw.hex(), txid=f"0x{log.txid}"),
                "event_index": log.event_index,
            }
    raise AssertionError(f"the node shows no {kind.__name__} in {tx_id}")


def push_twice(stack: Stack, event: Mapping[str, object]) -> None:
    """Send one event two times at once; both are accepted under its txid."""
    accepted = {"accepted": True, "tx_id": str(event["txid"]).removeprefix("0x")}
    assert [each.answer() for each in [stack.client.handle_on_chain_event(event) for _ in range(2)]] == [accepted] * 2


def let_it_be_followed(stack: Stack) -> None:
    """Seal a block and wait until it is applied: whatever was pushed before has been acted on by then."""
    stack.chain.burn()
    last = stack.chain.node.tip().index_block_hash

    def is_applied() -> bool:
        with unit_of_work(stack.database) as session:
            return blocks.is_canonical(session, last)

    until(is_applied, seconds=SECONDS)


def kept(stack: Stack, tx_id: str) -> int:
    """How many events of a transaction are kept."""
    with unit_of_work(stack.database) as session:
        return session.execute(
            select(func.count()).select_from(ChainEventRow).where(col(ChainEventRow.tx_id) == tx_id)
        ).scalar_one()


def purchase(holder: Holder, answer: Mapping[str, Any]) -> TxId:
    """The wallet's transaction, mined in a block of its own and not yet confirmed."""
    tx_id = holder.stack.chain.buy(holder.wallet, answer["wallet_payload"])
    holder.stack.chain.burn()
    return tx_id


def test_both_kinds_of_event_sent_early_and_twice_move_a_policy_once(holder: Holder) -> None:
    stack, answer = holder.stack, holder.request()
    policy_id: str = answer["policy"]["id"]
    bought = purchase(holder, answer)
    created = told_by_the_node(stack, PolicyCreated, bought)
    push_twice(stack, created)  # its block may be applied or not, and is not confirmed
    stack.wait_for(policy_id, "Active")
    push_twice(stack, created)
    stack.chain.price("40000")
    holder.activate(policy_id)
    settled = stack.wait_for(policy_id, "Settled")
    paid: str = settled["tx_id_status_update"]
    updated = told_by_the_node(stack, PolicyStatusUpdated, paid)
    for event in (updated, created, updated):
        push_twice(stack, event)
    let_it_be_followed(stack)
    assert edges(stack, policy_id) == "abcd"
    assert as_kept(stack.client.get_by_id(policy_id).answer()) == as_kept(settled)
    assert (kept(stack, bought), kept(stack, paid)) == (2, 2)


def test_an_event_of_an_orphaned_block_brings_nothing_back(holder: Holder) -> None:
    stack, answer = holder.stack, holder.request()
    policy_id: str = answer["policy"]["id"]
    let_it_be_followed(stack)
    created = told_by_the_node(stack, PolicyCreated, purchase(holder, answer))
    stack.chain.burn(2)
    until(lambda: edges(stack, policy_id) == "ab", seconds=SECONDS)
    stack.chain.reorganise(2, transactions="drop")
    stack.chain.nonces.clear()
    until(lambda: edges(stack, policy_id) == "abp", meanwhile=stack.chain.mine, seconds=SECONDS)
    push_twice(stack, created)
    let_it_be_followed(stack)
    pending = stack.client.get_by_id(policy_id).answer()
    assert pending is not None
    assert (pending["policy_id_on_chain"], pending["tx_id_creation"]) == (None, None)
    assert edges(stack, policy_id).removeprefix("abp") in {"", "e"}


def forged(contract: Principal, fields: Mapping[str, Value], *, txid: str) -> dict[str, object]:
    """An event that no block holds."""
    return event_of(contract, to_hex(Tuple(dict(fields))), txid=txid)


def creation_fields(stack: Stack, holder: Holder, *, policy_id: int, ends: int) -> dict[str, Value]:
    return {
        "event": StringAscii("policy-created"),
        "policy-id": UInt(policy_id),
        "owner": parse_principal(holder.address),
        "counterparty": parse_principal(stack.chain.contracts.pool),
        "protected-value": UInt(STRIKE),
        "protected-amount": UInt(1_000_000),
        "expiration-height": UInt(ends),
        "policy-type": StringAscii("PUT"),
        "status": UInt(0),
        "burn-height": UInt(stack.chain.node.tip().burn_height),
    }


def status_fields(stack: Stack, holder: Holder, *, policy_id: int, status: int) -> dict[str, Value]:
    return {
        "event": StringAscii("policy-status-updated"),
        "policy-id": UInt(policy_id),
        "owner": parse_principal(holder.address),
        "counterparty": parse_principal(stack.chain.contracts.pool),
        "previous-status": UInt(0),
        "new-status": UInt(status),
        "burn-height": UInt(stack.chain.node.tip().burn_height),
    }


@pytest.mark.parametrize("status", [1, 2])
def test_a_liar_ends_no_policy(holder: Holder, status: int) -> None:
    stack, policy_id = holder.stack, holder.buy()
    before = stack.client.get_by_id(policy_id).answer()
    assert before is not None
    on_chain = before["policy_id_on_chain"]
    assert on_chain is not None
    fields = status_fields(stack, holder, policy_id=on_chain, status=status)
    # under a txid that nobody has, and under that of the purchase
    for txid in (f"0x{secrets.token_hex(32)}", f"0x{before['tx_id_creation']}"):
        push_twice(stack, forged(stack.chain.contracts.registry, fields, txid=txid))
    let_it_be_followed(stack)
    assert as_kept(stack.client.get_by_id(policy_id).answer()) == as_kept(before)
    assert edges(stack, policy_id) == "ab"


def test_a_liar_creates_no_policy(holder: Holder) -> None:
    stack, answer = holder.stack, holder.request()
    policy_id, tx_id = answer["policy"]["id"], secrets.token_hex(32)
    fields = creation_fields(stack, holder, policy_id=10**6, ends=answer["policy"]["expiration_height"])
    with nothing_left(stack, holder.address):
        push_twice(stack, forged(stack.chain.contracts.registry, fields, txid=f"0x{tx_id}"))
        let_it_be_followed(stack)
    assert edges(stack, policy_id) == "a"
    assert (kept(stack, tx_id), stack.client.get_by_id(10**6).answer()) == (0, None)
