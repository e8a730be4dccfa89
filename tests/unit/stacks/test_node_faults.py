"""What a node may answer instead of an answer."""

import json
import pickle
import time
from typing import TYPE_CHECKING

import pytest

from registry.domain.units import BlockHash, Principal, TxId
from registry.stacks.clarity import Ok, UInt, to_hex
from registry.stacks.http_node import HttpNode
from registry.stacks.node import (
    NodeUnavailable,
)

if TYPE_CHECKING:
    from tests.unit.stacks.conftest import Server

SENDER = Principal("ST1V0E6135062YQ0JWDERD788R89E2BC98Q4ANYBK")
TXID = TxId("0a" * 32)
INDEX_HASH = BlockHash("1b" * 32)

BLOCK = {
    "canonical": True,
    "height": 812,
    "hash": "0x" + "2c" * 32,
    "index_block_hash": "0x" + INDEX_HASH,
    "parent_block_hash": "0x" + "3d" * 32,
    "parent_index_block_hash": "0x" + "4E" * 32,
    "block_time": 1_717_632_000,
    "burn_block_height": 903,
    "tx_count": 2,
}
MINED = {
    "tx_id": "0x" + TXID,
    "type": "contract_call",
    "status": "success",
    "sender": {"address": SENDER, "nonce": 7},
    "sponsor": None,
    "fee_rate": "900",
    "block": {"height": 812, "hash": "0x" + "2c" * 32, "index_hash": "0x" + INDEX_HASH, "time": 1, "tx_index": 0},
    "bitcoin_block": {"height": 903, "time": 1},
    "result": {"hex": "0x" + to_hex(Ok(UInt(4))), "repr": "(ok u4)"},
}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"not json",
        b"[" * 50_000,
        b'{"height": NaN}',
        b"1" * 5_000,
        b"\xff",
        json.dumps({**BLOCK, "height": None}).encode(),
        json.dumps({**BLOCK, "height": "812"}).encode(),
        json.dumps({**BLOCK, "height": True}).encode(),
        json.dumps({**BLOCK, "height": -1}).encode(),
        json.dumps({**BLOCK, "height": 1.5}).encode(),
        json.dumps({**BLOCK, "index_block_hash": "0x12"}).encode(),
        json.dumps({**BLOCK, "index_block_hash": ["0x"]}).encode(),
        json.dumps({**BLOCK, "block_time": 10**18}).encode(),
    ],
)
def test_a_malformed_answer_is_unavailable_and_names_the_endpoint(
    server: "Server", node: HttpNode, body: bytes
) -> None:
    server.says(body)
    with pytest.raises(NodeUnavailable, match=r"GET /extended/v2/blocks/latest .* malformed") as caught:
        node.tip()
    assert caught.value.figures["endpoint"] == "GET /extended/v2/blocks/latest"


@pytest.mark.parametrize(
    "change",
    [
        {"sender": None},
        {"sender": {"address": SENDER}},
        {"block": {"height": 1}},
        {"bitcoin_block": None},
        {"result": {"hex": "0xabc"}},
        {"result": "0x03"},
        {"status": None},
        {"tx_id": "0x" + "zz" * 32},
    ],
)
def test_a_transaction_with_a_hole_is_malformed(server: "Server", node: HttpNode, change: dict[str, object]) -> None:
    server.says({**MINED, **change})
    with pytest.raises(NodeUnavailable, match="malformed"):
        node.transaction(TXID)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"balance": "12", "locked": "0x0", "nonce": 1}, "balance"),
        ({"balance": "0x0", "locked": "0x" + "f" * 33, "nonce": 1}, "locked"),
        ({"balance": "0x0", "locked": "0x0", "nonce": "1"}, "nonce"),
    ],
)
def test_an_account_with_a_hole_is_malformed(server: "Server", node: HttpNode, body: object, field: str) -> None:
    server.says(body)
    with pytest.raises(NodeUnavailable, match=f"malformed: {field} is"):
        node.account(SENDER)


@pytest.mark.parametrize("pending", [None, {}, ["9"], [True], [-1]])
def test_nonces_with_a_hole_are_malformed(server: "Server", node: HttpNode, pending: object) -> None:
    mempool = {"last_nonce": 9, "pending_nonces": pending, "missing_nonces": []}
    server.says({"next_nonce": 10, "last_confirmed_nonce": 6, "mempool": mempool})
    with pytest.raises(NodeUnavailable, match=r"malformed: mempool.pending_nonces"):
        node.nonces(SENDER)


@pytest.mark.parametrize("results", [None, {}, [1], [None]])
def test_a_list_with_a_hole_is_malformed(server: "Server", node: HttpNode, results: object) -> None:
    server.says({"results": results})
    with pytest.raises(NodeUnavailable, match="malformed: results"):
        node.blocks()


def test_a_flag_that_is_none_is_malformed(server: "Server", node: HttpNode) -> None:
    server.says({**BLOCK, "canonical": "yes"})
    with pytest.raises(NodeUnavailable, match="malformed: canonical is 'yes', not true or false"):
        node.block(INDEX_HASH)


def test_other_than_three_estimates_are_malformed(server: "Server", node: HttpNode) -> None:
    server.says({"estimations": [{"fee": 1}]})
    with pytest.raises(NodeUnavailable, match="malformed: 1 estimates"):
        node.fee_estimate(b"payload", estimated_len=9)


def test_an_answer_without_end_is_cut_off(server: "Server", node: HttpNode) -> None:
    server.says(b"[" + b"0," * 100_000 + b"0]")
    with pytest.raises(NodeUnavailable, match="over 100000 bytes"):
        node.info()


def test_an_answer_that_drips_is_cut_off(server: "Server", node: HttpNode) -> None:
    server.says(b"1", dripping=True, headers={"Content-Length": "1000"})
    began = time.monotonic()
    with pytest.raises(NodeUnavailable, match=r"not complete after 0.6 s"):
        node.info()
    server.released.set()
    assert time.monotonic() - began < 2


def test_an_error_travels_as_json_and_as_itself(server: "Server", node: HttpNode) -> None:
    server.says(b"bad gateway", 502)
    with pytest.raises(NodeUnavailable) as caught:
        node.info()
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own bytes
    assert (type(again), again.figures) == (NodeUnavailable, caught.value.figures)
    assert json.loads(json.dumps(again.as_json()))["code"] == "node_unavailable"


def test_a_connection_serves_many_questions_and_carries_the_key(server: "Server") -> None:
    client = HttpNode(server.url + "/", api_key="secret")
    server.says(1)
    assert [client.fee_rate() for _ in range(3)] == [1, 1, 1]
    assert {each.headers["x-api-key"] for each in server.asked} == {"secret"}
    assert len({each.port for each in server.asked}) == 1
    client.close()
