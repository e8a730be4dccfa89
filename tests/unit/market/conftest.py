"""A venue's server for a test, and clients of more and less patience."""

from collections.abc import Iterator

import pytest

from registry.market.http import Bounds, Http
from tests.unit.market.recorded import NOON
from tests.unit.market.venue_server import VenueServer, running

MOST_BYTES = 200_000


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with running() as server:
        yield server


def client(bounds: Bounds) -> Iterator[Http]:
    """At noon."""
    found = Http(bounds=bounds, clock=lambda: NOON)
    yield found
    found.close()


@pytest.fixture
def http() -> Iterator[Http]:
    """Waits longer than a busy machine takes."""
    yield from client(Bounds(connect_seconds=5, read_seconds=5, total_seconds=10, body_bytes=MOST_BYTES))


@pytest.fixture
def impatient() -> Iterator[Http]:
    """Gives up a silent server at once."""
    yield from client(Bounds(connect_seconds=5, read_seconds=0.1, total_seconds=10, body_bytes=MOST_BYTES))


@pytest.fixture
def punctual() -> Iterator[Http]:
    """Gives up a trickling server soon, and not because a byte was late."""
    yield from client(Bounds(connect_seconds=5, read_seconds=5, total_seconds=0.2, body_bytes=MOST_BYTES))
