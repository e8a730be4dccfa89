"""Drift: where Postgres and the contracts differ, what each difference is called, and how it is mended."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from registry.domain.policy import OnChainStatus, PolicyStatus
from registry.domain.units import StacksHeight

_S = PolicyStatus

AGREEING: Mapping[OnChainStatus | None, frozenset[PolicyStatus]] = MappingProxyType(
    {
        None: frozenset({_S.PENDING_CREATION, _S.FAILED_CREATION}),
        OnChainStatus.ACTIVE: frozenset(
            {_S.ACTIVE, _S.SETTLING, _S.EXPIRING, _S.FAILED_SETTLEMENT, _S.FAILED_EXPIRATION, _S.QUARANTINED}
        ),
        OnChainStatus.SETTLED: frozenset({_S.SETTLING, _S.SETTLED}),
        OnChainStatus.EXPIRED: frozenset({_S.EXPIRING, _S.EXPIRED}),
    }
)
"""Which of our statuses may stand beside each of the registry contract's; None: it has no such policy."""


class Kind(StrEnum):
    """What differs. Coins that somebody sent to the pool past its functions are told of, and are no drift."""

    EVIDENCE = "evidence"
    UNKNOWN = "unknown"
    MISPLACED = "misplaced"
    STATUS = "status"
    MIRROR = "mirror"
    TERMS = "terms"
    COLLATERAL = "collateral"
    BOOK = "book"
    VAULT = "vault"
    TIER = "tier"
    NONCE = "nonce"
    SURPLUS = "surplus"


class Repair(StrEnum):
    """How it is mended: never by writing a status.

    `sync`: the edges that the events we hold ask for. `follow`: blocks are applied up to the tip. `follow_again`: from
    the block whose evidence is missing. `walk_again`: the same, and the policy walks back and forth meanwhile, so that
    what its edges write is written anew. `recount`: a tier's sums are added up from its reservations. `nobody`: a
    person looks.
    """

    SYNC = "sync"
    FOLLOW = "follow"
    FOLLOW_AGAIN = "follow_again"
    WALK_AGAIN = "walk_again"
    RECOUNT = "recount"
    NOBODY = "nobody"


Told = Mapping[str, object]
"""Figures by name, as JSON holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """An event that the chain must have and we do not hold."""

    event: str
    policy_id_on_chain: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference: of what, as we have it and as the chain has it, and what mends it.

    `height` is the block from which to follow again; `missing` what is to be looked up to know it.
    """

    kind: Kind
    subject: str
    ours: Told
    chain: Told
    repair: Repair = Repair.NOBODY
    policy_id: UUID | None = None
    height: StacksHeight | None = None
    missing: Missing | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is called by from one comparison to the next."""
        return self.kind.value, self.subject

    @property
    def is_drift(self) -> bool:
        """Whether something is wrong at all."""
        return self.kind is not Kind.SURPLUS

    @property
    def advice(self) -> str:
        """What a person does about it."""
        return _ADVICE[self.kind]


_ADVICE: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.EVIDENCE: "run `registry reconcile`; if that does not help, the node hides its events: use another",
        Kind.UNKNOWN: "find the backup that has its quote; without one it belongs in quarantine",
        Kind.MISPLACED: "run `registry reconcile`; if that does not help, look at `registry policies show`",
        Kind.STATUS: "look at `registry policies show`: no edge leads to what the chain says",
        Kind.MIRROR: "run `registry reconcile`; if that does not help, look at `registry policies show`",
        Kind.TERMS: "somebody has written to the table: put back the terms of the quote, which are the chain's",
        Kind.COLLATERAL: "somebody has written to the table: put back what the quote says, which is the chain's",
        Kind.BOOK: "run `registry reconcile`; if that does not help, compare the pool's events with the contract",
        Kind.VAULT: "the pool lacks coins that it books: set creation_enabled=false and find out where they are",
        Kind.TIER: "mend what else is found first: a tier's sums are added up only from collateral that is right",
        Kind.NONCE: "somebody else signs with this key: find out who, and replace the key if nobody knows",
        Kind.SURPLUS: "nothing: somebody sent coins to the pool outside its functions, and no policy counts on them",
    }
)


def agrees(status: PolicyStatus, on_chain: OnChainStatus | None) -> bool:
    """Whether the registry contract's status may stand beside ours."""
    return status in AGREEING[on_chain]
