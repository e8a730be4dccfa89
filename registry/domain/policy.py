"""The life of a protection policy: its statuses, the edges between them, and which of them the facts ask for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from uuid import UUID

from registry.domain.height import ChainHeight
from registry.domain.transaction import Purpose, TransactionFacts
from registry.domain.units import BlockHash, BurnHeight


class PolicyStatus(StrEnum):
    """`status_detailed`: exactly these strings."""

    PENDING_CREATION = "PendingCreation"
    ACTIVE = "Active"
    SETTLING = "Settling"
    SETTLED = "Settled"
    EXPIRING = "Expiring"
    EXPIRED = "Expired"
    FAILED_CREATION = "FailedCreation"
    FAILED_SETTLEMENT = "FailedSettlement"
    FAILED_EXPIRATION = "FailedExpiration"
    QUARANTINED = "Quarantined"


class OnChainStatus(IntEnum):
    """`status_on_chain`, as the registry contract keeps it."""

    ACTIVE = 0
    SETTLED = 1
    EXPIRED = 2


class ExerciseStyle(StrEnum):
    """When the owner may ask for the payout: any time while it runs, or decided by the sweep when it is due."""

    AMERICAN = "american"
    EUROPEAN = "european"


class Edge(StrEnum):
    """The letters of the state diagram in docs/architecture.md."""

    RECORDED = "a"
    PURCHASE_CONFIRMED = "b"
    ACTIVATED = "c"
    PAID = "d"
    GIVEN_UP = "e"
    SETTLEMENT_FAILED = "f"
    SETTLEMENT_RESUMED = "h"
    PURCHASED_AFTER_ALL = "i"
    DUE = "j"
    RELEASED = "k"
    EXPIRATION_FAILED = "l"
    EXPIRATION_RESUMED = "m"
    UNEXPLAINED = "n"
    ADOPTED = "o"
    PURCHASE_ORPHANED = "p"
    PAYOUT_ORPHANED = "q"
    RELEASE_ORPHANED = "r"
    ENTRY_ORPHANED = "s"


_S = PolicyStatus

TRANSITIONS: Mapping[Edge, tuple[frozenset[PolicyStatus | None], PolicyStatus]] = MappingProxyType(
    {
        Edge.RECORDED: (frozenset({None}), _S.PENDING_CREATION),
        Edge.PURCHASE_CONFIRMED: (frozenset({_S.PENDING_CREATION}), _S.ACTIVE),
        Edge.ACTIVATED: (frozenset({_S.ACTIVE}), _S.SETTLING),
        Edge.PAID: (frozenset({_S.SETTLING}), _S.SETTLED),
        Edge.GIVEN_UP: (frozenset({_S.PENDING_CREATION}), _S.FAILED_CREATION),
        Edge.SETTLEMENT_FAILED: (frozenset({_S.SETTLING}), _S.FAILED_SETTLEMENT),
        Edge.SETTLEMENT_RESUMED: (frozenset({_S.FAILED_SETTLEMENT}), _S.SETTLING),
        Edge.PURCHASED_AFTER_ALL: (frozenset({_S.FAILED_CREATION}), _S.ACTIVE),
        Edge.DUE: (frozenset({_S.ACTIVE}), _S.EXPIRING),
        Edge.RELEASED: (frozenset({_S.EXPIRING}), _S.EXPIRED),
        Edge.EXPIRATION_FAILED: (frozenset({_S.EXPIRING}), _S.FAILED_EXPIRATION),
        Edge.EXPIRATION_RESUMED: (frozenset({_S.FAILED_EXPIRATION}), _S.EXPIRING),
        Edge.UNEXPLAINED: (frozenset({None}), _S.QUARANTINED),
        Edge.ADOPTED: (frozenset({_S.QUARANTINED}), _S.ACTIVE),
        Edge.PURCHASE_ORPHANED: (
            frozenset({_S.ACTIVE, _S.SETTLING, _S.FAILED_SETTLEMENT}),
            _S.PENDING_CREATION,
        ),
        Edge.PAYOUT_ORPHANED: (frozenset({_S.SETTLED}), _S.SETTLING),
        Edge.RELEASE_ORPHANED: (frozenset({_S.EXPIRED}), _S.EXPIRING),
        Edge.ENTRY_ORPHANED: (frozenset({_S.QUARANTINED}), _S.FAILED_CREATION),
    }
)
"""Every edge: the statuses it may leave (None: there was no row) and the one it enters. There is no other table."""

SET_OUT = frozenset({Edge.ACTIVATED, Edge.SETTLEMENT_RESUMED, Edge.DUE, Edge.EXPIRATION_RESUMED})
"""Edges on which a policy begins to settle or to expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A purchase with our quote's id in a canonical block, equal to the quote in every term."""

    block: BlockHash
    height: BurnHeight


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalStatus:
    """How the pool ended this policy, paid or released, in a canonical block."""

    status: OnChainStatus
    block: BlockHash
    height: BurnHeight


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFacts:
    """What is known of one policy, from its row and from the canonical blocks that have been applied.

    `recorded_block` is the block whose purchase the row was confirmed from, `recorded_end` the one of its payout
    or release; None before that. `marked_expired` is the height at which the registry alone was moved to Expired,
    the collateral being locked still. `set_out_at` is when it last began to settle or to expire: what we signed before
    that, in a life that a fork or an operator ended, says nothing of it. `retries_made` is how often a failed one was
    tried again by itself, `retry_from` when it failed last; None once a person has decided about it.
    """

    id: UUID
    status: PolicyStatus
    style: ExerciseStyle
    expiration_height: BurnHeight
    valid_until_height: BurnHeight | None = None
    prepared: bool = False
    request_open: bool = False
    settlement_pinned: bool = False
    recorded_block: BlockHash | None = None
    recorded_end: BlockHash | None = None
    set_out_at: datetime | None = None
    purchase: Purchase | None = None
    final: FinalStatus | None = None
    marked_expired: BurnHeight | None = None
    retries_made: int = 0
    retry_from: datetime | None = None


