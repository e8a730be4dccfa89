"""The node in every kind of trouble, as a caller meets it: a typed refusal at once, and nothing half done."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from redis import Redis

from registry.market.feed import Feed
from registry.stacks.node import NodeUnavailable, NotAsked
from registry.store.session import Database
from tests.integration.between import Between, Harm, Said, between
from tests.integration.chain import Chain
from tests.integration.driver import Driver
from tests.integration.leftovers import nothing_left
from tests.integration.stack import ANSWER_SECONDS, Holder, Stack, until
from workers.client import RegistryClient
from workers.embedded.supervisor import Supervisor
from workers.local import worker

SILENCE, PAUSE = 0.5, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What the node does, and what of it the refusal tells."""

    harm: Harm
    told: str
    said: Said | None = None


TROUBLE = {
    "503": Trouble(harm="say", said=Said(status=503, body=b"down"), told="status 503: down"),
    "500": Trouble(harm="say", said=Said(status=500, body=b'{"error": "oops"}'), told="status 500"),
    "html": Trouble(harm="say", said=Said(status=200, body=b"<html>busy</html>"), told="malformed: not JSON"),
    "garbage": Trouble(harm="say", said=Said(status=200, body=b'{"tip": 1}'), told="malformed"),
    "nothing": Trouble(harm="say", said=Said(status=200, body=b""), told="malformed: not JSON"),
    "silence": Trouble(harm="silent", told="no answer in time"),
    "reset": Trouble(harm="reset", told="ConnectionError"),
    "lost answer": Trouble(harm="lose", told="ConnectionError"),
}


@pytest.fixture(scope="module")
def way(own_chain: Chain) -> Iterator[Between]:
    """The way to the chain."""
    with between(own_chain.url) as own:
        yield own


@pytest.fixture(scope="module")
def environment(valkey: str, own_chain: Chain, database_url: str, way: Between) -> dict[str, str]:
    """Settings of workers that reach the chain by that way only, on queues of their own."""
    server = valkey.removesuffix("/0")
    at_broker, at_results = f"{server}/7", f"{server}/8"
    for url in (at_broker, at_results):
        with closing(Redis.from_url(url)) as own:
            own.flushdb()
    return {
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_BROKER_URL": at_broker,
        "REGISTRY_RESULT_URL": at_results,
        "REGISTRY_STACKS_URL": way.url,
        "REGISTRY_STACKS_SILENCE_SECONDS": str(SILENCE),
        "REGISTRY_STACKS_REQUESTS_PER_MINUTE": "100000",
        "REGISTRY_OUTAGE_PAUSE_SECONDS": str(PAUSE),
        "REGISTRY_VENUE_URL": f"{own_chain.url}/venues",
        "REGISTRY_PYTH_API_KEY": "any",
        "REGISTRY_REGISTRY_CONTRACT": own_chain.contracts.registry,
        "REGISTRY_POOL_CONTRACT": own_chain.contracts.pool,
        "REGISTRY_SBTC_CONTRACT": own_chain.contracts.sbtc,
        "REGISTRY_SCHEDULE_SECONDS": json.dumps({}),
        "REGISTRY_SOFT_SHUTDOWN_SECONDS": "2",
    }


@pytest.fixture(scope="module")
def outside(
    own_supervisor: Supervisor, own_chain: Chain, environment: dict[str, str], key_files: dict[str, str]
) -> Iterator[Stack]:
    """A worker that asks the node, and one that signs."""
    own_supervisor.start(
        replace(worker("default", environment=environment), name="worker-outside"),
        replace(worker("signing", environment={**environment, **key_files}), name="worker-outside-signing"),
    )
    at_broker, at_results = environment["REGISTRY_BROKER_URL"], environment["REGISTRY_RESULT_URL"]
    with (
        RegistryClient(at_broker, at_results, answer_seconds=ANSWER_SECONDS) as client,
        closing(Database(environment["REGISTRY_DATABASE_URL"])) as database,
    ):
        yield Stack(client=client, chain=own_chain, database=database, environment=environment)


@pytest.fixture
def owner(outside: Stack, venues: Feed) -> Holder:
    """An owner of the test's own, on a registry that has followed the chain."""
    outside.chain.price("50000")
    outside.chain.mine()
    Driver(database=outside.database, chain=outside.chain, feed=venues).follow()
    return Holder(stack=outside)


def refused(owner: Holder) -> NodeUnavailable:
    """Ask for a quote that the node is in the way of."""
    with nothing_left(owner.stack, owner.address), pytest.raises(NodeUnavailable) as told:
        owner.request()
    return told.value


@pytest.mark.parametrize("name", TROUBLE)
def test_a_node_in_trouble_refuses_a_quote_with_its_reason_and_the_next_one_is_given(
    owner: Holder, way: Between, name: str
) -> None:
    trouble = TROUBLE[name]
    with way.doing(trouble.harm, trouble.said):
        told = refused(owner)
    assert not isinstance(told, NotAsked)
    assert trouble.told in str(told.figures["reason"])
    assert owner.request()["wallet_payload"]["functionName"] == "buy-policy-stx"


def test_a_node_that_asks_for_a_pause_gets_it_and_callers_are_told_when_to_come_back(
    owner: Holder, way: Between
) -> None:
    with way.doing("say", Said(status=429, body=b"slow down", headers={"Retry-After": "2"})):
        told = refused(owner)
    assert (told.figures["status"], told.figures["retry_after"]) == (429, 2)
    asked = len(way.asked)
    again = refused(owner)
    assert isinstance(again, NotAsked)
    assert again.figures["retry_after"] in {1, 2}
    assert len(way.asked) == asked
    until(lambda: _is_given(owner), seconds=ANSWER_SECONDS)


def test_a_node_that_fails_again_and_again_is_left_alone_and_asked_once_when_the_pause_is_over(
    owner: Holder, way: Between
) -> None:
    with way.doing("say", Said(status=502, body=b"")):
        for _ in range(5):
            assert not isinstance(refused(owner), NotAsked)
        asked = len(way.asked)
        told = refused(owner)
        assert isinstance(told, NotAsked)
        assert "it failed 5 times in a row (status 502" in str(told.figures["reason"])
        assert len(way.asked) == asked
    until(lambda: _is_given(owner), seconds=ANSWER_SECONDS)


def _is_given(owner: Holder) -> bool:
    try:
        owner.request()
    except NotAsked:
        return False
    return True
