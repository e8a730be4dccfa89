"""No server holds a worker: neither a node nor a venue, wherever in its answer it begins to drip."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

import pytest

from registry.bounded_http import bounded_session, ends_at, is_over
from registry.domain.closes import ClosesUnavailable
from registry.domain.prices import Pair
from registry.domain.units import Ppm, TxId
from registry.market.catalogue import feed
from registry.market.http import Bounds, Http
from registry.market.venue import VenueError
from registry.stacks.http_node import HttpNode
from registry.stacks.node import NodeUnavailable
from registry.stacks.transport import Limits

WHOLE = 0.5
"""Seconds that a call may take here; bytes drip far faster than a socket's own time-out, which would never end it."""

PATIENCE = 30.0
PACE = 0.02
LATE = 10.0
"""Seconds by which a busy machine may be late, and far less than the drips would last."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPS = {
    "the status line": (b"HTTP/1.1 200 ", b"O"),
    "a header": (HEAD + b"X-Long: ", b"x"),
    "many headers": (HEAD, b"X: y\r\n"),
    "the body": (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "the size of a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "its chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "continuations": (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


class Dripper:
    """A server of one script: a beginning, then the same bytes again and again; None never even reads."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.script: tuple[bytes, bytes] | None = None
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes whoever waits in accept
        self._thread.join(timeout=LATE)
        self.listener.close()

    def _serve(self) -> None:
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                held.enter_context(connection)
                if self.script is not None:
                    threading.Thread(target=self._drip, args=(connection, *self.script), daemon=True).start()

    def _drip(self, connection: socket.socket, beginning: bytes, drop: bytes) -> None:
        with contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(beginning)
            while drop and not self.closing.wait(PACE):
                connection.sendall(drop)


@pytest.fixture
def server() -> Iterator[Dripper]:
    running = Dripper()
    yield running
    running.close()


@pytest.fixture
def node(server: Dripper) -> Iterator[HttpNode]:
    limits = Limits(connect_seconds=PATIENCE, silence_seconds=PATIENCE, answer_seconds=WHOLE)
    client = HttpNode(server.url, limits=limits)
    yield client
    client.close()


@pytest.fixture
def http() -> Iterator[Http]:
    client = Http(bounds=Bounds(connect_seconds=PATIENCE, read_seconds=PATIENCE, total_seconds=WHOLE))
    yield client
    client.close()


def seconds_of(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.mark.parametrize("place", DRIPS)
def test_a_node_that_drips_is_given_up_at_the_end_of_the_call(server: Dripper, node: HttpNode, place: str) -> None:
    server.script = DRIPS[place]

    def ask() -> None:
        with pytest.raises(NodeUnavailable, match=r"GET /v2/info gave no usable answer: not complete after 0.5 s"):
            node.info()

    assert WHOLE <= seconds_of(ask) < WHOLE + LATE


@pytest.mark.parametrize("place", DRIPS)
def test_a_venue_that_drips_is_given_up_at_the_end_of_the_call(server: Dripper, http: Http, place: str) -> None:
    server.script = DRIPS[place]

    def ask() -> None:
        with pytest.raises(VenueError, match=r"its answer took over 0.5 s"):
            http.get("kraken", server.url)

    assert WHOLE <= seconds_of(ask) < WHOLE + LATE


def test_a_node_that_takes_a_transaction_and_never_reads_it_is_given_up_in_doubt(
    server: Dripper, node: HttpNode
) -> None:
    server.script = (HEAD + b"Content-Length: 1\r\n\r\n9", b"")
    assert node.fee_rate() == 9  # the connection that is used again, with a socket's own patience

    def send() -> None:
        with pytest.raises(NodeUnavailable, match=r"not complete after 0.5 s") as caught:
            node.broadcast(b"\0" * 32_000_000)
        assert caught.value.maybe_sent

    assert WHOLE <= seconds_of(send) < WHOLE + LATE


@pytest.fixture
def closed_door() -> Iterator[str]:
    """Where so many wait to be let in that nobody else is answered."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            waiting = held.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_node_that_lets_nobody_in_has_surely_taken_nothing(closed_door: str) -> None:
    client = HttpNode(closed_door, limits=Limits(connect_seconds=0.2))
    with pytest.raises(NodeUnavailable, match="no connection in time") as caught:
        client.broadcast(b"\0")
    client.close()
    assert not caught.value.maybe_sent


def test_a_venue_that_lets_nobody_in_times_out(closed_door: str) -> None:
    client = Http(bounds=Bounds(connect_seconds=0.2))
    with pytest.raises(VenueError, match="it timed out"):
        client.get("kraken", closed_door)
    client.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_node_that_sends_us_elsewhere_is_not_followed(server: Dripper, node: HttpNode, status: int) -> None:
    told = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {server.url}/there\r\nContent-Length: 0\r\n\r\n"
    server.script = (told.encode(), b"")
    with pytest.raises(NodeUnavailable, match=f"status {status}"):
        node.transaction(TxId("0a" * 32))


def test_a_call_that_ran_out_of_time_takes_none_from_the_next(server: Dripper, node: HttpNode) -> None:
    server.script = DRIPS["the body"]
    with pytest.raises(NodeUnavailable):
        node.info()
    server.script = (HEAD + b"Content-Length: 1\r\n\r\n9", b"")
    assert node.fee_rate() == 9


def test_the_earlier_of_two_ends_holds_and_other_threads_have_none() -> None:
    now = time.monotonic()
    seen: list[bool] = []
    with ends_at(now - 1), ends_at(now + PATIENCE):
        assert is_over()
        thread = threading.Thread(target=lambda: seen.append(is_over()))
        thread.start()
        thread.join()
    assert seen == [False]
    assert not is_over()


def test_a_session_that_nothing_bounds_waits_as_long_as_it_is_told(server: Dripper) -> None:
    server.script = (HEAD + b"Content-Length: 2\r\n\r\n{}", b"")
    with bounded_session() as session:
        assert session.get(server.url, timeout=PATIENCE).json() == {}


def test_venues_that_drip_together_end_before_the_time_of_all(server: Dripper, http: Http) -> None:
    server.script = DRIPS["a header"]
    every = feed(http=http, venue_url=server.url)

    def ask() -> None:
        quotes = every.quotes(Pair.BTC_USD)
        assert {each.venue for each in quotes.failures} == {"coinbase", "kraken", "bitstamp", "binance", "pyth"}

    assert seconds_of(ask) < 2 * WHOLE + LATE


def test_who_is_not_asked_for_the_closes_in_time_is_told_as_failed(server: Dripper, http: Http) -> None:
    server.script = DRIPS["a header"]
    hurried = replace(feed(http=http, venue_url=server.url), history_seconds=WHOLE / 2)
    with pytest.raises(ClosesUnavailable) as refused:
        hurried.history(Pair.BTC_USD, count=2, today=date(2026, 1, 1), tolerance=Ppm(1))
    assert refused.value.figures["venues"] == {
        "coinbase": "it timed out",
        **dict.fromkeys(("kraken", "bitstamp", "binance"), "there was no time left to ask it"),
    }
