"""What a process makes of its settings about others: which nodes, in which order, and who is told the key."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from registry.settings import Settings
from registry.stacks.node import NodeUnavailable, NotAsked
from tests.unit.stacks.conftest import Server, running
from tests.unit.stacks.test_node import BLOCK
from workers.runtime import Runtime


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    with ExitStack() as held:
        yield held.enter_context(running()), held.enter_context(running())


def runtime_on(environment: pytest.MonkeyPatch, *urls: str, **more: str) -> Runtime:
    """A runtime whose nodes are these."""
    environment.setenv("REGISTRY_STACKS_URL", ",".join(urls))
    for name, value in more.items():
        environment.setenv(f"REGISTRY_{name.upper()}", value)
    return Runtime(settings=Settings())


def test_the_key_is_told_to_the_first_node_and_to_no_other(
    environment: pytest.MonkeyPatch, servers: tuple[Server, Server]
) -> None:
    first, second = servers
    own = runtime_on(environment, first.url, second.url, stacks_api_key="secret")
    first.says(b"", 429, headers={"Retry-After": "60"})
    second.says(BLOCK)
    with closing(own.node) as node:
        assert node.tip().height == 812
    assert first.asked[0].headers["x-api-key"] == "secret"
    assert "x-api-key" not in second.asked[0].headers


def test_a_node_is_named_without_what_its_address_hides(environment: pytest.MonkeyPatch) -> None:
    own = runtime_on(environment, "https://user:secret@node.example:8443/path", "http://127.0.0.1:3999")
    with closing(own.node) as node:
        assert [each.name for each in node.endpoints] == ["node.example:8443", "127.0.0.1:3999"]


def test_how_soon_and_how_long_a_node_is_left_alone_is_set(
    environment: pytest.MonkeyPatch, servers: tuple[Server, Server]
) -> None:
    own = runtime_on(environment, servers[0].url, outage_failures="1", outage_pause_seconds="1000")
    servers[0].says(b"", 503)
    with closing(own.node) as node:
        with pytest.raises(NodeUnavailable):
            node.tip()
        with pytest.raises(NotAsked) as refused:
            node.tip()
    assert refused.value.figures["retry_after"] == 1000


def test_calls_are_counted_where_a_rate_is_set_though_the_broker_is_away(
    environment: pytest.MonkeyPatch, servers: tuple[Server, Server]
) -> None:
    servers[0].says(BLOCK)
    own = runtime_on(environment, servers[0].url, stacks_requests_per_minute="40")
    with closing(own.node) as node:
        assert [node.tip().height for _ in range(14)] == [812] * 14
        with pytest.raises(NotAsked, match="our share of calls in this minute is used up"):
            node.tip()
    assert len(servers[0].asked) == 14


def test_one_task_reads_no_more_blocks_than_a_full_bucket_lets_it(environment: pytest.MonkeyPatch) -> None:
    assert runtime_on(environment, "http://127.0.0.1:1").blocks_at_once(100) == 100
    own = runtime_on(environment, "http://127.0.0.1:1", stacks_requests_per_minute="50")
    assert own.blocks_at_once(100) == 6
    own = runtime_on(environment, "http://127.0.0.1:1", stacks_requests_per_minute="5000")
    assert own.blocks_at_once(100) == 100
