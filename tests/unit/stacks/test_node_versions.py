"""Which version of the API is asked: the newest, an older one for a path that is missing, and for how long."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.units import BlockHash, BurnHeight, Nonce, Principal, StacksHeight, TxId
from registry.stacks.clarity import Ok, UInt, to_hex
from registry.stacks.hiro import REMEMBERED_SECONDS, last_of
from registry.stacks.http_node import HttpNode
from registry.stacks.node import BlockRef, ChainStatus, NodeUnavailable

if TYPE_CHECKING:
    from tests.unit.stacks.conftest import Server

SENDER = Principal("ST1V0E6135062YQ0JWDERD788R89E2BC98Q4ANYBK")
POOL = Principal("ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69.liquidity-pool")
TXID = TxId("0a" * 32)
V3_TRANSACTION = f"/extended/v3/transactions/0x{TXID}"
V1_TRANSACTION = f"/extended/v1/tx/0x{TXID}"

BLOCK = {
    "canonical": True,
    "height": 812,
    "hash": "0x" + "2c" * 32,
    "index_block_hash": "0x" + "1b" * 32,
    "parent_block_hash": "0x" + "3d" * 32,
    "block_time": 1_717_632_000,
    "burn_block_height": 903,
    "txs": [],
}
PARENT = {**BLOCK, "height": 811, "hash": "0x" + "3d" * 32, "index_block_hash": "0x" + "4e" * 32}
MINED = {
    "tx_id": "0x" + TXID,
    "nonce": 7,
    "sender_address": SENDER,
    "tx_status": "success",
    "block_hash": "0x" + "2c" * 32,
    "block_height": 812,
    "burn_block_height": 903,
    "canonical": True,
    "microblock_canonical": True,
    "tx_result": {"hex": "0x" + to_hex(Ok(UInt(4))), "repr": "(ok u4)"},
}
PENDING = {"tx_id": "0x" + TXID, "nonce": 7, "sender_address": SENDER, "tx_status": "pending", "receipt_time": 1}


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def node(server: "Server", clock: Clock) -> Iterator[HttpNode]:
    client = HttpNode(server.url, clock=clock)
    yield client
    client.close()


@pytest.fixture
def old(server: "Server") -> "Server":
    """An API that has v1 alone, as Hiro's answers for a path that it does not have."""
    server.says({"message": "Route GET:/extended/ not found", "error": "Not Found", "statusCode": 404}, 404)
    for path in (
        V3_TRANSACTION,
        f"/extended/v3/principals/{SENDER}/nonces",
        f"/extended/v2/smart-contracts/{POOL}/logs",
    ):
        server.says_at(path, {"message": f"Route GET:{path} not found", "error": "Not Found", "statusCode": 404}, 404)
    server.says_at(V1_TRANSACTION, MINED)
    server.says_at(f"/extended/v1/block/{BLOCK['hash']}", BLOCK)
    server.says_at(f"/extended/v1/block/{PARENT['hash']}", PARENT)
    return server


def paths(server: "Server") -> list[str]:
    return [each.path.partition("?")[0] for each in server.asked]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"message": f"Route GET:{V3_TRANSACTION}?include=result not found", "error": "Not Found"}),
        (404, {"message": f"GET {V3_TRANSACTION} not found"}),
        (404, f"<pre>Cannot GET {V3_TRANSACTION}</pre>".encode()),
        (404, b"404 page not found"),
        (404, b""),
        (410, {"error": "Gone", "message": "This endpoint is no longer available"}),
    ],
)
def test_a_path_that_is_missing_is_asked_for_in_the_older_version(
    old: "Server", node: HttpNode, status: int, body: object
) -> None:
    old.says_at(V3_TRANSACTION, body, status)
    seen = node.transaction(TXID)
    assert seen is not None
    assert (seen.txid, seen.status, seen.nonce, seen.sender) == (TXID, ChainStatus.SUCCESS, 7, SENDER)
    assert seen.block == BlockRef(
        height=StacksHeight(812), index_block_hash=BlockHash("1b" * 32), burn_height=BurnHeight(903)
    )
    assert seen.result == bytes.fromhex(to_hex(Ok(UInt(4))))
    assert paths(old) == [V3_TRANSACTION, V1_TRANSACTION, f"/extended/v1/block/{BLOCK['hash']}"]


