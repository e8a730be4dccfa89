"""Owners: each asks at the front door, buys with a wallet of his own, and asks again whenever no answer comes."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from api.actions import Operation
from registry.domain.errors import NoCapacity, RegistryError
from registry.domain.policy import PolicyStatus
from registry.domain.units import TxId
from registry.services.submissions import inner_key
from registry.stacks import messages
from registry.stacks.http_node import HttpNode
from registry.stacks.node import ChainStatus, SeenTransaction
from registry.stacks.signing import PrivateKey
from registry_client.answers import Creation
from registry_client.errors import ApiError, ApiRefused, NotSignedIn
from registry_client.http import PolicyRegistry
from tests.chaos.journal import Scribe
from tests.chaos.lives import ASKERS, BUYERS, Life, Way
from tests.chaos.watch import Watch
from tests.chaos.world import World
from tests.integration.chain import Chain
from workers.demo.wallets import Wallet

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
    front: PolicyRegistry
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
        answer = self._created(life)
        if answer is None:
            return
        policy = answer["policy"]["id"]
        self.policies[life.number] = policy
        if life.way is Way.DECLINES:
            self._told(partial(self.front.cancel_quote, policy, idempotency_key=f"{life.key}-declined"))
        if life.way in BUYERS:
            self._buy(life, policy, answer)
        if life.way is Way.ASKS_TOO_EARLY:
            self._wish(policy, f"{life.key}-early")

    def _created(self, life: Life) -> Creation | None:
        """Ask for a policy, under another key once the pool was short: a refusal stays one under its key."""
        for number in itertools.count(1):
            key = life.key if number == 1 else f"{life.key}-{number}"
            kept = inner_key(Operation.CREATE, key)
            self.scribe.asked(self.wallet.address, kept)
            try:
                answer = self._asked(partial(self.front.create_policy, life.request(), idempotency_key=key))
            except ApiRefused as refusal:
                if refusal.code != NoCapacity.code:
                    self.scribe.note("refused", key=key, why=str(refusal))
                    return None
                # it may have room when others have ended
                self._again(refusal)
                self.over.wait(LONGEST_PAUSE_SECONDS)
                continue
            self.scribe.answered(self.wallet.address, kept, policy=answer["policy"]["id"])
            return answer
        raise GaveUp

    def activate(self, life: Life) -> None:
        """Ask to be paid, if he holds a policy and means to."""
        policy = self.policies.get(life.number)
        if life.way in ASKERS and policy is not None:
            self._wish(policy, f"{life.key}-fallen")

    def _wish(self, policy: str, key: str) -> None:
        if self.watch.status(policy) != PolicyStatus.ACTIVE:
            return
        try:
            answer = self._asked(partial(self.front.activate_policy, policy, idempotency_key=key))
        except ApiRefused as refusal:
            self.scribe.note("not paid", policy=policy, why=str(refusal))
            return
        if answer["activation"]["state"] == "accepted":
            self.scribe.accepted(policy, inner_key(Operation.ACTIVATE, key))

    def _told(self, ask: Callable[[], object]) -> None:
        """Say something that may be refused by now."""
        try:
            self._asked(ask)
        except ApiRefused as refusal:
            self.scribe.note("refused", why=str(refusal))

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer; nothing is done twice by asking twice.

        Raises:
            ApiRefused: that is the answer.
        """
        limit, pause = time.monotonic() + SALE_SECONDS, PAUSE_SECONDS
        while not self.over.is_set() and time.monotonic() < limit:
            try:
                with self.turnstile:
                    if self.over.is_set():
                        break
                    return self._signed_in(ask)
            except (ApiError, OSError) as error:
                if isinstance(error, ApiRefused):
                    raise
                self._again(error)
            self.over.wait(pause)
            # whoever asks faster than is answered only makes the queue longer
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        raise GaveUp

    def _signed_in(self, ask: Callable[[], Answer]) -> Answer:
        """Ask as whom the wallet proves."""
        try:
            return ask()
        except NotSignedIn:
            self.front.sign_in(self.wallet.address, self._sign)
            return ask()

    def _sign(self, message: str) -> str:
        return messages.sign(message, PrivateKey.from_hex(self.wallet.key)).hex()

    def _again(self, error: Exception) -> None:
        self.scribe.note("again", why=f"{type(error).__name__}: {error}"[:300])
        self.repeated.more()

    def _buy(self, life: Life, policy: str, answer: Creation) -> None:
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
            self._told(partial(self.front.report_purchase, policy, f"0x{sent}", idempotency_key=f"{life.key}-sent"))

    def _look(self, chain: Chain, sent: TxId | None, answer: Creation) -> TxId | None:
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
