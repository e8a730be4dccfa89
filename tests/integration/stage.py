"""A stage for lives: one worker in this process, one database and one chain, and policies in stock."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text
from sqlmodel import col

from registry.domain.capacity import OpenQuoteLimits
from registry.domain.prices import Pair
from registry.domain.units import Ppm
from registry.market.catalogue import feed
from registry.market.http import Http
from registry.services import creation, prices
from registry.store import transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyRow, QuoteRow
from tests.integration.chain import Chain
from tests.integration.driver import Driver
from tests.integration.pump import IN_MEMORY, Pump

BEAT = ("chain.follow", "transactions.poll", "transactions.heal", "policies.expire_quotes", "policies.advance")
AN_HOUR = timedelta(hours=1)
SATS = 1_000_000
WEEK = 7 * 144
IN_A_BLOCK = 20
VENUES = ("coinbase", "kraken", "bitstamp")
NO_LIMIT = OpenQuoteLimits(per_owner=10**6, tier_ppm=Ppm(1_000_000))
_LATER = (
    text("UPDATE policies SET next_look_at = next_look_at - :gone WHERE next_look_at IS NOT NULL"),
    text("UPDATE transactions SET look_at = look_at - :gone WHERE look_at IS NOT NULL"),
    text("UPDATE failures SET at = at - :gone WHERE closed_at IS NULL"),
)


def environment_of(
    chain: Chain, *, database_url: str, key_files: Mapping[str, str], broker_url: str = IN_MEMORY
) -> dict[str, str]:
    """The settings of a worker that sweeps one policy at a time."""
    return {
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_BROKER_URL": broker_url,
        "REGISTRY_STACKS_URL": chain.url,
        "REGISTRY_VENUE_URL": f"{chain.url}/venues",
        "REGISTRY_VENUES": ",".join(VENUES),
        "REGISTRY_REGISTRY_CONTRACT": chain.contracts.registry,
        "REGISTRY_POOL_CONTRACT": chain.contracts.pool,
        "REGISTRY_SBTC_CONTRACT": chain.contracts.sbtc,
        "REGISTRY_EXPIRATION_BATCH": "1",
        "REGISTRY_OPEN_QUOTES_PER_OWNER": str(NO_LIMIT.per_owner),
        **key_files,
    }


@contextmanager
def stocking(chain: Chain, database_url: str) -> Iterator[Driver]:
    """An owner who buys a stock of policies."""
    with closing(Database(database_url)) as database:
        venues = feed(VENUES, http=Http(), venue_url=f"{chain.url}/venues")
        own = Driver(database=database, chain=chain, feed=venues, limits=NO_LIMIT)
        chain.fund(own.wallet)
        chain.mine()
        own.follow()
        yield own


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose life it is: a policy, or an owner's request that is to become one."""

    owner: str
    key: str = field(default_factory=lambda: str(uuid4()))
    policy_id: UUID | None = None


@dataclass
class Stage:
    """One worker, one database and one chain, with policies in stock for the lives that begin with one."""

    pump: Pump
    driver: Driver
    stock: list[Subject] = field(default_factory=list)

    def send(self, task: str, *args: object, **kwargs: object) -> None:
        """Enqueue one task and run whatever follows from it."""
        self.pump.app.signature(task, args=args, kwargs=kwargs).apply_async()
        self.pump.drain()

    def tick(self, *, blocks: int) -> None:
        """An hour passes for leases and looks, blocks come, and beat has its say."""
        self.driver.chain.burn(blocks)
        with unit_of_work(self.driver.database) as session:
            for statement in _LATER:
                session.execute(statement, {"gone": AN_HOUR})
        for task in BEAT:
            self.send(task)

    def quote(self, count: int, **changes: Any) -> list[tuple[Subject, dict[str, Any]]]:
        """Quotes at prices that are fetched once, and the payload that the owner's wallet signs for each."""
        own = self.driver
        own.chain.price("50000")
        ids = prices.fetch(own.database, own.feed, [Pair.BTC_USD, Pair.STX_USD])
        quoted = []
        for _ in range(count):
            asked = own.ask(protected_amount_sats=SATS, **changes)
            creation.price(own.database, asked.quote, price_ids=ids, now=own.now())
            policy_id = own.record(asked.quote)
            answer = creation.prepare(own.database, own.chain.contracts, own.chain.quote_key, policy_id)
            quoted.append((Subject(owner=own.owner, policy_id=policy_id), answer["wallet_payload"]))
        return quoted

    def fill(self, count: int, **changes: Any) -> None:
        """Buy policies for the stock; their purchases are final, and nothing is to be done for them."""
        for bought in range(0, count, IN_A_BLOCK):
            for subject, payload in self.quote(min(IN_A_BLOCK, count - bought), **changes):
                self.driver.chain.buy(self.driver.wallet, payload)
                self.stock.append(subject)
            self.driver.chain.mine()
        self.driver.chain.burn(self.driver.depths.final)
        self.send("chain.follow")
        self.tick(blocks=1)
        # those of one height are swept in this order
        self.stock.sort(key=lambda each: str(each.policy_id))

    def take(self) -> Subject:
        """The policy in stock that runs out first."""
        return self.stock.pop(0)

    def policy(self, subject: Subject) -> PolicyRow | None:
        """The subject's policy, if it has one yet."""
        with unit_of_work(self.driver.database) as session:
            if subject.policy_id is not None:
                return session.get_one(PolicyRow, subject.policy_id)
            return session.execute(
                select(PolicyRow)
                .join(QuoteRow, col(QuoteRow.policy_id) == col(PolicyRow.id))
                .where(col(QuoteRow.idempotency_key) == subject.key)
            ).scalar_one_or_none()

    def is_open(self, policy: PolicyRow) -> bool:
        """Whether a transaction of ours may still take effect for a policy."""
        with unit_of_work(self.driver.database) as session:
            return transactions.open_of_policy(session, policy.id) is not None
