"""The next move at a nonce: what a transaction of ours that is not mined needs, as a pure function of the facts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from registry.domain.fees import Fees
from registry.domain.transaction import AttemptKind, TransactionStatus, Verdict
from registry.domain.units import BurnHeight, MicroStx, Nonce

_SHORTEST = timedelta(milliseconds=10)
_LONGEST = timedelta(minutes=5)


class Move(StrEnum):
    """What may be done at one nonce.

    `offer`: the newest bytes as they are. `fill`: bytes that use the nonce for nothing. `raise_fee`: the same for more.
    `held`: it is stuck and pays the most already. `find_out`: the chain has used the nonce, so see who did.
    """

    OFFER = "offer"
    FILL = "fill"
    RAISE_FEE = "raise_fee"
    HELD = "held"
    FIND_OUT = "find_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long bytes may wait before more is paid for them, and before they are offered again."""

    bump_after_blocks: int = 3
    bump_after: timedelta = timedelta(minutes=30)
    reoffer_after: timedelta = timedelta(minutes=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A transaction that is not mined, by its newest attempt. `is_dead`: its call must never be offered again.

    `since` is when a node first took the attempt, or else when it was signed; `height` the burn height of its signing.
    """

    nonce: Nonce
    status: TransactionStatus
    is_dead: bool
    kind: AttemptKind
    verdict: Verdict | None
    fee: MicroStx
    since: datetime
    height: BurnHeight | None
    offered_at: datetime | None


def next_move(
    waiting: Waiting, *, next_nonce: Nonce, tip: BurnHeight, fees: Fees, patience: Patience, now: datetime
) -> Move | None:
    """Say what this transaction needs; None while it only has to wait. `next_nonce` is the one the chain takes next."""
    if waiting.nonce < next_nonce:
        return Move.FIND_OUT
    if waiting.is_dead and waiting.kind is AttemptKind.CALL:
        return Move.FILL
    dearer = Move.HELD if fees.raised(waiting.fee) is None else Move.RAISE_FEE
    if waiting.verdict is Verdict.RAISE_FEE:
        return dearer
    if waiting.offered_at is None or _is_due(waiting, offered_at=waiting.offered_at, now=now):
        return Move.OFFER
    stuck = waiting.nonce == next_nonce and _is_stuck(waiting, tip=tip, patience=patience, now=now)
    grows_old = waiting.offered_at <= now - patience.reoffer_after
    if grows_old and not (stuck and dearer is Move.RAISE_FEE):
        return Move.OFFER
    return dearer if stuck else None


def resend_at(*, signed_at: datetime, offered_at: datetime) -> datetime:
    """When bytes that a node did not keep are offered again: after as long again as they have waited, in bounds."""
    return offered_at + min(max(offered_at - signed_at, _SHORTEST), _LONGEST)


def _is_due(waiting: Waiting, *, offered_at: datetime, now: datetime) -> bool:
    """Whether what no node took so far may be tried again; at once where the signer was paused and is so no more."""
    if waiting.status is not TransactionStatus.SIGNED:
        return False
    return waiting.verdict is Verdict.PAUSE or now >= resend_at(signed_at=waiting.since, offered_at=offered_at)


def _is_stuck(waiting: Waiting, *, tip: BurnHeight, patience: Patience, now: datetime) -> bool:
    """Whether blocks and minutes have passed it by: either alone says nothing, for blocks come in bursts and pauses."""
    blocks = 0 if waiting.height is None else tip - waiting.height
    return blocks >= patience.bump_after_blocks and waiting.since <= now - patience.bump_after
