"""What a node says of accounts, contracts and fees, read from the documented shapes."""

import json
from typing import TYPE_CHECKING

import pytest

from registry.domain.errors import Alarm, Unavailable
from registry.domain.units import BlockHash, Principal
from registry.stacks.clarity import StringAscii, UInt, to_hex
from registry.stacks.http_node import HttpNode
from registry.stacks.node import (
    Account,
    CallReadFailed,
    NodeUnavailable,
    PrincipalNonces,
    TipGone,
)

if TYPE_CHECKING:
    from tests.unit.stacks.conftest import Server

SENDER = Principal("ST1V0E6135062YQ0JWDERD788R89E2BC98Q4ANYBK")
POOL = Principal("ST3N5PYTXQD3C2EQBGEY10GAZVS566MPMSSW0EG69.liquidity-pool")
INDEX_HASH = BlockHash("1b" * 32)


def test_an_account_has_its_free_and_locked_balance(server: "Server", node: HttpNode) -> None:
    server.says({"balance": f"0x{10**15:032x}", "locked": f"0x{2**127:032x}", "unlock_height": 0, "nonce": 12})
    account = node.account(SENDER)
    assert account == Account(balance=10**15, locked=2**127, nonce=12)  # type: ignore[arg-type]
    assert server.asked[0].path == f"/v2/accounts/{SENDER}?proof=0"


def test_nonces_show_the_gaps_the_next_one_ignores(server: "Server", node: HttpNode) -> None:
    mempool: dict[str, object] = {"last_nonce": 9, "pending_nonces": [9, 7], "missing_nonces": [8]}
    server.says({"next_nonce": 10, "last_confirmed_nonce": 6, "mempool": mempool})
    known = {"next_nonce": 10, "last_confirmed": 6, "last_pending": 9, "pending": (9, 7), "missing": (8,)}
    assert node.nonces(SENDER) == PrincipalNonces(**known)  # type: ignore[arg-type]
    empty: dict[str, object] = {"last_nonce": None, "pending_nonces": [], "missing_nonces": []}
    server.says({"next_nonce": 0, "last_confirmed_nonce": None, "mempool": empty})
    assert node.nonces(SENDER).last_confirmed is None


def test_the_node_says_which_network_it_is_on(server: "Server", node: HttpNode) -> None:
    server.says(
        {
            "network_id": 2**31,
            "burn_block_height": 904,
            "stacks_tip_height": 812,
            "is_fully_synced": False,
            "server_version": "stacks-node 4.0.2",
            "stacks_tip": "2c" * 32,
        }
    )
    info = node.info()
    assert (info.network_id, info.burn_block_height, info.stacks_tip_height) == (2**31, 904, 812)
    assert (info.is_fully_synced, info.server_version) == (False, "stacks-node 4.0.2")


def test_a_contract_exists_or_not(server: "Server", node: HttpNode) -> None:
    server.says({"functions": [], "variables": [], "maps": []})
    assert node.contract_exists(POOL)
    server.says(b"No contract interface data found", 404)
    assert not node.contract_exists(POOL)
    assert server.asked[0].path == "/v2/contracts/interface/" + POOL.replace(".", "/")


def test_the_source_of_a_contract_is_told_or_that_there_is_none(server: "Server", node: HttpNode) -> None:
    path = POOL.replace(".", "/")
    server.says(b"No contract source data found", 404)
    server.says_at(f"/v2/contracts/source/{path}", {"source": "(ok u1)", "publish_height": 8})
    assert node.contract_source(POOL) == "(ok u1)"
    assert server.asked[0].path == f"/v2/contracts/source/{path}?proof=0"
    server.replies.pop(f"/v2/contracts/source/{path}")
    assert node.contract_source(POOL) is None
    server.says_at(f"/v2/contracts/interface/{path}", {"functions": [], "variables": [], "maps": []})
    with pytest.raises(NodeUnavailable, match="knows the contract and does not tell its source"):
        node.contract_source(POOL)


def test_a_read_is_asked_in_hex_at_the_block_named(server: "Server", node: HttpNode) -> None:
    server.says({"okay": True, "result": "0x" + to_hex(UInt(3))})
    value = node.call_read(POOL, "get-pool", [StringAscii("STX")], sender=SENDER, tip=INDEX_HASH)
    assert value == UInt(3)
    request = server.asked[0]
    assert request.path == f"/v2/contracts/call-read/{POOL.replace('.', '/')}/get-pool?tip={INDEX_HASH}"
    assert json.loads(request.body) == {"sender": SENDER, "arguments": ["0x0d00000003535458"]}
    assert request.headers["Content-Type"] == "application/json"


def test_a_read_that_fails_says_what_and_why(server: "Server", node: HttpNode) -> None:
    server.says({"okay": False, "cause": "Unchecked(NoSuchContract(...))"})
    with pytest.raises(CallReadFailed, match=r"get-pool could not be read: Unchecked\(NoSuch") as caught:
        node.call_read(POOL, "get-pool", sender=SENDER)
    assert isinstance(caught.value, Alarm)
    assert caught.value.figures["contract_id"] == POOL
    server.says(b"over budget", 400)
    with pytest.raises(CallReadFailed, match="over budget"):
        node.call_read(POOL, "get-pool", sender=SENDER)


def test_a_block_that_was_forked_away_is_gone_not_empty(server: "Server", node: HttpNode) -> None:
    server.says(b"Chain tip not found", 404)
    with pytest.raises(TipGone, match=INDEX_HASH) as caught:
        node.call_read(POOL, "get-pool", sender=SENDER, tip=INDEX_HASH)
    assert isinstance(caught.value, Unavailable)
    with pytest.raises(NodeUnavailable) as without_tip:
        node.call_read(POOL, "get-pool", sender=SENDER)
    assert not isinstance(without_tip.value, TipGone)


def test_a_result_that_is_no_value_is_malformed(server: "Server", node: HttpNode) -> None:
    server.says({"okay": True, "result": "0x01"})
    with pytest.raises(NodeUnavailable, match="malformed: cannot decode"):
        node.call_read(POOL, "get-pool", sender=SENDER)


def test_fees_are_estimated_three_ways_or_not_at_all(server: "Server", node: HttpNode) -> None:
    rows = [{"fee": fee, "fee_rate": 1.5} for fee in (300, 400, 9_000)]
    server.says({"estimated_cost": {}, "estimated_cost_scalar": 1, "estimations": rows})
    assert node.fee_estimate(b"\x02payload", estimated_len=300) == (300, 400, 9_000)
    assert json.loads(server.asked[0].body) == {"transaction_payload": b"\x02payload".hex(), "estimated_len": 300}
    server.says({"error": "Estimation could not be performed", "reason": "NoEstimateAvailable"}, 400)
    assert node.fee_estimate(b"\x02payload", estimated_len=300) is None
    server.says({"error": "Estimation could not be performed", "reason": "DatabaseError"}, 400)
    with pytest.raises(NodeUnavailable):
        node.fee_estimate(b"\x02payload", estimated_len=300)


def test_the_fee_rate_is_a_bare_integer(server: "Server", node: HttpNode) -> None:
    server.says(1)
    assert node.fee_rate() == 1
    server.says(1.5)
    with pytest.raises(NodeUnavailable, match="malformed"):
        node.fee_rate()
