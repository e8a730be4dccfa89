"""The Hiro API of any age: each version read into the same values, and a policy's life on an old one."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from registry.domain.units import BlockHash, Principal, StacksHeight, Token
from registry.market.catalogue import feed
from registry.market.http import Http
from registry.stacks.clarity import StringAscii, UInt
from registry.stacks.hiro_v1 import HiroV1
from registry.stacks.hiro_v3 import HiroV3
from registry.stacks.http_node import HttpNode
from registry.stacks.node import ContractLog, LogPage, NodeUnavailable, SeenTransaction, TransactionPage
from registry.stacks.transport import Limits, Transport
from registry.stacks.wire import TESTNET
from registry.store.session import Database
from tests.conftest import enter_first_free
from tests.integration.chain import Chain
from tests.integration.driver import Driver
from workers.embedded.ports import HeldPorts
from workers.embedded.supervisor import Supervisor
from workers.local import devnet


class Pages(Protocol):
    """A list of logs, in pages."""

    def logs(self, contract_id: Principal, /, *, limit: int, cursor: str | None, offset: int) -> LogPage: ...


@pytest.fixture
def http(devnet_url: str) -> Iterator[Transport]:
    transport = Transport(devnet_url, api_key=None, limits=Limits())
    yield transport
    transport.close()


@pytest.fixture
def v1(http: Transport) -> HiroV1:
    return HiroV1(http)


@pytest.fixture
def v3(http: Transport) -> HiroV3:
    return HiroV3(http)


def deposit(chain: Chain, *, times: int = 1) -> None:
    """Print one event of the pool each time, in a block of its own."""
    for _ in range(times):
        chain.call(chain.deployer, chain.contracts.pool, "deposit", StringAscii("STX"), UInt(1_000))
        chain.mine()


def all_logs(api: Pages, contract: Principal, *, limit: int) -> list[ContractLog]:
    page = api.logs(contract, limit=limit, cursor=None, offset=0)
    found = list(page.logs)
    while page.older is not None:
        page = api.logs(contract, limit=limit, cursor=page.older, offset=0)
        found.extend(page.logs)
    return found


def all_transactions(api: HiroV1 | HiroV3, sender: Principal) -> list[SeenTransaction]:
    page: TransactionPage = api.principal_transactions(sender, limit=3, cursor=None)
    found = list(page.transactions)
    while page.older is not None:
        page = api.principal_transactions(sender, limit=3, cursor=page.older)
        found.extend(page.transactions)
    return found


def test_every_version_is_read_into_the_same_values(chain: Chain, v1: HiroV1, v3: HiroV3) -> None:
    deposit(chain, times=4)
    pool, sender = chain.contracts.pool, Principal(chain.deployer.address(TESTNET))
    aborted = chain.call(chain.backend, pool, "deposit", StringAscii("STX"), UInt(0))
    chain.mine()
    waiting = chain.call(chain.deployer, pool, "deposit", StringAscii("STX"), UInt(1))
    tip = v3.tip()
    assert v1.tip() == tip
    for height in range(1, tip.height + 2):
        assert v1.block(StacksHeight(height)) == v3.block(StacksHeight(height))
    assert v1.block(tip.index_block_hash) == tip
    assert v1.blocks(limit=5, offset=1) == v3.blocks(limit=5, offset=1)
    for txid in (aborted, waiting, *(log.txid for log in all_logs(v3, pool, limit=100))):
        assert v1.transaction(txid) == v3.transaction(txid) is not None
    assert v1.nonces(sender) == v3.nonces(sender)
    assert all_transactions(v1, sender) == all_transactions(v3, sender)
    for contract in (pool, chain.contracts.registry, Principal(f"{sender}.nothing")):
        assert all_logs(v1, contract, limit=2) == all_logs(v3, contract, limit=100)
        assert list(v1.logs(contract, limit=2, cursor=None, offset=1).logs) == all_logs(v3, contract, limit=100)[1:3]


def test_every_version_forgets_what_a_fork_undid_and_what_was_dropped(chain: Chain, v1: HiroV1, v3: HiroV3) -> None:
    deposit(chain, times=2)
    undone, pool = v1.tip(), chain.contracts.pool
    txid = all_logs(v1, pool, limit=1)[0].txid
    chain.reorganise(1)
    returned = v1.transaction(txid)
    assert returned == v3.transaction(txid)
    assert returned is not None
    assert returned.block is None
    chain.order("drop", txid=txid)
    assert v1.transaction(txid) is v3.transaction(txid) is None
    chain.mine()
    assert v1.block(undone.index_block_hash) is v3.block(undone.index_block_hash) is None
    assert v1.block(undone.height) == v3.block(undone.height) != undone
    assert all_logs(v1, pool, limit=2) == all_logs(v3, pool, limit=2)


def test_logs_that_come_while_v1_is_read_are_neither_missed_nor_repeated(chain: Chain, v1: HiroV1) -> None:
    deposit(chain, times=3)
    pool = chain.contracts.pool
    before = all_logs(v1, pool, limit=50)
    first = v1.logs(pool, limit=2, cursor=None, offset=0)
    deposit(chain)
    second = v1.logs(pool, limit=2, cursor=first.older, offset=0)
    third = v1.logs(pool, limit=50, cursor=second.older, offset=0)
    assert [*first.logs, *second.logs, *third.logs] == before
    deposit(chain, times=5)
    with pytest.raises(NodeUnavailable, match="the list moved while it was read"):
        v1.logs(pool, limit=2, cursor=first.older, offset=0)


def test_v2_counts_pages_towards_the_past_as_previous_ones(chain: Chain, http: Transport) -> None:
    deposit(chain, times=4)
    path = f"/extended/v2/smart-contracts/{chain.contracts.pool}/logs"
    newest = http.get(path, params={"limit": 2}).listed()
    assert not newest.has("next_cursor")
    older = http.get(path, params={"limit": 2, "cursor": newest.text("prev_cursor")}).listed()
    assert older.text("next_cursor") == newest.text("cursor")
    assert newest.numbered("prev_cursor") < newest.numbered("cursor")


def test_what_v1_cannot_find_is_unavailable_and_not_absent(v1: HiroV1) -> None:
    with pytest.raises(NodeUnavailable, match="was not read before"):
        v1.block(BlockHash("ab" * 32))
    with pytest.raises(NodeUnavailable, match="the cursor is of another version"):
        v1.logs(Principal("ST000000000000000000002AMW42H.any"), limit=1, cursor="7-2147483647-0-0", offset=0)


@pytest.fixture(params=["v1", "v2"])
def old_devnet_url(request: pytest.FixtureRequest, ports: HeldPorts) -> Iterator[str]:
    """A devnet whose API is of another time."""
    port = ports.hold()
    with ExitStack() as held:
        supervisor: Supervisor = enter_first_free(held)
        supervisor.start(devnet(port=port, options=("--api", request.param)))
        yield f"http://127.0.0.1:{port}"


def test_a_policy_lives_on_an_old_api(old_devnet_url: str, database: Database) -> None:
    node, http = HttpNode(old_devnet_url), Http()
    chain = Chain(url=old_devnet_url, node=node)
    chain.price("50000")
    chain.deploy()
    deposit(chain, times=2)
    venues = feed(http=http, venue_url=f"{old_devnet_url}/venues", pyth_api_key="any")
    driver = Driver(database=database, chain=chain, feed=venues)
    chain.fund(driver.wallet)
    chain.mine()
    driver.follow()
    settled = driver.buy(premium_token=Token.STX.value)
    expired = driver.buy(premium_token=Token.SBTC.value, duration_days=7)
    chain.reorganise(3)
    chain.burn(driver.depths.final)
    driver.follow()
    chain.price("40000")
    driver.activate(settled)
    driver.run(settled)
    chain.burn(7 * 144 + driver.depths.final)
    driver.follow()
    assert driver.expire(expired) == [expired]
    driver.run(expired)
    assert driver.edges(settled).endswith("cd")
    assert driver.edges(expired).endswith("jk")
    node.close()
    http.close()
