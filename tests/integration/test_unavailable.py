"""What is no fault of a request, as the client meets it: a registry of its own that lacks what others have."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from sqlalchemy import text

from registry.domain.closes import ClosesUnavailable
from registry.domain.errors import NoBlockYet, RegistryError
from registry.domain.premium import UnusableVolatility
from registry.domain.prices import Pair
from registry.domain.units import Token
from registry.domain.volatility import NoVolatility
from registry.stacks.node import NodeUnavailable
from registry.stacks.wire import TESTNET
from registry.store import parameters
from registry.store.session import Database, unit_of_work
from tests.integration import rows
from tests.integration.chain import Chain, new_key
from tests.integration.conftest import make_database
from tests.integration.leftovers import REQUEST, rows_of
from tests.integration.stack import ANSWER_SECONDS, Stack
from workers.client import RegistryClient
from workers.embedded.supervisor import Supervisor
from workers.local import worker
from workers.refusals import ServerAlarm, TaskCrashed

CLOSES = 361


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A registry that nobody follows the chain for: one worker of its own, and a database that a test fills."""

    stack: Stack
    owner: str

    @property
    def client(self) -> RegistryClient:
        return self.stack.client

    def add(self, *added: Any) -> None:
        with unit_of_work(self.stack.database) as session:
            session.add_all(added)

    def run(self, statement: str) -> None:
        with unit_of_work(self.stack.database) as session:
            session.execute(text(statement))

    def close_at(self, *prices: int) -> None:
        """Keep the closes of the last 361 days, at these prices in turn."""
        today = datetime.now(UTC).date()
        self.run("DELETE FROM daily_closes")
        self.add(
            *(
                rows.close(pair=Pair.BTC_USD, day=today - timedelta(days=back), close=prices[back % len(prices)])
                for back in range(1, CLOSES + 1)
            )
        )

    def refused_quote(self) -> RegistryError:
        """Ask for a quote that cannot be given; nothing is left of it."""
        before = rows_of(self.stack, self.owner)
        with pytest.raises(RegistryError) as refused:
            self.client.request_creation(self.owner, {**REQUEST, "premium_token": Token.SBTC.value}).answer()
        assert rows_of(self.stack, self.owner) == before
        return refused.value


@pytest.fixture(scope="module")
def alone_stack(
    own_supervisor: Supervisor, valkey: str, own_chain: Chain, postgres: str, template: str
) -> Iterator[Stack]:
    """One worker on a database without a block, and on other queues than any other worker's."""
    server = valkey.removesuffix("/0")
    at_broker, at_results = f"{server}/5", f"{server}/6"
    for url in (at_broker, at_results):
        with closing(Redis.from_url(url)) as own:
            own.flushdb()
    with make_database(postgres, template) as database_url:
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
            "REGISTRY_SCHEDULE_SECONDS": json.dumps({}),
            "REGISTRY_SOFT_SHUTDOWN_SECONDS": "2",
        }
        own_supervisor.start(replace(worker("default", environment=environment), name="worker-alone"))
        with (
            RegistryClient(at_broker, at_results, answer_seconds=ANSWER_SECONDS) as client,
            closing(Database(database_url)) as database,
        ):
            yield Stack(client=client, chain=own_chain, database=database, environment=environment)


@pytest.fixture
def alone(alone_stack: Stack) -> Alone:
    """An owner of the test's own, on a registry without blocks, policies and closes."""
    with unit_of_work(alone_stack.database) as session:
        for table in ("activation_requests", "policies", "blocks", "daily_closes"):
            session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - the names are written above
    alone_stack.chain.price("50000")
    return Alone(stack=alone_stack, owner=new_key().address(TESTNET))


def test_without_two_venues_that_agree_on_the_closes_nothing_is_quoted(alone: Alone) -> None:
    with unit_of_work(alone.stack.database) as session:
        _, in_force = parameters.current(session)
        parameters.put_in_force(session, replace(in_force, min_sources_btc_usd=1), reason="one price is enough here")
    alone.stack.chain.order("venues", kraken="down", bitstamp="down", binance="down", pyth="down")
    try:
        refused = alone.refused_quote()
    finally:
        alone.stack.chain.order("venues", **dict.fromkeys(("kraken", "bitstamp", "binance", "pyth"), "ok"))
    assert isinstance(refused, ClosesUnavailable)
    assert refused.figures["heard"] == ["coinbase"]
    venues = refused.figures["venues"]
    assert isinstance(venues, dict)
    assert set(venues) == {"kraken", "bitstamp", "binance"}


def test_closes_that_do_not_vary_quote_nothing(alone: Alone) -> None:
    alone.close_at(50_000 * 10**8)
    refused = alone.refused_quote()
    assert isinstance(refused, NoVolatility)
    assert refused.figures == {"window": 30, "today": str(datetime.now(UTC).date())}


def test_closes_that_vary_beyond_all_measure_quote_nothing(alone: Alone) -> None:
    alone.close_at(1, 10**18)
    refused = alone.refused_quote()
    assert isinstance(refused, UnusableVolatility)
    assert float(str(refused.figures["volatility"])) > float(str(refused.figures["greatest"]))


def test_a_payout_is_not_decided_before_a_block_was_applied(alone: Alone) -> None:
    held = rows.active(1, owner_principal=alone.owner, expiration_height=10**9)
    alone.add(held)
    alone.add(rows.reservation(held.id, owner_principal=alone.owner, token=Token.SBTC))
    with pytest.raises(NoBlockYet):
        alone.client.request_activation(alone.owner, str(held.id)).answer()
    alone.run("DELETE FROM activation_requests; DELETE FROM reservations")


def test_a_node_behind_what_was_seen_before_decides_nothing(alone: Alone) -> None:
    alone.add(rows.block(burn_height=10**9))
    with pytest.raises(NodeUnavailable) as refused:
        alone.client.request_activation(alone.owner, str(uuid4())).answer()
    assert "1000000000 was seen before" in str(refused.value.figures["reason"])
    assert refused.value.figures["maybe_sent"] is False


def test_what_only_operators_can_mend_is_an_alarm_with_the_tasks_id(alone: Alone) -> None:
    alone.run(
        "ALTER TABLE parameters RENAME TO parameters_aside; CREATE TABLE parameters AS TABLE parameters_aside LIMIT 0"
    )
    try:
        refused = alone.refused_quote()
    finally:
        alone.run("DROP TABLE parameters; ALTER TABLE parameters_aside RENAME TO parameters")
    assert isinstance(refused, ServerAlarm)
    assert refused.figures["error"] == "ParametersMissingError"
    assert refused.figures["task_id"]


def test_what_nobody_foresaw_is_told_with_the_tasks_id_and_no_more(alone: Alone) -> None:
    alone.run("ALTER TABLE quotes RENAME TO quotes_aside")
    try:
        with pytest.raises(TaskCrashed) as crashed:
            alone.client.request_creation(alone.owner, REQUEST).answer()
    finally:
        alone.run("ALTER TABLE quotes_aside RENAME TO quotes")
    assert str(crashed.value.figures["error"]).startswith("ProgrammingError")
    assert crashed.value.figures["task_id"]
