"""The stack that chaos is done to: real servers and processes, each of which may be killed; a devnet, which is not."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import requests

from beat_schedule import SCHEDULE
from registry.domain.units import Principal
from registry.stacks.clarity import UInt, parse_principal
from registry.stacks.http_node import HttpNode
from tests.chaos.company import Company
from tests.chaos.lives import SPOT
from tests.chaos.order import Order
from tests.chaos.points import Strikes
from workers import local
from workers.audit.chain import Addresses, Coins
from workers.audit.ledger import TIP
from workers.demo import stack as demo
from workers.demo.deployment import POCKET_MONEY, PURSE, Account, Cast, deploy, openings
from workers.demo.devnet import Devnet
from workers.demo.stack import Pace, Stack
from workers.demo.wallets import Wallet
from workers.embedded.account import private_directory
from workers.embedded.ports import HeldPorts
from workers.embedded.process import Process
from workers.embedded.runfile import RUN_VARIABLE
from workers.embedded.supervisor import Supervisor
from workers.queues import QUEUES, SIGNING

MINTS_A_BLOCK = 20
"""Fewer than a node lets one account have under way."""
BLOCKS_BEFORE = 8
"""So that no fork reaches back to what was set up."""
QUOTE_VALID_BLOCKS = 60
CONCURRENCY = 2
"""So that one goes on while the other's place is empty, and so that two do the same at once."""
FOLLOW_SECONDS = 60.0
POLL_SECONDS = 0.1
TRIES = 50
PUSHED_BADLY = {"repeat": "0.2", "lose": "0.2", "shuffle": True}
OFTEN = {"reconcile": 10.0, "heal": 2.0}
"""Intervals in seconds; everything else comes once a second."""
WORKERS = tuple(f"worker-{queue}" for queue in QUEUES)

SETTINGS = {
    "REGISTRY_VISIBILITY_TIMEOUT_SECONDS": "16",
    "REGISTRY_TIME_LIMIT_SECONDS": "8",
    "REGISTRY_SOFT_TIME_LIMIT_SECONDS": "6",
    "REGISTRY_LEASE_SECONDS": "3",
    "REGISTRY_STACKS_CONNECT_SECONDS": "1",
    "REGISTRY_STACKS_SILENCE_SECONDS": "1.5",
    "REGISTRY_STACKS_ANSWER_SECONDS": "3",
    "REGISTRY_VENUE_CONNECT_SECONDS": "1",
    "REGISTRY_VENUE_SILENCE_SECONDS": "1",
    "REGISTRY_VENUE_ANSWER_SECONDS": "2",
    "REGISTRY_OUTAGE_PAUSE_SECONDS": "1",
    "REGISTRY_BUMP_AFTER_MINUTES": "0",
    "REGISTRY_REOFFER_MINUTES": "0.05",
}
"""Everything that is waited for is short, in the proportions that start-up asks for."""

DOOR_SETTINGS = {
    "REGISTRY_LEASE_SECONDS": "8",
    "REGISTRY_API_ANONYMOUS_PER_MINUTE": "100000",
    "REGISTRY_API_REQUESTS_PER_MINUTE": "100000",
    "REGISTRY_API_ACTIONS_PER_MINUTE": "100000",
    "REGISTRY_API_SIGN_IN_PER_MINUTE": "100000",
}
"""All owners ask from one address, and again and again; what a worker still has is not asked a second time."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What runs, and who lives in it."""

    directory: Path
    stack: Stack
    company: Company
    devnet: Devnet
    owners: Sequence[Wallet]
    strikes: Strikes | None
    """At which points workers end themselves; None: they are not told to."""

    @property
    def environment(self) -> dict[str, str]:
        """What workers and beat are told."""
        return {**self.stack.environment(), **SETTINGS}

    @property
    def database_url(self) -> str:
        """Where Postgres answers, when it does."""
        return self.stack.foundations.postgres.url()

    @property
    def addresses(self) -> Addresses:
        """Where the audit finds the contracts."""
        cast = self.stack.cast
        return Addresses(
            stacks_url=self.stack.devnet_url,
            registry=cast.contract("policy-registry"),
            pool=cast.contract("liquidity-pool"),
            sbtc=cast.contract("sbtc-token"),
        )

    @property
    def openings(self) -> dict[str, Coins]:
        """Whose coins move by our contracts alone, with what each had at first."""
        return dict(openings(self.stack.cast, self.owners))

    def price(self, share: float) -> None:
        """Trade at this share of what a bitcoin costs at first; STX stays."""
        self.devnet.set_prices({"BTC/USD": str(round(SPOT * share)), "STX/USD": "2"})

    def worker(self, queue: str) -> Process:
        """Describe the next life of a queue's worker, with the keys where it signs, and the points at which it ends."""
        keys = demo._key_files(self.directory, self.stack.cast) if queue == SIGNING else {}
        ends = {} if self.strikes is None else self.strikes.environment(queue)
        environment = {**self.environment, **keys, **ends}
        one = local.worker(queue, environment=environment, concurrency=CONCURRENCY)
        return replace(one, ready_seconds=60.0)

    def beat(self, name: str = "beat") -> Process:
        """Describe a clock."""
        return replace(local.beat(environment=self.environment), name=name)

    def door(self) -> Process:
        """Describe the front door, at which owners ask, and to which the devnet pushes its blocks."""
        environment = {**self.environment, **self.stack.door_environment(), **DOOR_SETTINGS}
        return local.api(port=self.stack.api_port, environment=environment)


