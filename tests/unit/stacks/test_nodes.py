"""Several nodes as one: who is asked, who is left alone, and what remains in doubt."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from registry.domain.units import Principal, StacksHeight, TxId
from registry.outside.breaker import Breaker
from registry.outside.bucket import LocalBucket, Rate
from registry.stacks.endpoint import Endpoint
from registry.stacks.hashes import sha512_256
from registry.stacks.http_node import HttpNode
from registry.stacks.node import (
    Accepted,
    BroadcastReason,
    NodeUnavailable,
    NotAsked,
    Rejected,
    StacksNode,
    TipGone,
)
from registry.stacks.nodes import BACK_SECONDS, Nodes
from registry.stacks.transport import Limits
from tests.unit.stacks.conftest import Server, running
from tests.unit.stacks.test_node import BLOCK, INDEX_HASH, POOL

RAW = b"signed"
TXID = TxId(sha512_256(RAW).hex())
REJECTED = {"txid": TXID, "error": "transaction rejected", "reason": "ConflictingNonceInMempool"}
SENDER = Principal("ST1V0E6135062YQ0JWDERD788R89E2BC98Q4ANYBK")


@dataclass
class Clock:
    """Stands still until it is moved."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def second() -> Iterator[Server]:
    with running() as server:
        yield server


def over(clock: Clock, *urls: str) -> Nodes:
    """Nodes at these addresses, the first one preferred."""
    limits = Limits(connect_seconds=0.2, silence_seconds=0.2, answer_seconds=1.0)
    return Nodes(
        [Endpoint(name=url, node=HttpNode(url, limits=limits), breaker=Breaker(clock=clock)) for url in urls],
        clock=clock,
    )


@pytest.fixture
def nodes(clock: Clock, server: Server, second: Server) -> Iterator[Nodes]:
    with closing(over(clock, server.url, second.url)) as own:
        yield own


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def block(height: int) -> dict[str, object]:
    return {**BLOCK, "height": height}


def failures(nodes: Nodes, times: int) -> list[NodeUnavailable]:
    """Read the tip so often, and fail each time."""
    found = []
    for _ in range(times):
        with pytest.raises(NodeUnavailable) as refused:
            nodes.tip()
        found.append(refused.value)
    return found


def test_several_nodes_are_a_stacks_node(nodes: Nodes) -> None:
    as_node: StacksNode = nodes
    assert as_node is nodes


def test_the_first_node_is_asked_while_it_answers(nodes: Nodes, server: Server, second: Server) -> None:
    server.says(block(812))
    assert [nodes.tip().height for _ in range(3)] == [812] * 3
    assert second.asked == []


def test_a_node_that_cannot_be_reached_is_passed_over_at_once_and_the_other_stayed_with(
    clock: Clock, nobody: str, second: Server
) -> None:
    second.says(block(812))
    with closing(over(clock, nobody, second.url)) as nodes:
        assert nodes.tip().height == 812
        assert nodes.endpoints[1].name == second.url
        assert nodes.tip().height == 812
    assert len(second.asked) == 2


def test_a_node_in_trouble_is_its_callers_until_it_is_left_alone(nodes: Nodes, server: Server, second: Server) -> None:
    server.says(b"<html>", 502)
    second.says(block(812))
    failures(nodes, 4)
    assert second.asked == []
    assert nodes.tip().height == 812
    asked = len(server.asked)
    assert nodes.tip().height == 812
    assert len(server.asked) == asked


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"", b"[]", b'{"height": 8'])
def test_garbage_with_a_good_status_counts_as_a_failure(
    nodes: Nodes, server: Server, second: Server, body: bytes
) -> None:
    server.says(body)
    second.says(block(812))
    failures(nodes, 4)
    assert nodes.tip().height == 812


def test_a_node_that_asks_for_a_pause_is_left_alone_so_long(
    nodes: Nodes, clock: Clock, server: Server, second: Server
) -> None:
    server.says({"error": "rate limit"}, 429, headers={"Retry-After": "90"})
    second.says(block(812))
    assert nodes.tip().height == 812
    clock.seconds += 89
    nodes.tip()
    assert len(server.asked) == 1
    server.says(block(813))
    clock.seconds += BACK_SECONDS
    assert nodes.tip().height == 813


