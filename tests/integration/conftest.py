"""What integration tests stand on: a database of one's own from a template, a chain of one's own on one devnet."""

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from sqlalchemy import create_engine, make_url, text

from registry.market.catalogue import feed
from registry.market.feed import Feed
from registry.market.http import Http
from registry.stacks.http_node import HttpNode
from registry.store.migrate import migrate
from registry.store.session import Database, sqlalchemy_url
from tests.integration.chain import ROOT, Chain
from tests.integration.driver import Driver
from workers.embedded.node import find_node

_NUMBERS = itertools.count(1)
TEMPLATE = "registry_template"

NewDatabase = Callable[[], Database]
"""Makes a database without any table, gone with the test."""


def _run(superuser: str, statement: str) -> None:
    engine = create_engine(sqlalchemy_url(superuser), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def _url_of(superuser: str, name: str) -> str:
    return make_url(superuser).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """A migrated database that others are copied from."""
    _run(postgres, f"CREATE DATABASE {TEMPLATE}")
    database = Database(_url_of(postgres, TEMPLATE))
    migrate(database)
    database.close()
    return TEMPLATE


@contextmanager
def make_database(postgres: str, template: str) -> Iterator[str]:
    """Copy the template; give the copy's URL, and drop it afterwards."""
    name = f"test_{next(_NUMBERS)}"
    _run(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield _url_of(postgres, name)
    _run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(postgres: str, template: str) -> Iterator[Database]:
    """An empty, migrated database of the test's own."""
    with make_database(postgres, template) as url:
        own = Database(url)
        yield own
        own.close()


@pytest.fixture(scope="module")
def module_database(postgres: str, template: str) -> Iterator[Database]:
    """An empty, migrated database that a file's tests share."""
    with make_database(postgres, template) as url:
        own = Database(url)
        yield own
        own.close()


@pytest.fixture
def new_database(postgres: str) -> Iterator[NewDatabase]:
    """Makes databases without any table."""
    with ExitStack() as held:
        yield lambda: held.enter_context(closing(Database(held.enter_context(make_database(postgres, "template0")))))


@pytest.fixture(scope="session")
def devnet_url() -> Iterator[str]:
    """A devnet that seals blocks on demand only."""
    node = find_node()
    assert node is not None, "run make setup"
    argv = [*node.node, str(ROOT / "devnet" / "main.mjs"), "--port", "0", "--exit-with-parent"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the devnet ended with {process.wait(timeout=10)}"
        yield f"http://127.0.0.1:{json.loads(line)['listening']}"
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def chain(devnet_url: str) -> Iterator[Chain]:
    """Fresh contracts, at 50 000 USD a bitcoin and 2 USD an STX."""
    node = HttpNode(devnet_url)
    own = Chain(url=devnet_url, node=node)
    own.price("50000")
    own.deploy()
    yield own
    node.close()


@pytest.fixture
def venues(devnet_url: str) -> Feed:
    """Every venue, as the devnet plays it."""
    return feed(http=Http(), venue_url=f"{devnet_url}/venues", pyth_api_key="any")


@pytest.fixture
def driver(database: Database, chain: Chain, venues: Feed) -> Driver:
    """The services on both, and one owner."""
    own = Driver(database=database, chain=chain, feed=venues)
    chain.fund(own.wallet)
    chain.mine()
    own.follow()
    return own
