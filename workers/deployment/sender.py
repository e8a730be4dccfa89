"""The admin's transactions: priced, signed and sent one after another, each waited for until a block holds it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from registry.domain.errors import RegistryError, Unavailable
from registry.domain.height import ChainHeight, Depths
from registry.domain.units import MicroStx, Principal, TxId
from registry.stacks.network import Network
from registry.stacks.node import Accepted, ChainStatus, NodeUnavailable, SeenTransaction, StacksNode
from registry.stacks.signing import PrivateKey, sign
from registry.stacks.wire import PostConditionMode, Transaction
from workers.deployment.plan import Step

Fees = Mapping[str, MicroStx]
"""What each step costs, by its name."""

LOOK_SECONDS = 1.0
ENVELOPE = 200
"""Bytes of a transaction besides its payload, and some to spare."""
_HURRY = 2
"""Times the least fee, where the node has nothing to estimate by."""


class NotDone(RegistryError):
    """A transaction of the admin's was refused, or did nothing."""

    code = "not_done"
    sentence = "to {what} was not done: {reason}"
    remedy = "see to it and run the same command again: it goes on from where it stands"


class NotMinedInTime(Unavailable):
    """No block has taken a transaction for a long time, or none is deep enough."""

    code = "not_mined_in_time"
    sentence = "to {what} takes longer than {minutes} minutes"
    remedy = "run the same command again: it goes on from where it stands"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long blocks are waited for, and how that passes."""

    minutes: float
    tell: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def until(self, what: str, done: Callable[[], bool]) -> None:
        """Look again and again until it is done, or raise NotMinedInTime. A node that is silent is asked again."""
        end = self.clock() + 60 * self.minutes
        self.tell(what)
        while True:
            silent: NodeUnavailable | None = None
            try:
                if done():
                    return
            except NodeUnavailable as error:
                silent = error
            if self.clock() >= end:
                raise silent or NotMinedInTime(what=what, minutes=self.minutes)
            self.pause(LOOK_SECONDS)


@dataclass(kw_only=True)
class Sender:
    """The admin's account. `sent` holds the transaction of each step that was done, by the step's name."""

    key: PrivateKey
    network: Network
    node: StacksNode
    patience: Patience
    sent: dict[str, TxId] = field(default_factory=dict)

    @property
    def address(self) -> Principal:
        """Whose transactions these are."""
        return Principal(self.key.address(self.network))

    def settle_down(self) -> None:
        """Wait until no earlier transaction of this account is on its way: its nonce would be taken twice."""
        self.patience.until(
            "wait for the admin's earlier transactions", lambda: not self.node.nonces(self.address).pending
        )

    def fees(self, steps: Sequence[Step]) -> dict[str, MicroStx]:
        """What each step would cost now, by the node's estimate."""
        return {step.name: self._fee(step) for step in steps}

    def do(self, step: Step, *, fee: MicroStx) -> None:
        """Sign and send one step, and wait until a block holds it, done."""
        signed = self._signed(step, fee=fee)
        txid = TxId(signed.txid)

        def mined() -> bool:
            seen = self.node.transaction(txid)
            if seen is None:  # not sent yet, or forgotten: the same bytes, however often
                self._broadcast(step, signed.encode())
            return _done(step.what, seen)

        self.patience.until(step.what, mined)
        self.sent[step.name] = txid

    def confirm(self, *, depths: Depths) -> None:
        """Wait until all that was done here is confirmed; a fork may have undone it meanwhile."""

        def deep() -> bool:
            height = ChainHeight.at(self.node.tip().burn_height, depths=depths)
            return all(_is_deep(name, self.node.transaction(txid), height) for name, txid in self.sent.items())

        if self.sent:
            self.patience.until(f"see all of it {depths.confirmed} burn blocks deep", deep)

    def _fee(self, step: Step) -> MicroStx:
        payload = step.payload.encode()
        least = MicroStx(self.node.fee_rate() * (len(payload) + ENVELOPE))
        estimates = self.node.fee_estimate(payload, estimated_len=len(payload) + ENVELOPE)
        return MicroStx(max(least, estimates[1]) if estimates else _HURRY * least)

    def _signed(self, step: Step, *, fee: MicroStx) -> Transaction:
        unsigned = Transaction(
            network=self.network,
            origin=self.key.spend(nonce=self.node.account(self.address).nonce, fee=fee),
            post_condition_mode=PostConditionMode.DENY,  # nothing of the admin's moves but the fee
            payload=step.payload,
        )
        return sign(unsigned, self.key)

    def _broadcast(self, step: Step, raw: bytes) -> None:
        answer = self.node.broadcast(raw)
        if not isinstance(answer, Accepted):
            raise NotDone(what=step.what, reason=f"{answer.reason} {answer.message}".strip())


def _done(what: str, seen: SeenTransaction | None) -> bool:
    """Whether a block holds it, done; NotDone if it failed there."""
    if seen is None or seen.status in {ChainStatus.PENDING, ChainStatus.UNKNOWN}:
        return False
    if seen.status is not ChainStatus.SUCCESS:
        raise NotDone(what=what, reason=f"the chain says {seen.status}")
    return seen.block is not None


def _is_deep(what: str, seen: SeenTransaction | None, height: ChainHeight) -> bool:
    return (
        _done(what, seen) and seen is not None and seen.block is not None and seen.block.burn_height <= height.confirmed
    )