@pytest.mark.parametrize(
    "body",
    [
        {"error": "Not Found", "message": "Transaction not found", "statusCode": 404},
        {"error": "could not find transaction by ID"},
    ],
)
def test_a_thing_that_is_missing_is_missing_and_no_older_version_is_asked(
    old: "Server", node: HttpNode, body: object
) -> None:
    old.says_at(V3_TRANSACTION, body, 404)
    assert node.transaction(TXID) is None
    assert paths(old) == [V3_TRANSACTION]
    old.says_at(V3_TRANSACTION, {"message": f"Route GET:{V3_TRANSACTION} not found"}, 404)
    old.says_at(V1_TRANSACTION, body, 404)
    assert node.transaction(TXID) is None


def test_a_path_that_was_missing_is_asked_for_again_only_after_a_while(
    old: "Server", node: HttpNode, clock: Clock
) -> None:
    old.says_at(V1_TRANSACTION, PENDING)
    for _ in range(3):
        assert node.transaction(TXID) is not None
    assert paths(old) == [V3_TRANSACTION, V1_TRANSACTION, V1_TRANSACTION, V1_TRANSACTION]
    clock.seconds += REMEMBERED_SECONDS - 1
    node.transaction(TXID)
    assert paths(old)[-1] == V1_TRANSACTION
    clock.seconds += 1
    old.says_at(V3_TRANSACTION, {"error": "Transaction not found"}, 404)
    assert node.transaction(TXID) is None
    assert paths(old)[-1] == V3_TRANSACTION


def test_one_path_that_is_missing_says_nothing_of_the_others(old: "Server", node: HttpNode) -> None:
    node.transaction(TXID)
    old.says_at("/extended/v2/blocks/latest", {**BLOCK, "parent_index_block_hash": PARENT["index_block_hash"]})
    assert node.tip().index_block_hash == "1b" * 32
    assert paths(old)[-1] == "/extended/v2/blocks/latest"


def test_a_path_that_no_version_has_is_unavailable_and_tried_again_at_once(server: "Server", node: HttpNode) -> None:
    server.says(b"nothing here", 404)
    for _ in range(2):
        with pytest.raises(NodeUnavailable, match=rf"GET {V3_TRANSACTION} gave no usable answer: status 404") as caught:
            node.transaction(TXID)
        assert not caught.value.maybe_sent
    assert paths(server) == [V3_TRANSACTION, V1_TRANSACTION] * 2


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_in_trouble_is_no_old_server(old: "Server", node: HttpNode, status: int) -> None:
    old.says_at(V3_TRANSACTION, b"trouble", status)
    with pytest.raises(NodeUnavailable, match=f"status {status}"):
        node.transaction(TXID)
    assert paths(old) == [V3_TRANSACTION]


@pytest.mark.parametrize(
    "shown",
    [
        {**PENDING, "tx_status": "dropped_replace_by_fee"},
        {**PENDING, "tx_status": "dropped_by_whim"},
        {**MINED, "canonical": False},
        {**MINED, "microblock_canonical": False},
    ],
)
def test_what_v1_shows_of_a_dropped_or_orphaned_transaction_is_none(
    old: "Server", node: HttpNode, shown: object
) -> None:
    old.says_at(V1_TRANSACTION, shown)
    assert node.transaction(TXID) is None


def test_a_status_never_heard_of_is_unknown_in_v1_too(old: "Server", node: HttpNode) -> None:
    old.says_at(V1_TRANSACTION, {**MINED, "tx_status": "frozen"})
    seen = node.transaction(TXID)
    assert seen is not None
    assert seen.status is ChainStatus.UNKNOWN


@pytest.mark.parametrize(
    "change",
    [
        {"block_hash": "0x12"},
        {"canonical": None},
        {"burn_block_height": None},
        {"tx_result": "0x03"},
        {"sender_address": None},
        {"tx_status": None},
        {"tx_id": "0x" + "ff" * 32},
    ],
)
def test_a_v1_transaction_with_a_hole_is_malformed(old: "Server", node: HttpNode, change: dict[str, object]) -> None:
    old.says_at(V1_TRANSACTION, {**MINED, **change})
    with pytest.raises(NodeUnavailable, match="malformed"):
        node.transaction(TXID)


