"""The life of a transaction that the backend signs: signed, sent, mined, then succeeded or refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID


class TransactionStatus(StrEnum):
    """Where a backend transaction stands. An abort counts when confirmed; an orphaned one never happened.

    Voided: its nonce was used for nothing, so it will never take effect.
    """

    SIGNED = "Signed"
    SENT = "Sent"
    MINED = "Mined"
    SUCCEEDED = "Succeeded"
    ABORTED = "Aborted"
    VOIDED = "Voided"


class Purpose(StrEnum):
    """What a backend transaction is for.

    `expire` frees a batch's collateral and moves the registry at once. In two steps the same is done by
    `mark_expired`, which moves the registry alone, and then by `release`. `fill` is for no policy: it uses a nonce
    that nothing of ours has, so that those behind it are not held up.
    """

    SETTLE = "settle"
    EXPIRE = "expire"
    MARK_EXPIRED = "mark_expired"
    RELEASE = "release"
    FILL = "fill"


class AttemptKind(StrEnum):
    """What an attempt asks of the chain: the call, or nothing, so that its nonce does not hold up those behind it."""

    CALL = "call"
    FILLER = "filler"


class Verdict(StrEnum):
    """What a node's answer means for the bytes that it was offered.

    `retry`: the same bytes later. `raise_fee`: the same call at the same nonce for more. `resolve`: they may have been
    taken, so first the txid and then the nonce is looked up. `refuse`: they will never do. `pause`: nothing of this
    signer's will do before a person, or money, has come.
    """

    SENT = "sent"
    RETRY = "retry"
    RAISE_FEE = "raise_fee"
    RESOLVE = "resolve"
    REFUSE = "refuse"
    PAUSE = "pause"


class Dead(StrEnum):
    """Why a call is never offered again, so that its nonce is used for nothing.

    `refused`: no node takes these bytes. `moved`: a fork took back an id that they name. `used`: bytes that are not
    ours were mined at its nonce.
    """

    REFUSED = "refused"
    MOVED = "moved"
    USED = "used"


class ExpirationPath(StrEnum):
    """How what ran out is expired on chain: in one transaction for a batch, or in two for each policy."""

    ONE_STEP = "one_step"
    TWO_STEP = "two_step"


_T = TransactionStatus

TRANSITIONS: Mapping[TransactionStatus, frozenset[TransactionStatus]] = MappingProxyType(
    {
        _T.SIGNED: frozenset({_T.SENT, _T.MINED}),
        _T.SENT: frozenset({_T.MINED}),
        _T.MINED: frozenset({_T.SENT, _T.SUCCEEDED, _T.ABORTED, _T.VOIDED}),
        _T.SUCCEEDED: frozenset({_T.SENT}),
        _T.ABORTED: frozenset({_T.SENT}),
        _T.VOIDED: frozenset({_T.SENT}),
    }
)
"""From each status to those it may become. Back to Sent: its block was orphaned."""

OPEN = frozenset({_T.SIGNED, _T.SENT, _T.MINED})
"""Statuses in which the transaction may still take effect: no second one for the same policy meanwhile."""

IN_A_BLOCK = frozenset({_T.MINED, _T.SUCCEEDED, _T.ABORTED, _T.VOIDED})
"""Statuses that rest on a block, and fall with it."""

NOT_YET = frozenset({104, 212})
"""Contract errors that time or the step before will mend: not run out yet, not called Expired yet."""

NO_CODE = 0
"""Stands for an abort without a contract's number: a post-condition, a runtime error, a call that was skipped."""

NODE_REFUSED = -1
"""Stands for a call that the node would not take, so that no contract ever saw it."""

OVER_ELSEWHERE = frozenset({103, 207, 208})
"""Contract errors that say the policy is over in another way: the chain's own events tell which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFacts:
    """One backend transaction as one of its policies sees it.

    `refusal` is the contract's error code for this policy's own entry: a batch succeeds with every entry
    refused, or NO_CODE or NODE_REFUSED.
    """

    id: UUID
    purpose: Purpose
    status: TransactionStatus
    signed_at: datetime
    refusal: int | None = None
    look_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it may still take effect."""
        return self.status in OPEN

    @property
    def refused_for_good(self) -> bool:
        """Whether it is over, did nothing for this policy, and sending another would end the same way."""
        passing = self.refusal is None or self.refusal in NOT_YET | OVER_ELSEWHERE
        return not self.is_open and not passing

    @property
    def over_elsewhere(self) -> bool:
        """Whether it is over because somebody else's call came first."""
        return not self.is_open and self.refusal in OVER_ELSEWHERE
