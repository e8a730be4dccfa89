"""Policies as they stood at a height of the past, from the events that are never changed.

As of height H is: just before the first block beyond H was applied on top of the blocks that are canonical up to H. At
the newest height that is now, and may yet change. So what the registry had not applied or confirmed by then is not
told, though it happened at or under H; and what a fork undid later is told as it was believed then, unless the fork
replaced H itself: then H passed again, and the second time counts.

A policy's status is that of its last event before that instant. What later edges wrote is null. What the chain had
said, and a fork made it say otherwise since, is read again from the event that proved it, which is kept in an orphaned
block too. The registry's own mark of a policy in two steps is no edge, so `status_on_chain` is 0 until the second.
An on-chain id names the policy that has it now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.errors import HeightNotKept, NoBlockYet
from registry.domain.policy import Edge, OnChainStatus
from registry.domain.units import SECONDS_PER_BLOCK, BurnHeight, Principal
from registry.queries.policies import describe
from registry.stacks.contracts import Contracts
from registry.stacks.events import PolicyPurchased, PolicySettled, decode_event
from registry.store import blocks
from registry.store.tables import BlockRow, ChainEventRow, PolicyEventRow

_PURCHASED = frozenset({Edge.PURCHASE_CONFIRMED, Edge.PURCHASED_AFTER_ALL, Edge.UNEXPLAINED})
_TAKEN = frozenset({Edge.PURCHASE_ORPHANED, Edge.ENTRY_ORPHANED})
_ENDED = frozenset({Edge.PAID, Edge.RELEASED})
_UNENDED = frozenset({Edge.PAYOUT_ORPHANED, Edge.RELEASE_ORPHANED})
_DECIDED = frozenset({Edge.ACTIVATED, Edge.DUE})

_CREATION: Mapping[str, None] = MappingProxyType(
    dict.fromkeys(
        (
            "policy_id_on_chain",
            "creation_height",
            "creation_timestamp",
            "expiration_timestamp_estimate",
            "premium_amount_base_units",
            "premium_token",
            "premium_fee_amount_base_units",
            "tx_id_creation",
        )
    )
)
_END: Mapping[str, None] = MappingProxyType(
    dict.fromkeys(("settlement_amount_base_units", "settlement_token", "settlement_timestamp", "tx_id_status_update"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A height, and the instant just before which it was the newest; `before` is None if it is the newest now."""

    height: BurnHeight
    before: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """The edges of one policy, split at a moment."""

    done: Sequence[PolicyEventRow]
    later: Sequence[PolicyEventRow]

    def last(self, *edges: frozenset[Edge]) -> PolicyEventRow | None:
        """The newest event before the moment on one of these edges."""
        kinds = frozenset[Edge]().union(*edges)
        return next((each for each in reversed(self.done) if each.edge in kinds), None)

    def follows(self, *edges: frozenset[Edge]) -> PolicyEventRow | None:
        """The oldest event after the moment on one of these edges."""
        kinds = frozenset[Edge]().union(*edges)
        return next((each for each in self.later if each.edge in kinds), None)


def moment(session: Session, height: BurnHeight) -> Moment:
    """Find out when a height was the newest.

    Raises:
        NoBlockYet: no block has been applied.
        HeightNotKept: it has not come, or it passed before anything was applied or times were kept.
    """
    tip = blocks.tip(session)
    if tip is None:
        raise NoBlockYet
    burned = col(BlockRow.burn_height)
    standing = select(BlockRow).where(col(BlockRow.is_canonical))
    newest_first = standing.where(burned <= height).order_by(burned.desc(), col(BlockRow.height).desc())
    last = session.execute(newest_first.limit(1)).scalar_one_or_none()
    oldest_first = standing.where(burned > height).order_by(burned, col(BlockRow.height))
    following = session.execute(oldest_first.limit(1)).scalar_one_or_none()
    is_known = following is None or following.applied_at is not None
    if last is None or height > tip.burn_height or not is_known:
        raise HeightNotKept(height=height, lowest=_lowest(session), highest=tip.burn_height)
    return Moment(height=height, before=None if following is None else _passed(session, last, following))


def _passed(session: Session, last: BlockRow, following: BlockRow) -> datetime | None:
    """When the first block came behind the last one of a height, be it one that a fork took later."""
    if last.applied_at is None:
        return following.applied_at
    passed: datetime | None = session.execute(
        select(func.min(col(BlockRow.applied_at))).where(
            col(BlockRow.burn_height) > last.burn_height,
            col(BlockRow.burn_height) <= following.burn_height,
            col(BlockRow.applied_at) >= last.applied_at,
        )
    ).scalar_one()
    return passed


def _lowest(session: Session) -> int:
    """The lowest height of which it is known when it was the newest."""
    burned = col(BlockRow.burn_height)
    unknown = func.max(burned).filter(col(BlockRow.applied_at).is_(None))
    lowest: int = session.execute(
        select(func.coalesce(unknown, func.min(burned))).where(col(BlockRow.is_canonical))
    ).scalar_one()
    return lowest


