"""Debian's own PostgreSQL and Redis, by URL: a policy's life on them, and what the store asks of the database."""

import itertools
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from registry.domain.lease import Lease
from registry.domain.parameters import Parameters
from registry.domain.policy import ExerciseStyle
from registry.domain.units import BurnHeight, Token
from registry.store import parameters, policies
from registry.store.migrate import migrate
from registry.store.session import Database, unit_of_work
from tests.conftest import enter_first_free
from tests.integration import rows
from tests.integration.stack import Holder, Stack
from workers.embedded.account import server_account, server_place
from workers.embedded.ports import HeldPorts
from workers.embedded.servers import Durability, PostgresServer, ValkeyServer
from workers.embedded.supervisor import Supervisor
from workers.local import valkey_server
from workers.versions import Product, broker_version, postgres_version, require_supported

HOW_TO_GET = "apt-get install postgresql redis-server"
POSTGRES: list[Path] = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
REDIS = shutil.which("redis-server")
DATABASE = "registry"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Servers:
    """A PostgreSQL of Debian's with an empty database, a broker beside it, and who holds them up."""

    supervisor: Supervisor
    postgres: PostgresServer
    broker: ValkeyServer

    def new_database(self, name: str) -> str:
        """Make a database without any table; answer its URL."""
        with closing(Database(self.postgres.url())) as superuser:
            engine = superuser.engine.execution_options(isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
        return self.postgres.url(name)


@pytest.fixture(
    scope="module",
    params=[pytest.param(binary, id=f"postgresql-{binary.parts[-3]}") for binary in POSTGRES]
    or [pytest.param(None, id="none", marks=pytest.mark.skip(reason=HOW_TO_GET))],
)
def debian(request: pytest.FixtureRequest, ports: HeldPorts) -> Iterator[Servers]:
    """Debian's PostgreSQL, each version that is installed, and its Redis; where it has none, the embedded Valkey."""
    with ExitStack() as held:
        supervisor = enter_first_free(held)
        account = server_account()
        place = server_place(supervisor.directory, account)
        postgres = PostgresServer(
            binary=request.param,
            place=place,
            port=ports.hold(),
            password=secrets.token_urlsafe(24),
            account=account,
            durability=Durability.DISPOSABLE,
        )
        broker = _redis_server(place, ports) or valkey_server(supervisor.directory, ports, Durability.DISPOSABLE)
        broker.prepare()
        with postgres.creation() as initdb:
            supervisor.start(initdb, broker.process())
        supervisor.start(postgres.process())
        yield Servers(supervisor, postgres, broker)


def _redis_server(place: Path, ports: HeldPorts) -> ValkeyServer | None:
    if REDIS is None:
        return None
    return ValkeyServer(
        binary=Path(REDIS),
        place=place,
        port=ports.hold(),
        password=secrets.token_urlsafe(24),
        account=server_account(),
        durability=Durability.DISPOSABLE,
    )


# The workers of `stack` stand on these instead of the run's own.


@pytest.fixture(scope="module")
def own_supervisor(debian: Servers) -> Supervisor:
    return debian.supervisor


@pytest.fixture(scope="module")
def valkey(debian: Servers) -> str:
    return debian.broker.url()


@pytest.fixture(scope="module")
def database_url(debian: Servers) -> str:
    url = debian.new_database(DATABASE)
    with closing(Database(url)) as database:
        migrate(database)
    return url


@pytest.fixture
def database(debian: Servers) -> Iterator[Database]:
    """An empty, migrated database of the test's own."""
    with closing(Database(debian.new_database(f"test_{next(_NUMBERS)}"))) as own:
        migrate(own)
        yield own


def test_a_policy_lives_on_debians_servers(stack: Stack, holder: Holder) -> None:
    paid = holder.buy()
    ran_out = holder.buy(premium_token=Token.SBTC.value, duration_days=7)
    stack.chain.price("40000")
    accepted = holder.activate(paid)
    settled = stack.wait_for(paid, "Settled")
    assert settled["settlement_amount_base_units"] == accepted["activation"]["settlement_amount_base_units"]
    stack.chain.burn(7 * 144 + 1)
    assert stack.wait_for(ran_out, "Expired")["status_on_chain"] == 2


def test_the_servers_say_which_they_are(debian: Servers) -> None:
    served = postgres_version(debian.postgres.url())
    assert served.number[0] == int(debian.postgres.binary.parts[-3])
    require_supported(served)
    broker = broker_version(debian.broker.url())
    require_supported(broker)
    assert broker.product is (Product.VALKEY if REDIS is None else Product.REDIS)


@pytest.mark.skipif(REDIS is None, reason=HOW_TO_GET)
def test_the_broker_is_debians_redis(debian: Servers) -> None:
    said = subprocess.run([REDIS or "", "--version"], check=True, capture_output=True, text=True, timeout=10).stdout  # noqa: S603 - Debian's own
    match = re.search(r"v=(\d+)\.(\d+)", said)
    assert match is not None
    assert broker_version(debian.broker.url()).number == (int(match[1]), int(match[2]))


def test_migrating_again_and_two_at_once_is_harmless_there(debian: Servers) -> None:
    with closing(Database(debian.new_database("migrated_often"))) as fresh:
        with ThreadPoolExecutor(max_workers=3) as threads:
            list(threads.map(migrate, [fresh] * 3))
        with unit_of_work(fresh) as session:
            assert parameters.current(session) == (1, Parameters())


@pytest.mark.parametrize("statement", ["UPDATE policy_events SET cause = 'other'", "DELETE FROM policy_events"])
def test_what_happened_cannot_be_changed_there(database: Database, statement: str) -> None:
    with unit_of_work(database) as session:
        session.add(made := rows.policy())
        session.flush()
        session.add(rows.event(made.id))
    with pytest.raises(DBAPIError, match="rows of policy_events are added and never changed"):
        run(database, statement)


def run(database: Database, statement: str) -> None:
    with unit_of_work(database) as session:
        session.execute(text(statement))


def test_two_workers_never_claim_the_same_policy_there(database: Database) -> None:
    height, lease = BurnHeight(10), Lease(owner="test", length=timedelta(seconds=30))
    with unit_of_work(database) as session:
        session.add_all([rows.policy(next_look_at=rows.THEN) for _ in range(6)])
        session.add_all([rows.active(number, expiration_height=1) for number in range(4)])
    with unit_of_work(database) as first, unit_of_work(database) as second:
        looks = [
            policies.claim_standing_still(session, height=height, now=rows.THEN, lease=lease, limit=4)
            for session in (first, second)
        ]
        due = [
            policies.claim_due(session, style=ExerciseStyle.AMERICAN, confirmed=height, limit=3, now=rows.THEN)
            for session in (first, second)
        ]
        assert [len(taken) for taken in due] == [3, 1]
    assert [len(taken) for taken in looks] == [4, 2]
    assert len({*looks[0], *looks[1]}) == 6
