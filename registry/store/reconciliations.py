"""Reconciliations as rows, and what a comparison reads of the blocks and events that were applied."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.tier import RiskTier
from registry.domain.units import BurnHeight, Nonce, StacksHeight, Token
from registry.store.tables import (
    BlockRow,
    ChainEventRow,
    CollateralState,
    PolicyRow,
    QuoteRow,
    ReconciliationRow,
    ReservationRow,
    SignerRow,
    TierCapitalRow,
    TransactionRow,
)

Events = Mapping[str, tuple[ChainEventRow, BlockRow]]
"""A policy's canonical events by name, each with its block."""


def add(session: Session, row: ReconciliationRow) -> None:
    """Begin a run."""
    session.add(row)


def get(session: Session, run_id: UUID) -> ReconciliationRow:
    """One run as it stands."""
    return session.get_one(ReconciliationRow, run_id, populate_existing=True)


def unfinished(session: Session, *, since: datetime) -> ReconciliationRow | None:
    """The newest run that repairs, is not at its end, and was begun after `since`: an older one is given up."""
    return session.execute(
        select(ReconciliationRow)
        .where(
            col(ReconciliationRow.finished_at).is_(None),
            ~col(ReconciliationRow.is_dry),
            col(ReconciliationRow.started_at) > since,
        )
        .order_by(col(ReconciliationRow.started_at).desc())
        .limit(1)
    ).scalar_one_or_none()


def last_finished(session: Session) -> ReconciliationRow | None:
    """The newest run that repaired what it could, and came to its end."""
    return session.execute(
        select(ReconciliationRow)
        .where(col(ReconciliationRow.finished_at).is_not(None), ~col(ReconciliationRow.is_dry))
        .order_by(col(ReconciliationRow.finished_at).desc())
        .limit(1)
    ).scalar_one_or_none()


