"""A chain for the model: blocks of calls, a contract that says what each did, forks that take blocks back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from uuid import UUID

from registry.domain.policy import OnChainStatus
from registry.domain.transaction import Purpose
from registry.domain.units import BlockHash, BurnHeight

DEEPEST = 4
"""Blocks under the highest one ever that forks reach, all together: less than a policy's whole life."""

NOT_BACKEND, NO_SUCH, OVER, TOO_EARLY, PAID, NOT_MARKED = 100, 101, 103, 104, 207, 212


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A transaction: an owner's purchase, which has no nonce here, or one of ours."""

    policy: UUID
    valid_until: int = 0
    expiration: int = 0
    purpose: Purpose | None = None
    nonce: int | None = None
    on_chain: int = 0


class Did(StrEnum):
    """What a call that succeeded was for a policy."""

    PURCHASED = "purchased"
    SETTLED = "settled"
    MARKED = "marked"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """A call in a block: what it did to which policy, or the contract's refusal."""

    call: Call
    on_chain: int
    policy: UUID | None = None
    did: Did | None = None
    refusal: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block, and all that was done in it."""

    hash: BlockHash
    parent: BlockHash
    height: BurnHeight
    mined: tuple[Mined, ...] = ()


@dataclass
class _Entry:
    policy: UUID
    expiration: int
    status: OnChainStatus = OnChainStatus.ACTIVE
    released: bool = False


GENESIS = Block(hash=BlockHash("0"), parent=BlockHash(""), height=BurnHeight(0))


@dataclass
class Chain:
    """The canonical chain and what waits for a block. `obeys` whether the contract takes our key for the backend's."""

    blocks: list[Block] = field(default_factory=lambda: [GENESIS])
    waiting: list[Call] = field(default_factory=list)
    obeys: bool = True
    _highest: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def tip(self) -> Block:
        return self.blocks[-1]

    def send(self, call: Call) -> None:
        """Take a call; the same one again changes nothing, and of two with one nonce the later pays more."""
        if self.knows(call) or (call.nonce is not None and call.nonce < self._nonce()):
            return
        self.waiting = [each for each in self.waiting if call.nonce is None or each.nonce != call.nonce]
        self.waiting.append(call)

    def mine(self) -> None:
        """Seal a block of all that may go in: ours in the order of their nonces, without a gap."""
        height = BurnHeight(self.tip.height + 1)
        entries, used = self._state(), self._nonce()
        mined: list[Mined] = []
        for call in [call for call in self.waiting if call.nonce is None]:
            if all(entry.policy != call.policy for entry in entries.values()) and height <= call.valid_until:
                number = len(entries) + 1
                entries[number] = _Entry(policy=call.policy, expiration=call.expiration)
                mined.append(Mined(call=call, on_chain=number, policy=call.policy, did=Did.PURCHASED))
            self.waiting.remove(call)
        for call in sorted((call for call in self.waiting if call.nonce is not None), key=lambda each: each.nonce or 0):
            if call.nonce == used:
                mined.append(_executed(call, entries.get(call.on_chain), height=height, obeys=self.obeys))
                used += 1
                self.waiting.remove(call)
        name = BlockHash(str(next(self._numbers)))
        self.blocks.append(Block(hash=name, parent=self.tip.hash, height=height, mined=tuple(mined)))

    def fork(self, depth: int, *, keep: bool) -> None:
        """Take blocks back; what was in them waits again, last first, or is gone."""
        self._highest = max(self._highest, len(self.blocks))
        for _ in range(min(depth, len(self.blocks) - max(1, self._highest - DEEPEST))):
            taken = self.blocks.pop()
            for mined in reversed(taken.mined):
                if keep and all(each.nonce is None or each.nonce != mined.call.nonce for each in self.waiting):
                    self.waiting.append(mined.call)

    def find(self, call: Call) -> tuple[Block, Mined] | None:
        """Where a call stands."""
        for block in self.blocks:
            for mined in block.mined:
                if mined.call == call:
                    return block, mined
        return None

    def knows(self, call: Call) -> bool:
        return call in self.waiting or self.find(call) is not None

    def status_of(self, policy: UUID) -> OnChainStatus | None:
        """What the contract says of a policy; None if nobody bought it."""
        return next((entry.status for entry in self._state().values() if entry.policy == policy), None)

    def done(self, policy: UUID) -> Sequence[Did]:
        """Everything that was ever done to a policy on this chain."""
        every = [mined for block in self.blocks for mined in block.mined]
        return [mined.did for mined in every if mined.policy == policy and mined.did]

    def _nonce(self) -> int:
        return sum(mined.call.nonce is not None for block in self.blocks for mined in block.mined)

    def _state(self) -> dict[int, _Entry]:
        entries: dict[int, _Entry] = {}
        for mined in (mined for block in self.blocks for mined in block.mined):
            match mined.did:
                case Did.PURCHASED:
                    entries[mined.on_chain] = _Entry(policy=mined.call.policy, expiration=mined.call.expiration)
                case Did.SETTLED:
                    entries[mined.on_chain].status = OnChainStatus.SETTLED
                case Did.MARKED:
                    entries[mined.on_chain].status = OnChainStatus.EXPIRED
                case Did.RELEASED:
                    entries[mined.on_chain].status = OnChainStatus.EXPIRED
                    entries[mined.on_chain].released = True
        return entries


def _executed(call: Call, entry: _Entry | None, *, height: int, obeys: bool) -> Mined:
    """What the contract answers one of our calls, which changes the entry that it names."""
    refusal = _refusal(call, entry, height=height, obeys=obeys)
    if refusal is not None or entry is None or call.purpose is Purpose.FILL:
        return Mined(call=call, on_chain=call.on_chain, refusal=refusal)
    did = {Purpose.SETTLE: Did.SETTLED, Purpose.MARK_EXPIRED: Did.MARKED}.get(
        call.purpose or Purpose.EXPIRE, Did.RELEASED
    )
    entry.status = OnChainStatus.SETTLED if did is Did.SETTLED else OnChainStatus.EXPIRED
    entry.released = did is Did.RELEASED
    return Mined(call=call, on_chain=call.on_chain, policy=entry.policy, did=did)


def _refusal(call: Call, entry: _Entry | None, *, height: int, obeys: bool) -> int | None:
    if call.purpose is Purpose.FILL:
        return None
    if not obeys:
        return NOT_BACKEND
    if entry is None:
        return NO_SUCH
    if call.purpose is Purpose.RELEASE:
        return OVER if entry.released else None if entry.status is OnChainStatus.EXPIRED else NOT_MARKED
    if entry.status is not OnChainStatus.ACTIVE:
        return PAID if entry.status is OnChainStatus.SETTLED else OVER
    return TOO_EARLY if call.purpose is not Purpose.SETTLE and height <= entry.expiration else None
