"""The client against the running stack: what it answers, how it waits, and what it leaves open."""

from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from registry.store.session import unit_of_work
from registry.store.tables import ChainEventRow
from tests.integration.leftovers import REQUEST, event_of
from tests.integration.stack import Holder, Stack
from workers.client import RegistryClient
from workers.refusals import AnswerTimeout


def test_a_key_that_was_generated_is_told_and_finds_the_same_policy(holder: Holder) -> None:
    client = holder.stack.client
    asked = client.request_creation(holder.address, REQUEST)
    assert asked.idempotency_key is not None
    again = client.request_creation(holder.address, REQUEST, idempotency_key=asked.idempotency_key)
    assert asked.answer() == again.answer()
    assert client.get_by_id(asked.answer()["policy"]["id"]).idempotency_key is None


def test_one_thread_waits_for_many_calls(holder: Holder) -> None:
    client = holder.stack.client
    waiting = [client.get_by_id(str(uuid4())) for _ in range(10)]
    assert [pending.answer() for pending in waiting] == [None] * 10


def test_lists_are_gone_through_page_by_page(holder: Holder) -> None:
    client = holder.stack.client
    ids = [holder.request()["policy"]["id"] for _ in range(3)]
    assert [each["id"] for each in client.each_by_owner(holder.address, page_size=1)] == ids
    client.decline_creation(holder.address, ids[0]).answer()
    assert list(client.each_by_owner(holder.address, status="Active", page_size=1)) == []


def test_active_policies_are_listed_by_tier_and_by_the_height_at_which_they_end(holder: Holder) -> None:
    client, policy_id = holder.stack.client, holder.buy()
    policy = client.get_by_id(policy_id).answer()
    assert policy is not None
    ends = policy["expiration_height"]
    assert policy_id in [each["id"] for each in client.each_active_by_tier("Balanced", page_size=2)]
    assert policy_id in [each["id"] for each in client.each_expiring_between(ends, ends, page_size=2)]
    assert policy_id not in [each["id"] for each in client.each_expiring_between(0, ends - 1)]
    assert client.get_platform_stats().answer()["by_status"]["Active"] >= 1
    with unit_of_work(holder.stack.database) as session:
        event = session.execute(select(ChainEventRow).limit(1)).scalar_one()
    pushed = event_of(event.contract, "0x" + event.raw.hex(), txid="0x" + event.tx_id)
    for _ in range(2):
        assert client.handle_on_chain_event(pushed).answer() == {"accepted": True, "tx_id": event.tx_id}


def test_no_answer_in_time_is_unavailable_and_says_the_key_to_ask_again_with(stack: Stack) -> None:
    nobody_serves = stack.environment["REGISTRY_BROKER_URL"].removesuffix("/0") + "/7"
    with RegistryClient(nobody_serves, answer_seconds=0.2) as client:
        asked = client.request_creation(stack.chain.contracts.pool, REQUEST)
        with pytest.raises(AnswerTimeout) as late:
            asked.answer()
    assert late.value.figures == {
        "task": "policies.request_creation",
        "seconds": 0.2,
        "idempotency_key": asked.idempotency_key,
    }


def test_closing_ends_every_connection_of_the_client_and_of_no_other(stack: Stack) -> None:
    before = _sockets()
    with RegistryClient(stack.environment["REGISTRY_BROKER_URL"], stack.environment["REGISTRY_RESULT_URL"]) as client:
        client.get_platform_stats().answer()
        assert _sockets() > before
    assert _sockets() == before
    assert stack.client.get_platform_stats().answer()["policies"] >= 0


def _sockets() -> set[str]:
    links = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            links.add(str(entry.readlink()))
    return {link for link in links if link.startswith("socket:")}
