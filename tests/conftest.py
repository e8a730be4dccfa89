"""The servers of a test run: real ones, started when a test first asks for them, gone with the run."""

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.embedded.ports import HeldPorts
from workers.embedded.servers import Durability
from workers.embedded.supervisor import AlreadyRunning, Supervisor
from workers.local import postgres_server, valkey_server

STATE = Path(__file__).parent.parent / ".registry"
LONGEST = ("up", "front_schema", "chaos", "fault_points", "belonging", "page", "readme", "demo", "two_steps", "compose")
"""Files that take longest come first: one that began last would keep one process busy while the other has no work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files; within one nothing changes."""
    turns = {f"test_{name}.py": turn for turn, name in enumerate(LONGEST)}
    items.sort(key=lambda each: turns.get(each.path.name, len(turns)))


def enter_first_free(held: contextlib.ExitStack) -> Supervisor:
    """Enter the first directory that no other run of tests is using: what a killed run left there is ended."""
    for number in itertools.count(1):
        with contextlib.suppress(AlreadyRunning):
            return held.enter_context(Supervisor(STATE / f"tests-{number}"))
    raise AssertionError("counting has no end")


@pytest.fixture(scope="session")
def supervisor() -> Iterator[Supervisor]:
    """Whatever a test run starts once; SIGTERM ends the run as Ctrl-C does."""
    with contextlib.ExitStack() as held:
        yield enter_first_free(held)


@pytest.fixture(scope="session")
def ports() -> Iterator[HeldPorts]:
    """Ports for the servers of this run."""
    with HeldPorts() as ports:
        yield ports


@pytest.fixture(scope="session")
def postgres(supervisor: Supervisor, ports: HeldPorts) -> str:
    """The superuser's URL of a PostgreSQL cluster that is new, and does not care to survive."""
    server = postgres_server(supervisor.directory, ports, Durability.DISPOSABLE)
    with server.creation() as initdb:
        supervisor.start(initdb)
    supervisor.start(server.process())
    return server.url()


@pytest.fixture(scope="session")
def valkey(supervisor: Supervisor, ports: HeldPorts) -> str:
    """The URL of an empty Valkey server's database 0."""
    server = valkey_server(supervisor.directory, ports, Durability.DISPOSABLE)
    server.prepare()
    supervisor.start(server.process())
    return server.url()


@pytest.fixture
def open_path() -> Iterator[Path]:
    """An empty directory that the servers' account can enter, as it cannot those of pytest."""
    with tempfile.TemporaryDirectory(prefix="policy-registry-test-") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path