def test_when_every_node_is_left_alone_none_is_asked_and_it_is_said_for_how_long(
    nodes: Nodes, server: Server, second: Server
) -> None:
    for each, seconds in ((server, "30"), (second, "20")):
        each.says(b"", 503, headers={"Retry-After": seconds})
    failures(nodes, 1)
    (refused,) = failures(nodes, 1)
    assert isinstance(refused, NotAsked)
    assert (refused.figures["retry_after"], refused.maybe_sent) == (20, False)
    assert "it asked for a pause (status 503" in str(refused)
    assert (len(server.asked), len(second.asked)) == (1, 1)


def test_an_answer_that_refuses_is_no_failure(nodes: Nodes, server: Server, second: Server) -> None:
    server.says({"error": "not found"}, 404)
    for _ in range(6):
        with pytest.raises(NodeUnavailable):
            nodes.account(SENDER)
    for _ in range(6):
        with pytest.raises(TipGone):
            nodes.call_read(POOL, "get-pool", sender=SENDER, tip=INDEX_HASH)
    assert second.asked == []
    assert len(server.asked) == 12


def test_the_first_node_is_used_again_once_it_has_caught_up(
    nodes: Nodes, clock: Clock, server: Server, second: Server
) -> None:
    server.says(b"", 429, headers={"Retry-After": "1"})
    second.says(block(812))
    nodes.tip()
    server.says(block(811))
    clock.seconds += BACK_SECONDS
    assert nodes.tip().height == 812
    server.says(block(812))
    assert nodes.tip().height == 812
    asked = len(second.asked)
    clock.seconds += BACK_SECONDS
    assert nodes.tip().height == 812
    assert len(second.asked) == asked


def test_what_was_seen_of_the_other_nodes_chain_counts_by_block_as_well(
    nodes: Nodes, clock: Clock, server: Server, second: Server
) -> None:
    server.says(b"", 429, headers={"Retry-After": "1"})
    second.says(block(812))
    nodes.block(StacksHeight(812))
    server.says(block(811))
    clock.seconds += BACK_SECONDS
    nodes.tip()
    assert second.asked[-1].path == "/extended/v2/blocks/latest"


def test_a_broadcast_in_doubt_is_offered_to_the_next_node_at_once_as_the_same_bytes(
    nodes: Nodes, server: Server, second: Server
) -> None:
    server.says(b"", 502)
    second.says(TXID)
    assert nodes.broadcast(RAW) == Accepted(txid=TXID)
    assert [each.body for each in (*server.asked, *second.asked)] == [RAW, RAW]


def test_a_refusal_after_a_doubt_leaves_the_doubt(nodes: Nodes, server: Server, second: Server) -> None:
    server.says(b"", 502)
    second.says(REJECTED, 400)
    with pytest.raises(NodeUnavailable) as refused:
        nodes.broadcast(RAW)
    assert refused.value.maybe_sent
    assert refused.value.figures["status"] == 502


def test_a_refusal_after_nobody_was_there_is_a_refusal(clock: Clock, nobody: str, second: Server) -> None:
    second.says(REJECTED, 400)
    with closing(over(clock, nobody, second.url)) as nodes:
        found = nodes.broadcast(RAW)
    assert isinstance(found, Rejected)
    assert found.reason is BroadcastReason.CONFLICTING_NONCE


def test_of_several_failures_the_one_that_leaves_most_in_doubt_is_told(
    clock: Clock, server: Server, nobody: str
) -> None:
    server.says(b"", cut=True)
    with closing(over(clock, server.url, nobody)) as nodes, pytest.raises(NodeUnavailable) as refused:
        nodes.broadcast(RAW)
    assert refused.value.maybe_sent


def test_a_call_beyond_our_share_is_not_made_and_is_nobodys_failure(clock: Clock, server: Server) -> None:
    server.says(block(812))
    with ExitStack() as held:
        node = HttpNode(server.url, bucket=LocalBucket(Rate(per_minute=40), clock=clock))
        nodes = held.enter_context(closing(Nodes([Endpoint(name="one", node=node, breaker=Breaker(clock=clock))])))
        for _ in range(14):
            nodes.tip()
        for refused in failures(nodes, 7):
            assert isinstance(refused, NotAsked)
            assert (refused.figures["retry_after"], refused.maybe_sent) == (3, False)
        assert len(server.asked) == 14
        server.says(TXID)
        assert nodes.broadcast(RAW) == Accepted(txid=TXID)
        server.says(block(813))
        clock.seconds += 3 + 3 * 3
        assert nodes.tip().height == 813
