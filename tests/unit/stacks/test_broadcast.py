"""What a broadcast comes to, and when it stays in doubt."""

import contextlib
import hashlib
import socket
import time
from typing import TYPE_CHECKING

import pytest

from registry.domain.units import Principal, TxId
from registry.stacks.http_node import HttpNode
from registry.stacks.node import (
    Accepted,
    BroadcastReason,
    NodeUnavailable,
    Rejected,
)
from registry.stacks.transport import Limits

if TYPE_CHECKING:
    from tests.unit.stacks.conftest import Server

SENDER = Principal("ST1V0E6135062YQ0JWDERD788R89E2BC98Q4ANYBK")
RAW = b"\x80 some signed transaction"
RAW_TXID = hashlib.new("sha512_256", RAW).hexdigest()


@pytest.mark.parametrize("prefix", ["", "0x"])
def test_an_accepted_transaction_is_the_one_sent(server: "Server", node: HttpNode, prefix: str) -> None:
    server.says(prefix + RAW_TXID)
    assert node.broadcast(RAW) == Accepted(txid=TxId(RAW_TXID))
    assert server.asked[0].body == RAW
    assert server.asked[0].headers["Content-Type"] == "application/octet-stream"


def test_a_rejection_keeps_the_nodes_reason_and_data(server: "Server", node: HttpNode) -> None:
    data = {"expected": 5, "actual": 3, "principal": SENDER, "is_origin": True}
    rejected = {"txid": RAW_TXID, "error": "transaction rejected", "reason": "BadNonce", "reason_data": data}
    server.says(rejected, 400)
    verdict = node.broadcast(RAW)
    assert verdict == Rejected(reason=BroadcastReason.BAD_NONCE, data=data, message="BadNonce")


def test_a_rejection_keeps_the_nodes_words(server: "Server", node: HttpNode) -> None:
    said = {"reason": "SignatureValidation", "reason_data": {"message": "high S"}}
    server.says({"txid": "0x" + RAW_TXID, "error": "transaction rejected", **said}, 400)
    verdict = node.broadcast(RAW)
    assert isinstance(verdict, Rejected)
    assert (verdict.reason, verdict.message) == (
        BroadcastReason.SIGNATURE_VALIDATION,
        "SignatureValidation: high S",
    )


def test_a_reason_never_heard_of_is_unknown_and_kept(server: "Server", node: HttpNode) -> None:
    server.says({"error": "transaction rejected", "reason": "MoonPhase"}, 400)
    verdict = node.broadcast(RAW)
    assert verdict == Rejected(reason=BroadcastReason.UNKNOWN, data={}, message="MoonPhase")


def test_bytes_that_the_node_cannot_read_are_rejected_in_plain_text(server: "Server", node: HttpNode) -> None:
    server.says(b"Failed to deserialize posted transaction: underflow", 400)
    verdict = node.broadcast(RAW)
    assert isinstance(verdict, Rejected)
    assert verdict.reason is BroadcastReason.DESERIALIZATION


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("ff" * 32, 200),
        ("", 200),
        ({"txid": RAW_TXID}, 200),
        (None, 200),
        (b"<html>welcome</html>", 200),
        (b"\xff\xfe", 200),
        (b"bad gateway", 502),
        ({"error": "later"}, 503),
        (b"bad request", 400),
        ({"error": "no reason"}, 400),
        ({"reason": "BadNonce", "txid": "ff" * 32}, 400),
        ({"reason": "BadNonce", "reason_data": "no object"}, 400),
        (b"", 302),
    ],
)
def test_an_answer_that_leaves_doubt_is_no_verdict(server: "Server", node: HttpNode, body: object, status: int) -> None:
    server.says(body, status)
    with pytest.raises(NodeUnavailable) as caught:
        node.broadcast(RAW)
    assert caught.value.maybe_sent


@pytest.mark.parametrize("status", [401, 403, 404, 413])
def test_an_answer_from_before_the_node_was_not_sent(server: "Server", node: HttpNode, status: int) -> None:
    server.says(b"go away", status)
    with pytest.raises(NodeUnavailable) as caught:
        node.broadcast(RAW)
    assert not caught.value.maybe_sent


@pytest.mark.parametrize(("header", "seconds"), [("17", 17), ("soon", None), ("9" * 40, None)])
def test_a_rate_limit_says_when_to_come_back(
    server: "Server", node: HttpNode, header: str, seconds: int | None
) -> None:
    server.says({"error": "rate limit"}, 429, headers={"Retry-After": header})
    with pytest.raises(NodeUnavailable) as caught:
        node.broadcast(RAW)
    figures = caught.value.figures
    assert (figures["retry_after"], figures["status"], figures["maybe_sent"]) == (seconds, 429, False)


def test_silence_after_sending_leaves_doubt(server: "Server", node: HttpNode) -> None:
    server.says(RAW_TXID, silent=True)
    began = time.monotonic()
    with pytest.raises(NodeUnavailable, match="no answer in time") as caught:
        node.broadcast(RAW)
    assert caught.value.maybe_sent
    assert time.monotonic() - began < 2


def test_a_connection_cut_after_sending_leaves_doubt(server: "Server", node: HttpNode) -> None:
    server.says(None, cut=True)
    with pytest.raises(NodeUnavailable) as caught:
        node.broadcast(RAW)
    assert caught.value.maybe_sent


def test_a_body_cut_short_leaves_doubt(server: "Server", node: HttpNode) -> None:
    server.says(RAW_TXID, headers={"Content-Length": "500", "Connection": "close"})
    with pytest.raises(NodeUnavailable) as caught:
        node.broadcast(RAW)
    assert caught.value.maybe_sent


def test_no_connection_means_not_sent() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: refused
        client = HttpNode(f"http://127.0.0.1:{reserved.getsockname()[1]}")
        with pytest.raises(NodeUnavailable, match="no connection") as caught:
            client.broadcast(RAW)
    assert not caught.value.maybe_sent
    assert "127.0.0.1" not in str(caught.value)


def test_a_connection_that_takes_too_long_means_not_sent() -> None:
    with contextlib.ExitStack() as held:
        deaf = held.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # more than wait in line: the next one hears nothing
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003  # the standard library's own signature
            waiting.connect_ex(deaf.getsockname())
        client = HttpNode(f"http://127.0.0.1:{deaf.getsockname()[1]}", limits=Limits(connect_seconds=0.2))
        with pytest.raises(NodeUnavailable, match="no connection in time") as caught:
            client.broadcast(RAW)
    assert not caught.value.maybe_sent