def described(
    session: Session, contracts: Contracts, rows: Sequence[Row[Any]], *, at: Moment
) -> list[tuple[dict[str, Any], Sequence[PolicyEventRow]]]:
    """Each policy as it stood, with the events that it had behind it; those that were not there yet are left out."""
    events = select(PolicyEventRow).where(col(PolicyEventRow.policy_id).in_([row.id for row in rows]))
    walks: dict[UUID, list[PolicyEventRow]] = {row.id: [] for row in rows}
    for event in session.execute(events.order_by(col(PolicyEventRow.id))).scalars():
        walks[event.policy_id].append(event)
    split = [(row, _split(walks[row.id], at)) for row in rows]
    return [(_stood(session, contracts, row, walk, at=at), walk.done) for row, walk in split if walk.done]


def _split(events: Sequence[PolicyEventRow], at: Moment) -> _Walk:
    """Up to the last event before the moment: times are given before commits, and may be out of order by a little."""
    count = max((n for n, each in enumerate(events, 1) if at.before is None or each.at < at.before), default=0)
    return _Walk(done=events[:count], later=events[count:])


def _stood(session: Session, contracts: Contracts, row: Row[Any], walk: _Walk, *, at: Moment) -> dict[str, Any]:
    told = describe(row)
    if not walk.later and at.before is None:
        return told
    looked = told["last_checked_block_height_expiry"]
    return {
        **told,
        **_creation(session, contracts, told, walk),
        **_end(session, contracts, told, walk),
        **_adoption(walk),
        "status_detailed": walk.done[-1].to_status,
        "oracle_data_snapshot_settlement": _decision(told, walk),
        "last_checked_block_height_expiry": looked if looked is not None and looked <= at.height else None,
    }


def _creation(session: Session, contracts: Contracts, told: Mapping[str, Any], walk: _Walk) -> Mapping[str, Any]:
    purchase = walk.last(_PURCHASED, _TAKEN)
    if purchase is None or purchase.edge in _TAKEN:
        return {**_CREATION, "status_on_chain": None}
    if walk.follows(_PURCHASED, _TAKEN) is None:
        return {"status_on_chain": OnChainStatus.ACTIVE.value}
    known = {**_CREATION, "tx_id_creation": purchase.tx_id, "creation_height": purchase.height}
    known["status_on_chain"] = OnChainStatus.ACTIVE.value
    found = _proof(session, purchase, "policy-purchased")
    if found is None:
        return known
    event, block = found
    said = decode_event(contracts, Principal(event.contract), event.raw)
    if not isinstance(said, PolicyPurchased):
        return known
    blocks_left = told["expiration_height"] - block.burn_height
    return {
        **known,
        "policy_id_on_chain": said.policy_id,
        "creation_timestamp": block.time.isoformat(),
        "expiration_timestamp_estimate": (block.time + timedelta(seconds=blocks_left * SECONDS_PER_BLOCK)).isoformat(),
        "premium_amount_base_units": said.premium,
        "premium_token": said.token.value,
        "premium_fee_amount_base_units": said.fee,
    }


def _end(session: Session, contracts: Contracts, told: Mapping[str, Any], walk: _Walk) -> Mapping[str, Any]:
    end = walk.last(_ENDED, _UNENDED, _TAKEN)
    if end is None or end.edge not in _ENDED:
        return _END
    status = OnChainStatus.SETTLED if end.edge == Edge.PAID else OnChainStatus.EXPIRED
    if walk.follows(_ENDED, _UNENDED) is None:
        return {"status_on_chain": told["status_on_chain"]}
    known = {**_END, "status_on_chain": status.value, "tx_id_status_update": end.tx_id}
    found = _proof(session, end, "policy-settled") if end.edge == Edge.PAID else None
    if found is None:
        return known
    event, block = found
    said = decode_event(contracts, Principal(event.contract), event.raw)
    if not isinstance(said, PolicySettled):
        return known
    return {
        **known,
        "settlement_amount_base_units": said.amount,
        "settlement_token": said.token.value,
        "settlement_timestamp": block.time.isoformat(),
    }


def _adoption(walk: _Walk) -> Mapping[str, None]:
    """A purchase that an operator stood by only later had neither a tier nor parameters, nor a time of its end."""
    if walk.follows(frozenset({Edge.ADOPTED})) is None:
        return {}
    return {"risk_tier": None, "parameters_id": None, "expiration_timestamp_estimate": None}


def _decision(told: Mapping[str, Any], walk: _Walk) -> object:
    """The prices that decided, if they had; those of a decision that was void later stand with that event."""
    decided = walk.last(_DECIDED, frozenset({Edge.GIVEN_UP}))
    if decided is None or decided.edge == Edge.GIVEN_UP:
        return None
    void = walk.follows(frozenset({Edge.GIVEN_UP}))
    if void is None:
        return told["oracle_data_snapshot_settlement"]
    prices = void.detail.get("void", {}).get("prices")
    return None if prices is None else {"prices": prices}


def _proof(session: Session, edge: PolicyEventRow, name: str) -> tuple[ChainEventRow, BlockRow] | None:
    """The event of the chain that an edge was walked by, though its block may be orphaned now."""
    found = session.execute(
        select(ChainEventRow, BlockRow)
        .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
        .where(
            col(ChainEventRow.policy_id) == edge.policy_id,
            col(ChainEventRow.name) == name,
            col(ChainEventRow.tx_id) == edge.tx_id,
            col(BlockRow.burn_height) == edge.height,
        )
        .order_by(col(ChainEventRow.id))
        .limit(1)
    ).first()
    return None if found is None else (found[0], found[1])