def change(session: Session, run_id: UUID, *, cursor: int, block: str, values: Mapping[str, Any]) -> bool:
    """Write a page's outcome; False if another worker has compared this page, or begun again, meanwhile."""
    moved = session.execute(
        update(ReconciliationRow)
        .where(
            col(ReconciliationRow.id) == run_id,
            col(ReconciliationRow.cursor) == cursor,
            col(ReconciliationRow.block) == block,
            col(ReconciliationRow.finished_at).is_(None),
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return isinstance(moved, CursorResult) and moved.rowcount == 1


def newest_confirmed(session: Session, *, confirmed: BurnHeight) -> BlockRow | None:
    """The newest canonical block that is confirmed."""
    return session.execute(
        select(BlockRow)
        .where(col(BlockRow.is_canonical), col(BlockRow.burn_height) <= confirmed)
        .order_by(col(BlockRow.height).desc())
        .limit(1)
    ).scalar_one_or_none()


def events_up_to(session: Session, ids: Sequence[int], *, height: StacksHeight) -> Mapping[int, Events]:
    """By on-chain id the canonical events that lie at or under a block; of several of one name the newest."""
    rows = session.execute(
        select(ChainEventRow, BlockRow)
        .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
        .where(
            col(BlockRow.is_canonical),
            col(BlockRow.height) <= height,
            col(ChainEventRow.policy_id_on_chain).in_(ids),
        )
        .order_by(col(ChainEventRow.id))
    )
    found: dict[int, dict[str, tuple[ChainEventRow, BlockRow]]] = {}
    for event, block in rows:
        if event.policy_id_on_chain is not None and event.name is not None:
            found.setdefault(event.policy_id_on_chain, {})[event.name] = (event, block)
    return found


def touched_above(session: Session, ids: Sequence[int], *, height: StacksHeight) -> set[int]:
    """Those of these on-chain ids that a canonical event above a block concerns."""
    rows = session.execute(
        select(col(ChainEventRow.policy_id_on_chain))
        .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
        .where(
            col(BlockRow.is_canonical), col(BlockRow.height) > height, col(ChainEventRow.policy_id_on_chain).in_(ids)
        )
        .distinct()
    )
    return {on_chain for on_chain in rows.scalars() if on_chain is not None}


def with_on_chain_ids(session: Session, ids: Sequence[int]) -> Mapping[int, PolicyRow]:
    """The rows that have these on-chain ids now."""
    rows = session.execute(select(PolicyRow).where(col(PolicyRow.policy_id_on_chain).in_(ids))).scalars()
    return {row.policy_id_on_chain: row for row in rows if row.policy_id_on_chain is not None}


def beyond(session: Session, on_chain: int, *, created_by: BurnHeight, limit: int) -> Sequence[PolicyRow]:
    """Rows whose on-chain id is higher than any that the chain had given out by a height."""
    rows = session.execute(
        select(PolicyRow)
        .where(col(PolicyRow.policy_id_on_chain) > on_chain, col(PolicyRow.creation_height) <= created_by)
        .order_by(col(PolicyRow.policy_id_on_chain))
        .limit(limit)
    )
    return rows.scalars().all()


def is_quoted(session: Session, policy_id: UUID) -> bool:
    """Whether a quote names this policy, be there one or not."""
    return session.execute(select(col(QuoteRow.id)).where(col(QuoteRow.policy_id) == policy_id)).first() is not None


def blocks_with_books(session: Session, *, height: StacksHeight) -> Sequence[str]:
    """The hashes of the canonical blocks up to a height after which the pool's book was another, lowest first."""
    rows = session.execute(
        select(col(BlockRow.index_block_hash))
        .where(col(BlockRow.is_canonical), col(BlockRow.books).is_not(None), col(BlockRow.height) <= height)
        .order_by(col(BlockRow.height))
    )
    return rows.scalars().all()


def newest_with_books(session: Session) -> BlockRow | None:
    """The newest canonical block after which the pool's book was another."""
    return session.execute(
        select(BlockRow)
        .where(col(BlockRow.is_canonical), col(BlockRow.books).is_not(None))
        .order_by(col(BlockRow.height).desc())
        .limit(1)
    ).scalar_one_or_none()


Sums = tuple[int, int]
"""What is reserved and what is locked, in base units."""


def held(session: Session) -> Mapping[tuple[str, str], Sums]:
    """By tier and token what the reservations add up to."""
    amount, state = func.sum(col(ReservationRow.amount_base_units)), col(ReservationRow.state)
    rows = session.execute(
        select(
            col(ReservationRow.risk_tier),
            col(ReservationRow.token),
            func.coalesce(amount.filter(state == CollateralState.RESERVED), 0),
            func.coalesce(amount.filter(state == CollateralState.LOCKED), 0),
        ).group_by(col(ReservationRow.risk_tier), col(ReservationRow.token))
    )
    return {(tier, token): (int(reserved), int(locked)) for tier, token, reserved, locked in rows}


def counted(session: Session) -> Mapping[tuple[str, str], Sums]:
    """By tier and token the sums that capacity is counted by."""
    rows = session.execute(select(TierCapitalRow)).scalars()
    return {(row.risk_tier, row.token): (row.reserved_base_units, row.locked_base_units) for row in rows}


def recount(session: Session, tier: RiskTier, token: Token) -> None:
    """Set a tier's sums to what its reservations add up to; its row is held by `reservations.lock_tiers`."""
    reserved, locked = held(session).get((tier, token), (0, 0))
    session.execute(
        update(TierCapitalRow)
        .where(col(TierCapitalRow.risk_tier) == tier, col(TierCapitalRow.token) == token)
        .values(reserved_base_units=reserved, locked_base_units=locked)
        .execution_options(synchronize_session="fetch")
    )


def signers(session: Session) -> Sequence[SignerRow]:
    """Every key that ever sent for us."""
    return session.execute(select(SignerRow).order_by(col(SignerRow.principal))).scalars().all()


def unknown_nonces(session: Session, signer: SignerRow, *, used_below: Nonce, limit: int) -> Sequence[Nonce]:
    """Nonces that the chain has used since our first and that no transaction of ours has, lowest first."""
    ours = select(col(TransactionRow.nonce)).where(col(TransactionRow.signer) == signer.principal)
    first = session.execute(select(func.min(ours.subquery().c.nonce))).scalar_one()
    nonce = func.generate_series(signer.next_nonce if first is None else first, used_below - 1).column_valued("nonce")
    rows = session.execute(select(nonce).where(nonce.not_in(ours)).order_by(nonce).limit(limit))
    return [Nonce(each) for each in rows.scalars()]
