"""Owners: each asks, buys with a wallet of his own, and asks again whenever an answer does not come."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from registry.domain.errors import NoCapacity, Refusal, RegistryError
from registry.domain.policy import PolicyStatus
from registry.domain.units import TxId
from registry.stacks.http_node import HttpNode
from registry.stacks.node import ChainStatus, SeenTransaction
from registry.stacks.signing import PrivateKey
from tests.chaos.journal import Scribe
from tests.chaos.lives import ASKERS, BUYERS, Life, Way
from tests.chaos.watch import Watch
from tests.chaos.world import World
from tests.integration.chain import Chain
from workers.client import RegistryClient
from workers.demo.wallets import Wallet
from workers.pending import Pending

Answer = TypeVar("Answer")

PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 5.0
SALE_SECONDS = 120.0
_WAITS = {None, PolicyStatus.PENDING_CREATION}
_ON_CHAIN = {ChainStatus.SUCCESS, ChainStatus.PENDING}


class GaveUp(Exception):
    """The run is over, or nothing was answered for so long that it should be."""


@dataclass
class Counter:
    """How often somebody had to ask again."""

    repeats: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def more(self) -> None:
        """Once more."""
        with self._lock:
            self.repeats += 1


@dataclass
class Owner:
    """One of them, in whatever thread he is called."""

    world: World
    wallet: Wallet
    client: RegistryClient
    watch: Watch
    scribe: Scribe
    over: threading.Event
    repeated: Counter
    turnstile: threading.Semaphore
    """Lets some ask at once: whoever waits too long for an answer asks again, and so makes everybody wait longer."""
    policies: dict[int, str] = field(default_factory=dict)
    """Which policy came of each life, by its number."""

    def sell(self, life: Life) -> None:
        """Ask for a policy, and buy it if that is what he does."""
        self.scribe.asked(self.wallet.address, life.key)
        try:
            answer = self._asked(
                lambda: self.client.request_creation(self.wallet.address, life.request(), idempotency_key=life.key)
            )
        except Refusal as refusal:
            self.scribe.note("refused", key=life.key, why=str(refusal))
            return
        policy = str(answer["policy"]["id"])
        self.scribe.answered(self.wallet.address, life.key, policy=policy)
        self.policies[life.number] = policy
        if life.way is Way.DECLINES:
            self._told(lambda: self.client.decline_creation(self.wallet.address, policy))
        if life.way in BUYERS:
            self._buy(policy, answer)
        if life.way is Way.ASKS_TOO_EARLY:
            self._wish(policy, f"{life.key}-early")

    def activate(self, life: Life) -> None:
        """Ask to be paid, if he holds a policy and means to."""
        policy = self.policies.get(life.number)
        if life.way in ASKERS and policy is not None:
            self._wish(policy, f"{life.key}-fallen")

    def _wish(self, policy: str, key: str) -> None:
        if self.watch.status(policy) != PolicyStatus.ACTIVE:
            return
        try:
            answer = self._asked(
                lambda: self.client.request_activation(self.wallet.address, policy, idempotency_key=key)
            )
        except Refusal as refusal:
            self.scribe.note("not paid", policy=policy, why=str(refusal))
            return
        if answer["activation"]["state"] == "accepted":
            self.scribe.accepted(policy, key)

    def _told(self, ask: Callable[[], Pending[Any]]) -> None:
        """Say something that may be refused by now."""
        try:
            self._asked(ask)
        except Refusal as refusal:
            self.scribe.note("refused", why=str(refusal))

    def _asked(self, ask: Callable[[], Pending[Answer]]) -> Answer:
        """Ask until there is an answer; nothing is done twice by asking twice.

        Raises:
            Refusal: that is the answer.
        """
        limit, pause = time.monotonic() + SALE_SECONDS, PAUSE_SECONDS
        while not self.over.is_set() and time.monotonic() < limit:
            try:
                with self.turnstile:
                    if self.over.is_set():
                        break
                    return ask().answer()
            except (RegistryError, KombuError, RedisError, OSError) as error:
                # a pool that is short may have room when others have ended
                if isinstance(error, Refusal) and not isinstance(error, NoCapacity):
                    raise
                self.scribe.note("again", why=f"{type(error).__name__}: {error}"[:300])
                self.repeated.more()
            self.over.wait(pause)
            # whoever asks faster than is answered only makes the queue longer
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        raise GaveUp

    def _buy(self, policy: str, answer: Any) -> None:
        """Send the purchase, and send another in its place while the chain has none and the quote is good."""
        node = HttpNode(self.world.stack.devnet_url)
        deployer = PrivateKey.from_hex(self.world.stack.cast.deployer.key)
        chain = Chain(url=self.world.stack.devnet_url, node=node, deployer=deployer)
        sent: TxId | None = None
        limit = time.monotonic() + SALE_SECONDS
        try:
            while self.watch.status(policy) in _WAITS and not self.over.is_set() and time.monotonic() < limit:
                sent = self._look(chain, sent, answer)
                self.over.wait(PAUSE_SECONDS)
        finally:
            node.close()
        if sent is not None:
            self._told(lambda: self.client.report_creation_tx(self.wallet.address, policy, f"0x{sent}"))

    def _look(self, chain: Chain, sent: TxId | None, answer: Any) -> TxId | None:
        """Answer the purchase that is on its way, a new one if there is none."""
        try:
            seen = None if sent is None else chain.node.transaction(sent)
            if _is_on_its_way(seen) or chain.node.tip().burn_height >= answer["quote"]["valid_until_height"]:
                return sent
            chain.nonces.clear()
            new = chain.buy(PrivateKey.from_hex(self.wallet.key), answer["wallet_payload"])
        except (RegistryError, AssertionError, OSError) as error:
            # what was sent may have arrived: the next look finds its nonce used, and the quote too
            self.scribe.note("wallet", why=f"{type(error).__name__}: {error}"[:300])
            return sent
        self.scribe.note("bought", policy=answer["policy"]["id"], tx_id=new, owner=self.wallet.address)
        return new


def _is_on_its_way(seen: SeenTransaction | None) -> bool:
    return seen is not None and seen.status in _ON_CHAIN
