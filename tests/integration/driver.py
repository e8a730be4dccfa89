"""Drives the services as the tasks do, one call after another, so that a test can stop between any two."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlmodel import col

from registry.domain.capacity import OpenQuoteLimits
from registry.domain.height import ChainHeight, Depths
from registry.domain.lease import Lease
from registry.domain.policy import Edge
from registry.domain.steps import StepKind
from registry.domain.transaction import ExpirationPath
from registry.domain.units import Principal, Token, TxId
from registry.market.feed import Feed
from registry.services import activation, advance, blocks, broadcast, confirmation, creation, expiration, prices, sync
from registry.stacks.signing import PrivateKey
from registry.stacks.wire import TESTNET
from registry.store import policies
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyEventRow, PolicyRow
from tests.integration.chain import Chain, new_key

LEASE = Lease(owner="driver", length=timedelta(seconds=30))
PAUSE = timedelta(0)


@dataclass
class Driver:
    """One database and one chain, with an owner whose wallet is funded."""

    database: Database
    chain: Chain
    feed: Feed
    depths: Depths = field(default_factory=Depths)
    limits: OpenQuoteLimits = field(default_factory=OpenQuoteLimits)
    wallet: PrivateKey = field(default_factory=new_key)
    expiration_path: ExpirationPath = ExpirationPath.ONE_STEP

    @property
    def owner(self) -> Principal:
        return Principal(self.wallet.address(TESTNET))

    @property
    def height(self) -> ChainHeight:
        known = blocks.known_height(self.database, depths=self.depths)
        assert known is not None, "nothing was followed yet"
        return known

    def ask(self, *, key: str | None = None, owner: str | None = None, **changes: object) -> creation.Asked:
        request = {
            "policy_type": "PUT",
            "protected_value_price_feed_units": 45_000 * 10**8,
            "protected_amount_sats": 10_000_000,
            "duration_days": 30,
            "premium_token": Token.STX.value,
            **changes,
        }
        return creation.ask(
            self.database, self.chain.contracts, owner=owner or self.owner, key=key or str(uuid4()), body=request
        )

    def quote(self, **changes: Any) -> dict[str, Any]:
        """Everything up to the wallet's payload."""
        asked = self.ask(**changes)
        if asked.policy_id is None:
            ids = prices.fetch(self.database, self.feed, asked.pairs)
            creation.price(self.database, asked.quote, price_ids=ids, now=_now())
            creation.check_capacity(self.database, asked.quote, limits=self.limits)
        recorded = asked.policy_id or self.record(asked.quote)
        return creation.prepare(self.database, self.chain.contracts, self.chain.quote_key, recorded)

    def record(self, quote: UUID) -> UUID:
        height = self.chain.node.tip().burn_height
        return creation.record(
            self.database, self.chain.contracts, quote, height=height, limits=self.limits, lease=LEASE, now=_now()
        )

    def follow(self) -> list[Edge]:
        """Apply what is new, then sync every policy that it concerns."""
        followed = blocks.follow(
            self.database, self.chain.node, self.chain.contracts, depths=self.depths, limit=1000, now=_now()
        )
        walked: list[Edge] = []
        for policy_id in followed.policy_ids:
            walked += self.sync(policy_id)
        return walked

    def sync(self, policy_id: UUID) -> list[Edge]:
        return sync.sync(self.database, self.chain.contracts, policy_id, height=self.height, now=_now())

    def buy(self, **changes: Any) -> UUID:
        """A policy that is Active, its purchase final."""
        answer = self.quote(**changes)
        self.chain.buy(self.wallet, answer["wallet_payload"])
        self.chain.mine()
        self.chain.burn(self.depths.final)
        self.follow()
        return UUID(answer["policy"]["id"])

    def activate(self, policy_id: UUID, *, key: str = "activate", **more: object) -> dict[str, Any]:
        message = {"owner_principal": self.owner, "policy_id": str(policy_id), "idempotency_key": key, **more}
        height = self.chain.node.tip().burn_height
        wish = activation.request(self.database, self.chain.contracts, message, height=height, lease=LEASE, now=_now())
        return self.decide(wish.policy_id)

    def decide(self, policy_id: UUID) -> dict[str, Any]:
        pairs = activation.pairs_for(self.database, policy_id)
        ids = prices.fetch(self.database, self.feed, pairs)
        return activation.decide(self.database, policy_id, price_ids=ids, height=self.height, now=_now())

    def sign(self, *policy_ids: UUID) -> UUID | None:
        own = self.chain
        signer = replace(own.signer, expiration_path=self.expiration_path)
        return broadcast.sign_for(
            self.database, own.node, own.contracts, signer, policy_ids, height=self.height, now=_now()
        )

    def send(self, transaction_id: UUID) -> None:
        broadcast.send(self.database, self.chain.node, transaction_id, now=_now())

    def look(self, transaction_id: UUID) -> list[UUID]:
        return confirmation.look(
            self.database, self.chain.node, transaction_id, height=self.height, pause=PAUSE, now=_now()
        )

    def run(self, *policy_ids: UUID) -> UUID:
        """Sign, send, mine, confirm, look and sync: one transaction from intent to effect."""
        signed = self.sign(*policy_ids)
        assert signed is not None
        self.send(signed)
        self.chain.mine()
        self.chain.burn(self.depths.confirmed)
        self.follow()
        for policy_id in self.look(signed):
            self.sync(policy_id)
        return signed

    def expire(self, *policy_ids: UUID) -> list[UUID]:
        return expiration.begin(self.database, policy_ids, height=self.height, now=_now())

    def sweep(self, *, limit: int = 100) -> tuple[list[UUID], list[UUID]]:
        found = expiration.sweep(self.database, height=self.height, limit=limit, lease=LEASE, now=_now())
        american, european = ([held.policy_id for held in each] for each in found)
        return american, european

    def give_up(self, policy_id: UUID) -> bool:
        return expiration.give_up(self.database, policy_id, height=self.height, now=_now())

    def claim(self, *, limit: int = 100, later: timedelta = timedelta(0)) -> list[UUID]:
        """What stands still and is due for a look."""
        claimed = advance.claim(self.database, height=self.height, lease=LEASE, limit=limit, now=_now() + later)
        return [held.policy_id for held in claimed]

    def next(self, policy_id: UUID) -> StepKind | None:
        drive = advance.step_of(self.database, policy_id, height=self.height, lease=LEASE, now=_now())
        return None if drive is None else drive.step.kind

    def policy(self, policy_id: UUID) -> PolicyRow:
        with unit_of_work(self.database) as session:
            return policies.get(session, policy_id)

    def edges(self, policy_id: UUID) -> str:
        """The letters of a policy's walk so far."""
        with unit_of_work(self.database) as session:
            walked = session.execute(
                select(col(PolicyEventRow.edge))
                .where(col(PolicyEventRow.policy_id) == policy_id)
                .order_by(col(PolicyEventRow.id))
            )
            return "".join(walked.scalars())

    def balance(self) -> int:
        return self.chain.node.account(self.owner).balance

    def now(self) -> datetime:
        return _now()

    def has_succeeded(self, tx_id: TxId) -> bool:
        seen = self.chain.node.transaction(tx_id)
        return seen is not None and seen.status.value == "success"


def _now() -> datetime:
    return datetime.now(UTC)
