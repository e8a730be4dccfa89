"""Blocks, transactions and logs, read from the documented shapes."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from registry.domain.units import BlockHash, BurnHeight, Principal, StacksHeight, TxId
from registry.stacks.clarity import Ok, UInt, to_hex
from registry.stacks.http_node import HttpNode
from registry.stacks.node import (
    Block,
    BlockRef,
    ChainStatus,
    ContractLog,
    NodeUnavailable,
    StacksNode,
)

if TYPE_CHECKING:
    from tests.unit.stacks.conftest import Server

SENDER = Principal("ST1V0E6135062YQ0JWDERD788R89E2BC98Q4ANYBK")
POOL = Principal("ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69.liquidity-pool")
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
PENDING = {
    "tx_id": "0x" + TXID,
    "type": "contract_call",
    "status": "pending",
    "sender": {"address": SENDER, "nonce": 7},
    "sponsor": None,
    "fee_rate": "900",
    "receipt_time": 1,
    "receipt_block_height": 812,
    "replaced_by_tx_id": None,
}


def test_the_client_is_a_stacks_node(node: HttpNode) -> None:
    as_protocol: StacksNode = node
    assert as_protocol is node


def test_the_tip_is_the_latest_block(server: "Server", node: HttpNode) -> None:
    server.says(BLOCK)
    assert node.tip() == Block(
        index_block_hash=INDEX_HASH,
        block_hash="2c" * 32,
        parent_index_block_hash=BlockHash("4e" * 32),
        height=StacksHeight(812),
        burn_height=BurnHeight(903),
        time=datetime(2024, 6, 6, tzinfo=UTC),
    )
    assert server.asked[0].path == "/extended/v2/blocks/latest"


def test_without_latest_the_tip_is_the_newest_of_the_list(server: "Server", node: HttpNode) -> None:
    server.says_at("/extended/v2/blocks/latest", {"error": "not found"}, 404)
    server.says_at("/extended/v2/blocks", {"limit": 1, "offset": 0, "total": 1, "results": [BLOCK]})
    assert node.tip().index_block_hash == INDEX_HASH
    assert server.asked[1].path == "/extended/v2/blocks?limit=1&offset=0"
    server.says_at("/extended/v2/blocks", {"limit": 1, "offset": 0, "total": 0, "results": []})
    with pytest.raises(NodeUnavailable, match="no block yet"):
        node.tip()


def test_a_block_is_asked_for_by_hash_or_height(server: "Server", node: HttpNode) -> None:
    server.says(BLOCK)
    assert node.block(INDEX_HASH) == node.block(StacksHeight(812))
    assert [each.path for each in server.asked] == [
        f"/extended/v2/blocks/0x{INDEX_HASH}",
        "/extended/v2/blocks/812",
    ]
    with pytest.raises(NodeUnavailable, match="another block"):
        node.block(StacksHeight(813))


def test_a_block_off_the_canonical_chain_is_none(server: "Server", node: HttpNode) -> None:
    server.says({"error": "Block not found"}, 404)
    assert node.block(INDEX_HASH) is None
    server.says({**BLOCK, "canonical": False})
    assert node.block(INDEX_HASH) is None


def test_a_mined_transaction_has_a_block_and_a_result(server: "Server", node: HttpNode) -> None:
    server.says(MINED)
    seen = node.transaction(TXID)
    assert seen is not None
    assert (seen.txid, seen.status, seen.nonce, seen.sender) == (TXID, ChainStatus.SUCCESS, 7, SENDER)
    assert seen.block == BlockRef(
        height=StacksHeight(812),
        index_block_hash=INDEX_HASH,
        burn_height=BurnHeight(903),
    )
    assert seen.result == bytes.fromhex(to_hex(Ok(UInt(4))))
    assert server.asked[0].path == f"/extended/v3/transactions/0x{TXID}?include=result"


def test_a_pending_transaction_has_neither(server: "Server", node: HttpNode) -> None:
    server.says(PENDING)
    seen = node.transaction(TXID)
    assert seen is not None
    assert (seen.status, seen.block, seen.result) == (ChainStatus.PENDING, None, None)


def test_an_unknown_transaction_is_none(server: "Server", node: HttpNode) -> None:
    server.says({"error": "could not find transaction by ID"}, 404)
    assert node.transaction(TXID) is None


@pytest.mark.parametrize("word", ["dropped_by_whim", "", "SUCCESS"])
def test_a_status_never_heard_of_is_unknown(server: "Server", node: HttpNode, word: str) -> None:
    server.says({**MINED, "status": word})
    seen = node.transaction(TXID)
    assert seen is not None
    assert seen.status is ChainStatus.UNKNOWN


def test_every_documented_status_is_known() -> None:
    mined = ["success", "abort_by_response", "abort_by_post_condition", "problematic_skipped"]
    dropped = ["replace_by_fee", "replace_across_fork", "too_expensive", "stale_garbage_collect", "problematic"]
    words = [*mined, "pending", *(f"dropped_{each}" for each in dropped)]
    assert {ChainStatus(each) for each in words} == set(ChainStatus) - {ChainStatus.UNKNOWN}


def test_an_answer_about_another_transaction_is_no_answer(server: "Server", node: HttpNode) -> None:
    server.says(MINED)
    with pytest.raises(NodeUnavailable, match="another transaction"):
        node.transaction(TxId("ff" * 32))


def test_a_signers_transactions_come_in_pages_towards_the_past(server: "Server", node: HttpNode) -> None:
    item = {"transaction": {**MINED, "result": None}, "involvement": "sender", "balance_changes": {}}
    pages = {"next": "811:0:3", "previous": "900:0:0", "current": "812:0:1"}
    server.says({"total": 2, "limit": 1, "cursor": pages, "results": [item]})
    page = node.principal_transactions(SENDER, limit=1, cursor="812:0:1")
    assert [(each.txid, each.nonce, each.result) for each in page.transactions] == [(TXID, 7, None)]
    assert page.older == "811:0:3"
    assert server.asked[0].path == f"/extended/v3/principals/{SENDER}/transactions?limit=1&cursor=812%3A0%3A1"
    server.says({"total": 0, "limit": 1, "cursor": {"next": None}, "results": []})
    assert node.principal_transactions(SENDER).older is None


def log_of(contract_id: str, event_index: int) -> dict[str, object]:
    value = {"hex": "0x" + to_hex(UInt(event_index)), "repr": f"u{event_index}"}
    return {
        "event_index": event_index,
        "event_type": "smart_contract_log",
        "tx_id": "0x" + TXID,
        "contract_log": {"contract_id": contract_id, "topic": "print", "value": value},
    }


def test_logs_come_in_pages_towards_the_past(server: "Server", node: HttpNode) -> None:
    server.says(
        {
            "limit": 2,
            "offset": 0,
            "total": 9,
            "next_cursor": "900:0:0:0",
            "prev_cursor": "811:2147483647:3:1",
            "cursor": "812:2147483647:0:5",
            "results": [log_of(POOL, 5), log_of(POOL, 4)],
        }
    )
    page = node.logs(POOL, limit=2)
    assert page.logs[0] == ContractLog(
        txid=TXID, event_index=5, contract_id=POOL, topic="print", raw=bytes.fromhex(to_hex(UInt(5)))
    )
    assert (len(page.logs), page.total, page.older) == (2, 9, "811:2147483647:3:1")
    node.logs(POOL, cursor=page.older)
    base = f"/extended/v2/smart-contracts/{POOL}/logs"
    assert [each.path for each in server.asked] == [
        f"{base}?limit=2&offset=0",
        f"{base}?limit=100&cursor=811%3A2147483647%3A3%3A1&offset=0",
    ]


@pytest.mark.parametrize(
    ("previous", "following", "older"),
    [
        ("811-9-3-1", "813-9-0-0", "811-9-3-1"),
        ("813-9-0-0", "811-9-3-1", "811-9-3-1"),
        (None, "99-9-0-0", "99-9-0-0"),
        (None, "813-9-0-0", None),
        (None, None, None),
    ],
)
def test_the_older_page_is_found_whichever_way_pages_are_counted(
    server: "Server", node: HttpNode, previous: str | None, following: str | None, older: str | None
) -> None:
    page = {"limit": 1, "offset": 0, "total": 9, "cursor": "812-9-0-5", "results": []}
    server.says({**page, "prev_cursor": previous, "next_cursor": following})
    assert node.logs(POOL).older == older


def test_an_api_without_cursors_is_paged_by_offset(server: "Server", node: HttpNode) -> None:
    server.says({"limit": 1, "offset": 4, "total": 9, "results": [log_of(POOL, 5)]})
    assert node.logs(POOL, limit=1, offset=4).older is None
    assert server.asked[0].path.endswith("/logs?limit=1&offset=4")


def test_a_cursor_that_names_no_position_is_malformed(server: "Server", node: HttpNode) -> None:
    server.says({"limit": 1, "total": 9, "cursor": "abc", "prev_cursor": "abb", "results": []})
    with pytest.raises(NodeUnavailable, match="malformed: cursor"):
        node.logs(POOL)


def test_a_log_of_another_contract_is_no_answer(server: "Server", node: HttpNode) -> None:
    server.says({"limit": 1, "offset": 0, "total": 1, "results": [log_of(f"{SENDER}.liquidity-pool", 0)]})
    with pytest.raises(NodeUnavailable, match="another contract"):
        node.logs(POOL)
