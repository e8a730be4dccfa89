"""Streams of the front door in numbers: a thousand of them at once, and a feed of a million events behind them."""

import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from hashlib import md5
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from registry.queries import feed as read_feed
from registry.store.feed import give_places, last_place
from registry.store.session import Database, unit_of_work
from tests.integration.conftest import make_database
from tests.integration.crowd import Plan, planned
from tests.integration.streaming import POLICIES, Opener, listeners, sold, walk

STREAMS = 1_000
MOST_SECONDS = 20.0
LATEST_SECONDS = 5.0
"""Server and clients are one process here, so it is much slower than benchmarks/streams.py."""
EVENTS, OWNERS, WAITING = 1_000_000, 1_000, 50
LIMIT = 100


@pytest.fixture
def many_files() -> Iterator[None]:
    """Sockets for both ends of every stream."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * STREAMS + 512
    if allowed < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_streams_hear_of_one_event_soon(
    database: Database, valkey: str, capsys: pytest.CaptureFixture[str]
) -> None:
    opener = Opener(database=database, valkey_url=valkey)
    policy_id = sold(database)
    with (
        opener.open(api_streams=STREAMS, api_streams_per_caller=STREAMS) as url,
        ThreadPoolExecutor(2) as pool,
        ExitStack() as held,
    ):
        port, begun = urlsplit(url).port or 0, time.monotonic()
        opened = [held.enter_context(closing(ask_for_stream(port))) for _ in range(STREAMS)]
        for own in opened:
            begin(own)
        opening = time.monotonic() - begun
        assert len(listeners(database)) == 1
        hearing = pool.submit(hear, opened)
        committed = pool.submit(commit, database, policy_id)
        late = sorted(each - committed.result() for each in hearing.result())
    told = f"{STREAMS} streams opened in {opening:.1f} s; an event at p95 after {late[len(late) * 95 // 100]:.3f} s"
    with capsys.disabled():
        print(f"{told}, at all of them after {late[-1]:.3f} s")  # noqa: T201 - what was measured
    assert opening + late[-1] < MOST_SECONDS
    assert late[-1] < LATEST_SECONDS


def ask_for_stream(port: int) -> socket.socket:
    own = socket.create_connection(("127.0.0.1", port), timeout=MOST_SECONDS)
    own.sendall(f"GET {POLICIES} HTTP/1.1\r\nHost: any\r\nAuthorization: Bearer owner\r\n\r\n".encode())
    return own


def begin(own: socket.socket) -> None:
    """Read the first event."""
    heard = b""
    while b"event: ready" not in heard:
        part = own.recv(65_536)
        assert part, heard
        heard += part


def hear(opened: list[socket.socket]) -> list[float]:
    """Read until every stream has had an event; when each had it."""
    came, end = list[float](), time.monotonic() + MOST_SECONDS
    with selectors.DefaultSelector() as selector:
        for own in opened:
            selector.register(own, selectors.EVENT_READ)
        while len(came) < len(opened):
            assert time.monotonic() < end, f"{len(came)} streams heard of it"
            for key, _ in selector.select(timeout=1.0):
                assert isinstance(key.fileobj, socket.socket)
                if b"event: policy" in key.fileobj.recv(262_144):
                    came.append(time.monotonic())
                    selector.unregister(key.fileobj)
    return came


def commit(database: Database, policy_id: UUID) -> float:
    walk(database, policy_id)
    return time.monotonic()


# an index that is built at the end takes a fraction of the time
_INDEXES = "policy_feed_by_owner policy_feed_by_policy policy_feed_in_turn policy_feed_waiting policy_events_by_policy"
_MAKE = (
    "SET LOCAL session_replication_role = replica",
    """
    INSERT INTO policies (id, owner_principal, counterparty_principal, protected_value_price_feed_units,
        protected_amount_sats, expiration_height, policy_type, status_detailed, exercise_style, created_at,
        lease_token, lease_attempts, risk_tier)
    SELECT md5('p' || n)::uuid, 'owner-' || n, 'pool', 1, 1, 1, 'PUT', 'PendingCreation', 'american', now(), 0, 0,
        'Balanced'
    FROM generate_series(1, :owners) AS n
    """,
    """
    INSERT INTO policy_events (id, policy_id, edge, to_status, cause, actor, detail, at)
    SELECT n, md5('p' || 1 + n % :owners)::uuid, 'a', 'PendingCreation', 'quoted', 'owner', '{}', now()
    FROM generate_series(1, :events) AS n
    """,
    """
    INSERT INTO policy_feed (event_id, policy_id, owner_principal, seq)
    SELECT id, policy_id, 'owner-' || 1 + id % :owners, CASE WHEN id <= :events - :waiting THEN id END
    FROM policy_events
    """,
)


@pytest.fixture(scope="module")
def long_feed(postgres: str, template: str) -> Iterator[Database]:
    """A feed of a million events, the newest of which wait for their places."""
    figures = {"owners": OWNERS, "events": EVENTS, "waiting": WAITING}
    with make_database(postgres, template) as url, closing(Database(url)) as database:
        with unit_of_work(database) as session:
            indexes = session.execute(
                text("SELECT indexname, indexdef FROM pg_indexes WHERE indexname = ANY (:names)"),
                {"names": _INDEXES.split()},
            ).all()
            assert len(indexes) == len(_INDEXES.split())
            made = [definition for _, definition in indexes]
            for statement in (*(f"DROP INDEX {name}" for name, _ in indexes), *_MAKE, *made, "ANALYZE"):
                told = {name: value for name, value in figures.items() if f":{name}" in statement}
                session.execute(text(statement), told)
        yield database


CHOSEN: dict[str, tuple[Callable[[Session], int], str]] = {
    "all, from far behind": (lambda s: len(read_feed.after(s, 5, limit=LIMIT)), "policy_feed_in_turn"),
    "all, from just behind": (
        lambda s: len(read_feed.after(s, EVENTS - WAITING - LIMIT, limit=LIMIT)),
        "policy_feed_in_turn",
    ),
    "an owner's, from far behind": (
        lambda s: len(read_feed.after(s, 5, owner="owner-7", until=EVENTS, limit=LIMIT)),
        "policy_feed_by_owner",
    ),
    "one policy's, from far behind": (
        lambda s: len(read_feed.after(s, 5, policy=_policy(7), until=EVENTS, limit=LIMIT)),
        "policy_feed_by_policy",
    ),
    "the newest place": (lambda s: min(LIMIT, last_place(s)), "policy_feed_in_turn"),
}


def _policy(number: int) -> UUID:
    return UUID(md5(f"p{number}".encode(), usedforsecurity=False).hexdigest())


@pytest.mark.parametrize("asked", CHOSEN)
def test_a_page_of_a_million_events_is_read_from_its_index(long_feed: Database, asked: str) -> None:
    ask, index = CHOSEN[asked]
    with planned(long_feed) as plans, unit_of_work(long_feed) as session:
        assert ask(session) == LIMIT
    read_from_indexes(plans, index)


def test_places_are_given_without_reading_those_that_have_one(long_feed: Database) -> None:
    with planned(long_feed) as plans, unit_of_work(long_feed) as session:
        assert give_places(session) == WAITING
        assert last_place(session) == EVENTS
        session.rollback()
    read_from_indexes(plans, "policy_feed_waiting")


def read_from_indexes(plans: list[Plan], index: str) -> None:
    scans = [scan for plan in plans for scan in plan.scans if scan.table.startswith("policy_")]
    assert all(scan.index is not None for scan in scans), plans
    assert index in {scan.index for scan in scans}, plans
    assert all(plan.sorted <= EVENTS // 100 for plan in plans), plans
