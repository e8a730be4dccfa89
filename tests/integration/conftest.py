"""What integration tests stand on: a database of one's own from a template, a chain of one's own on one devnet."""

import itertools
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import create_engine, make_url, text

from registry.market.catalogue import feed
from registry.market.feed import Feed
from registry.market.http import Http
from registry.stacks.http_node import HttpNode
from registry.store.migrate import migrate
from registry.store.session import Database, sqlalchemy_url
from tests.conftest import enter_first_free
from tests.integration.chain import ROOT, Chain
from tests.integration.driver import Driver
from tests.integration.lasting import Made, make
from tests.integration.stack import ANSWER_SECONDS, Holder, Stack
from workers.client import RegistryClient
from workers.embedded.account import private_file
from workers.embedded.node import find_node
from workers.embedded.supervisor import Supervisor
from workers.local import beat, worker

_NUMBERS = itertools.count(1)
TEMPLATE = "registry_template"
SCHEDULE = {"follow": 0.5, "poll": 0.5, "heal": 1, "advance": 0.5, "quote_expiry": 0.5, "expiration_sweep": 0.5}

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


@pytest.fixture(scope="module")
def own_chain(devnet_url: str) -> Iterator[Chain]:
    """Contracts for a file's tests together."""
    node = HttpNode(devnet_url)
    chain = Chain(url=devnet_url, node=node)
    chain.price("50000")
    chain.deploy()
    yield chain
    node.close()


@pytest.fixture
def guest(module_database: Database, own_chain: Chain, venues: Feed) -> Driver:
    """An owner of one's own, among others on what a file's tests share."""
    own = Driver(database=module_database, chain=own_chain, feed=venues)
    own_chain.price("50000")
    own_chain.fund(own.wallet)
    own_chain.mine()
    own.follow()
    return own


@pytest.fixture(scope="module")
def database_url(postgres: str, template: str) -> Iterator[str]:
    """A database for a file's tests of the workers together."""
    with make_database(postgres, template) as url:
        yield url


@pytest.fixture(scope="module")
def key_files(own_chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The keys as files, named as settings name them."""
    place = tmp_path_factory.mktemp("keys")
    return {
        "REGISTRY_BACKEND_KEY_FILE": str(private_file(place / "backend.key", own_chain.backend_hex)),
        "REGISTRY_QUOTE_KEY_FILE": str(private_file(place / "quote.key", own_chain.quote_hex)),
    }


@pytest.fixture(scope="module")
def own_supervisor() -> Iterator[Supervisor]:
    """Ends the workers with their file: beat would keep the machine busy under the tests that follow."""
    with ExitStack() as held:
        yield enter_first_free(held)


@pytest.fixture(scope="module")
def stack(
    own_supervisor: Supervisor, valkey: str, own_chain: Chain, database_url: str, key_files: dict[str, str]
) -> Iterator[Stack]:
    """Three workers and beat, with the keys in the one that signs; no message of an earlier file's is left to them."""
    at_broker, at_results = valkey, f"{valkey.removesuffix('/0')}/1"
    for url in (at_broker, at_results):
        with closing(Redis.from_url(url)) as server:
            server.flushdb()
    environment = {
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_BROKER_URL": at_broker,
        "REGISTRY_RESULT_URL": at_results,
        "REGISTRY_STACKS_URL": own_chain.url,
        "REGISTRY_VENUE_URL": f"{own_chain.url}/venues",
        "REGISTRY_PYTH_API_KEY": "any",
        "REGISTRY_REGISTRY_CONTRACT": own_chain.contracts.registry,
        "REGISTRY_POOL_CONTRACT": own_chain.contracts.pool,
        "REGISTRY_SBTC_CONTRACT": own_chain.contracts.sbtc,
        "REGISTRY_SCHEDULE_SECONDS": json.dumps(SCHEDULE),
        "REGISTRY_SOFT_SHUTDOWN_SECONDS": "2",
        "REGISTRY_LEASE_SECONDS": "3",
    }
    processes = [
        worker("signing", environment={**environment, **key_files}),
        worker("chain", environment=environment),
        worker("default", environment=environment, concurrency=2),
        beat(environment=environment),
    ]
    own_supervisor.start(*processes)
    with (
        RegistryClient(at_broker, at_results, answer_seconds=ANSWER_SECONDS) as client,
        closing(Database(database_url)) as database,
    ):
        yield Stack(client=client, chain=own_chain, database=database, environment=environment)


@pytest.fixture
def holder(stack: Stack) -> Holder:
    """An owner of the test's own."""
    own = Holder(stack=stack)
    stack.chain.fund(own.wallet)
    stack.chain.burn()
    stack.chain.price("50000")
    return own


@pytest.fixture(scope="session")
def made() -> Iterator[Made]:
    """A stack of `registry up` that was stopped with an Active policy in it, where the servers' account can enter."""
    with tempfile.TemporaryDirectory(prefix="policy-registry-up-") as name:
        place = Path(name)
        place.chmod(0o711)
        yield make(place / "made")