@contextmanager
def world(supervisor: Supervisor, order: Order) -> Iterator[World]:
    """Start everything, with a pool that can pay and owners who can buy."""
    struck = private_directory(supervisor.directory / "struck", None)
    for old in struck.iterdir():
        old.unlink()
    names = [Wallet(name=f"owner-{number}") for number in range(order.owners)]
    pace = Pace(block_seconds=1, schedule_seconds={each.name: OFTEN.get(each.name, 1.0) for each in SCHEDULE})
    with HeldPorts() as ports:
        stack = demo.plan(supervisor.directory, local.Access.new(ports.hold), cast=Cast(), pace=pace)
        company = Company(
            logs=supervisor.directory / "logs",
            environment={RUN_VARIABLE: supervisor._run.run},
        )
        with closing(Devnet(stack.devnet_url)) as devnet:
            own = World(
                directory=supervisor.directory,
                stack=stack,
                company=company,
                devnet=devnet,
                owners=names,
                strikes=Strikes(directory=struck) if order.points else None,
            )
            try:
                _start(own, supervisor, block_ms=round(order.block_seconds * 1000))
                yield own
            finally:
                # a server that has renamed itself is not found again by what it was started with
                company.kill(*company.running)


def _start(own: World, supervisor: Supervisor, *, block_ms: int) -> None:
    servers = own.stack.foundations
    servers.valkey.prepare()
    with servers.postgres.creation() as initdb:
        supervisor.start(initdb, servers.devnet())
    own.company.start(servers.postgres.process(), servers.valkey.process())
    with closing(HttpNode(own.stack.devnet_url)) as node:
        deploy(own.stack.cast, (), devnet=own.devnet, node=node)
        _fund(own, node)
    own.price(1)
    for _ in range(BLOCKS_BEFORE):
        own.devnet.burn(1)
    supervisor.start(demo._command("migrate", environment=own.environment))
    quotes = ("parameters", "set", f"quote_valid_blocks={QUOTE_VALID_BLOCKS}", "--reason", "blocks come fast")
    supervisor.start(demo._command(*quotes, environment=own.environment))
    own.devnet.tick(block_ms=block_ms, burn_block_ms=block_ms)
    secret = demo.keep_secrets(own.stack)
    own.company.start(*(own.worker(queue) for queue in QUEUES), own.beat(), own.door())
    observer = {"url": f"{own.stack.api_url}/events/node", "kind": "node", "secret": secret}
    own.devnet.observe({**observer, **PUSHED_BADLY})
    _await_first_block(own)


def _await_first_block(own: World) -> None:
    """Until it is applied nothing is known of the pool, and every request is refused for want of room."""
    limit = time.monotonic() + FOLLOW_SECONDS
    while applied_block(own.database_url) is None:
        if time.monotonic() > limit:
            raise TimeoutError(f"no block was applied within {FOLLOW_SECONDS:g} s; see {own.company.logs}")
        time.sleep(POLL_SECONDS)


def applied_block(database_url: str) -> str | None:
    """The newest block that Postgres knows, by its index hash."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(TIP)
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def _fund(own: World, node: HttpNode) -> None:
    """Give each owner what `openings` says that he had."""
    cast = own.stack.cast
    deployer = Account(cast.deployer, node)
    for first in range(0, len(own.owners), MINTS_A_BLOCK):
        for owner in own.owners[first : first + MINTS_A_BLOCK]:
            own.devnet.mint(owner.address, POCKET_MONEY)
            deployer.call(cast.contract("sbtc-token"), "mint", UInt(PURSE), parse_principal(owner.address))
        own.devnet.mine()


def waiting(own: World, principal: Principal) -> list[str]:
    """The txids of what a principal has sent that no block holds; while faults strike, ask again."""
    path = f"{own.stack.devnet_url}/extended/v3/principals/{principal}/mempool/transactions?limit=20"
    for _ in range(TRIES):
        with suppress(requests.RequestException):
            answer = requests.get(path, timeout=5)
            if answer.ok:
                return [str(each["tx_id"]) for each in answer.json()["results"]]
        time.sleep(POLL_SECONDS)
    return []