_ORPHANED = MappingProxyType(
    {
        _S.ACTIVE: Edge.PURCHASE_ORPHANED,
        _S.SETTLING: Edge.PURCHASE_ORPHANED,
        _S.FAILED_SETTLEMENT: Edge.PURCHASE_ORPHANED,
        _S.QUARANTINED: Edge.ENTRY_ORPHANED,
        _S.SETTLED: Edge.PAYOUT_ORPHANED,
        _S.EXPIRED: Edge.RELEASE_ORPHANED,
    }
)
_PURCHASED = MappingProxyType(
    {_S.PENDING_CREATION: Edge.PURCHASE_CONFIRMED, _S.FAILED_CREATION: Edge.PURCHASED_AFTER_ALL}
)
_TO_FINAL: Mapping[OnChainStatus, Mapping[PolicyStatus, Edge]] = MappingProxyType(
    {
        OnChainStatus.SETTLED: {
            _S.ACTIVE: Edge.ACTIVATED,
            _S.FAILED_SETTLEMENT: Edge.SETTLEMENT_RESUMED,
            _S.SETTLING: Edge.PAID,
        },
        OnChainStatus.EXPIRED: {
            _S.ACTIVE: Edge.DUE,
            _S.FAILED_EXPIRATION: Edge.EXPIRATION_RESUMED,
            _S.EXPIRING: Edge.RELEASED,
        },
    }
)
_UNDONE = MappingProxyType({_S.SETTLED: Edge.PAYOUT_ORPHANED, _S.EXPIRED: Edge.RELEASE_ORPHANED})
_ENDS: Mapping[OnChainStatus, PolicyStatus] = MappingProxyType(
    {OnChainStatus.SETTLED: _S.SETTLED, OnChainStatus.EXPIRED: _S.EXPIRED}
)
_FAILED = MappingProxyType({_S.SETTLING: Edge.SETTLEMENT_FAILED, _S.EXPIRING: Edge.EXPIRATION_FAILED})
RESUMED: Mapping[PolicyStatus, Edge] = MappingProxyType(
    {_S.FAILED_SETTLEMENT: Edge.SETTLEMENT_RESUMED, _S.FAILED_EXPIRATION: Edge.EXPIRATION_RESUMED}
)
"""The edge on which what failed is on its way again."""


def chain_edge(policy: PolicyFacts, *, height: ChainHeight) -> Edge | None:
    """Find the one edge that the chain's confirmed facts move this policy along; None when they agree.

    Asked again after each move: a settlement nobody here asked for walks c, then d.
    """
    if policy.recorded_block is not None and (
        policy.purchase is None or policy.purchase.block != policy.recorded_block
    ):
        return _ORPHANED.get(policy.status)
    if policy.status in _UNDONE and (policy.final is None or policy.final.block != policy.recorded_end):
        return _UNDONE[policy.status]
    if policy.purchase is None or policy.purchase.height > height.confirmed:
        return None
    if policy.status in _PURCHASED:
        return _PURCHASED[policy.status]
    return _edge_to_end(policy, height)


def _edge_to_end(policy: PolicyFacts, height: ChainHeight) -> Edge | None:
    if policy.final is not None and policy.final.height <= height.confirmed:
        return _TO_FINAL.get(policy.final.status, {}).get(policy.status)
    unasked = policy.status is _S.ACTIVE and not policy.settlement_pinned and is_marked(policy, height=height)
    return Edge.DUE if unasked else None


def is_marked(policy: PolicyFacts, *, height: ChainHeight) -> bool:
    """Whether the registry alone calls it Expired, confirmed: what is left to do is to free its collateral."""
    return policy.marked_expired is not None and policy.marked_expired <= height.confirmed


def contradicts(policy: PolicyFacts, *, height: ChainHeight) -> bool:
    """Whether the chain ended this policy, confirmed, as no edge of ours can follow: a person looks."""
    if chain_edge(policy, height=height):
        return False
    if policy.final is None or policy.final.height > height.confirmed:
        return is_marked(policy, height=height) and policy.status not in {_S.EXPIRING, _S.FAILED_EXPIRATION}
    return policy.status is not _ENDS[policy.final.status]


def failure_edge(policy: PolicyFacts, transactions: Sequence[TransactionFacts]) -> Edge | None:
    """Find the edge that our own latest transaction asks for: its confirmed failure, or a fork's undoing of that."""
    latest = latest_of(policy, transactions)
    if latest is None:
        return None
    if latest.refused_for_good:
        return _FAILED.get(policy.status)
    return RESUMED.get(policy.status) if latest.is_open else None


def latest_of(
    policy: PolicyFacts, transactions: Sequence[TransactionFacts], *, purposes: Collection[Purpose] = tuple(Purpose)
) -> TransactionFacts | None:
    """Find the newest transaction of ours in this policy's present life, of some purposes or any."""
    since = policy.set_out_at
    signed = [each for each in transactions if each.purpose in purposes and (since is None or each.signed_at >= since)]
    return signed[-1] if signed else None