def test_a_v1_block_is_joined_with_its_parents_index_hash_and_remembered(old: "Server", node: HttpNode) -> None:
    for path in ("/extended/v2/blocks/latest", "/extended/v2/blocks/812"):
        old.says_at(path, {"message": f"Route GET:{path} not found"}, 404)
    old.says_at("/extended/v2/blocks", {"message": "GET /extended/v2/blocks not found"}, 404)
    old.says_at("/extended/v1/block", {"limit": 1, "offset": 0, "total": 812, "results": [BLOCK]})
    old.says_at("/extended/v1/block/by_height/812", BLOCK)
    tip = node.tip()
    assert (tip.index_block_hash, tip.parent_index_block_hash) == ("1b" * 32, "4e" * 32)
    old.asked.clear()
    assert node.block(StacksHeight(812)) == node.block(tip.index_block_hash) == tip
    assert f"/extended/v1/block/{PARENT['hash']}" not in paths(old)
    old.says_at("/extended/v1/block/by_height/812", {**BLOCK, "index_block_hash": "0x" + "77" * 32})
    assert node.block(tip.index_block_hash) is None


def test_nonces_of_v1(old: "Server", node: HttpNode) -> None:
    told = {
        "last_mempool_tx_nonce": 9,
        "last_executed_tx_nonce": None,
        "possible_next_nonce": 10,
        "detected_missing_nonces": [8],
        "detected_mempool_nonces": [9],
    }
    old.says_at(f"/extended/v1/address/{SENDER}/nonces", told)
    nonces = node.nonces(SENDER)
    assert (nonces.next_nonce, nonces.last_confirmed, nonces.last_pending) == (10, None, 9)
    assert (nonces.pending, nonces.missing) == ((Nonce(9),), (Nonce(8),))


def log_of(event_index: int) -> dict[str, object]:
    value = {"hex": "0x" + to_hex(UInt(event_index)), "repr": f"u{event_index}"}
    return {
        "event_index": event_index,
        "event_type": "smart_contract_log",
        "tx_id": "0x" + TXID,
        "contract_log": {"contract_id": POOL, "topic": "print", "value": value},
    }


def test_a_list_that_was_begun_in_v1_is_ended_in_v1(old: "Server", node: HttpNode, clock: Clock) -> None:
    path = f"/extended/v1/contract/{POOL}/events"
    old.says_at(path, {"limit": 2, "offset": 0, "results": [log_of(9), log_of(8)]})
    first = node.logs(POOL, limit=2)
    assert ([log.event_index for log in first.logs], first.total) == ([9, 8], None)
    clock.seconds += REMEMBERED_SECONDS
    old.says_at(f"/extended/v2/smart-contracts/{POOL}/logs", {"limit": 2, "offset": 0, "total": 3, "results": []})
    old.says_at(path, {"limit": 3, "offset": 1, "results": [log_of(8), log_of(7)]})
    second = node.logs(POOL, limit=2, cursor=first.older)
    assert ([log.event_index for log in second.logs], second.older) == ([7], None)
    assert old.asked[-1].path == f"{path}?limit=3&offset=1"


def test_a_contract_without_events_has_no_logs_in_v1(old: "Server", node: HttpNode) -> None:
    old.says_at(f"/extended/v1/contract/{POOL}/events", {"error": "cannot find events for contract by ID"}, 404)
    page = node.logs(POOL)
    assert (page.logs, page.older) == ((), None)
    assert node.oldest_log(POOL) is None


@given(
    length=st.integers(min_value=0, max_value=300),
    guess=st.integers(min_value=0, max_value=400),
    growth=st.lists(st.integers(min_value=0, max_value=3), max_size=60),
)
def test_the_last_item_is_found_whatever_the_guess_and_however_the_list_grows(
    length: int, guess: int, growth: list[int]
) -> None:
    items, growing = list(range(length, 0, -1)), iter(growth)

    def at(place: int) -> int | None:
        for _ in range(next(growing, 0)):
            items.insert(0, len(items) + 1)
        return items[place] if place < len(items) else None

    found = last_of(at, guess=guess)
    assert found == (1 if items and (length or found) else None)


def test_a_right_guess_takes_two_reads() -> None:
    asked: list[int] = []

    def at(place: int) -> int | None:
        asked.append(place)
        return place if place < 1000 else None

    assert last_of(at, guess=999) == 999
    assert asked == [999, 1000]
