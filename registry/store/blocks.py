"""Blocks that were applied, and the events of our contracts in them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, text, update
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.policy import FinalStatus, OnChainStatus, Purchase
from registry.domain.units import BlockHash, BurnHeight, StacksHeight
from registry.store.tables import BlockRow, ChainEventRow, PolicyRow

APPLYING = 0x424C4F43
"""The advisory lock of whoever applies or rewinds blocks; any number, the same in every process."""


def tip(session: Session) -> BlockRow | None:
    """The newest canonical block that was applied."""
    return session.execute(
        select(BlockRow).where(col(BlockRow.is_canonical)).order_by(col(BlockRow.height).desc()).limit(1)
    ).scalar_one_or_none()


def hold_tip(session: Session) -> BlockRow | None:
    """Let nobody else apply or rewind blocks until the unit of work ends; answer the tip as it is then."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPLYING})
    return tip(session)


def at(session: Session, height: StacksHeight) -> BlockRow | None:
    """The canonical block of one Stacks height, if it was applied."""
    return session.execute(
        select(BlockRow).where(col(BlockRow.is_canonical), col(BlockRow.height) == height)
    ).scalar_one_or_none()


def is_canonical(session: Session, index_block_hash: str) -> bool:
    """Whether this block was applied and stands."""
    row = session.get(BlockRow, index_block_hash)
    return row is not None and row.is_canonical


def standing(session: Session, hashes: Collection[str]) -> Sequence[BlockRow]:
    """Those of these blocks that were applied and are canonical, lowest first."""
    rows = session.execute(
        select(BlockRow)
        .where(col(BlockRow.index_block_hash).in_(hashes), col(BlockRow.is_canonical))
        .order_by(col(BlockRow.height))
    )
    return rows.scalars().all()


def add(session: Session, row: BlockRow) -> BlockRow:
    """Add a block on the tip. One that a fork had taken off comes back, its events to be applied anew."""
    session.execute(delete(ChainEventRow).where(col(ChainEventRow.block) == row.index_block_hash))
    added = session.merge(row)
    session.flush()
    return added


def has_event(session: Session, *, tx_id: str, index: int) -> bool:
    """Whether a canonical block that was applied holds this event."""
    found = session.execute(
        select(col(ChainEventRow.id))
        .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
        .where(
            col(BlockRow.is_canonical),
            col(ChainEventRow.tx_id) == tx_id,
            col(ChainEventRow.event_index) == index,
        )
    )
    return found.first() is not None


def event_of(session: Session, policy_id: UUID, name: str) -> tuple[ChainEventRow, BlockRow] | None:
    """The newest canonical event of this name that concerns the policy, with its block."""
    row = session.execute(
        select(ChainEventRow, BlockRow)
        .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
        .where(
            col(BlockRow.is_canonical),
            col(ChainEventRow.policy_id) == policy_id,
            col(ChainEventRow.name) == name,
        )
        .order_by(col(ChainEventRow.id).desc())
        .limit(1)
    ).first()
    return None if row is None else (row[0], row[1])


def purchase_of(session: Session, policy_id: UUID) -> Purchase | None:
    """The policy's purchase, as `next_step` knows it."""
    found = event_of(session, policy_id, "policy-purchased")
    if found is None:
        return None
    _, block = found
    return Purchase(block=BlockHash(block.index_block_hash), height=BurnHeight(block.burn_height))


def final_status_of(session: Session, policy_id: UUID) -> FinalStatus | None:
    """How the pool ended the policy: paid or released, with the registry's status moved in the same transaction."""
    for name, status in (
        ("policy-settled", OnChainStatus.SETTLED),
        ("collateral-released", OnChainStatus.EXPIRED),
    ):
        found = event_of(session, policy_id, name)
        if found is not None:
            block = found[1]
            return FinalStatus(
                status=status, block=BlockHash(block.index_block_hash), height=BurnHeight(block.burn_height)
            )
    return None


def marked_expired(session: Session, policy_id: UUID) -> tuple[ChainEventRow, BlockRow] | None:
    """The registry's own move of a policy that the pool has neither paid nor released: it can only be to Expired."""
    return None if final_status_of(session, policy_id) else event_of(session, policy_id, "policy-status-updated")


def policy_of_on_chain_id(session: Session, policy_id_on_chain: int) -> UUID | None:
    """Which policy's purchase got this on-chain id, on the canonical chain."""
    return session.execute(
        select(col(ChainEventRow.policy_id))
        .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
        .where(
            col(BlockRow.is_canonical),
            col(ChainEventRow.name) == "policy-purchased",
            col(ChainEventRow.policy_id_on_chain) == policy_id_on_chain,
            col(ChainEventRow.policy_id).is_not(None),
        )
    ).scalar_one_or_none()


def hand_over(session: Session, *, confirmed: BurnHeight, now: datetime) -> Sequence[UUID]:
    """Mark the events that became confirmed as handed over; answer the policies they concern, due for a look.

    A purchase that belongs to no policy yet is kept for `unexplained_purchases`.
    """
    deep = select(col(BlockRow.index_block_hash)).where(
        col(BlockRow.is_canonical), col(BlockRow.burn_height) <= confirmed
    )
    events = session.execute(
        update(ChainEventRow)
        .where(
            col(ChainEventRow.applied_at).is_(None),
            col(ChainEventRow.block).in_(deep.scalar_subquery()),
            or_(
                col(ChainEventRow.policy_id).is_not(None),
                col(ChainEventRow.name).is_distinct_from("policy-purchased"),
            ),
        )
        .values(applied_at=now)
        .returning(col(ChainEventRow.policy_id))
        .execution_options(synchronize_session=False)
    )
    concerned = sorted({policy_id for policy_id in events.scalars() if policy_id is not None})
    due_now(session, concerned, now=now)
    return concerned


def due_now(session: Session, policy_ids: Sequence[UUID], *, now: datetime) -> None:
    """Have these policies looked at: what became of their events or transactions moves them."""
    # in the order in which every batch of policies is locked: two workers never wait for each other
    held = select(col(PolicyRow.id)).where(col(PolicyRow.id).in_(policy_ids)).order_by(col(PolicyRow.id))
    session.execute(
        update(PolicyRow)
        .where(col(PolicyRow.id).in_(select(held.with_for_update().cte().c.id)))
        .values(next_look_at=now)
        .execution_options(synchronize_session=False)
    )


def link(session: Session, block: str, *, tx_id: str, policy_id_on_chain: int, policy_id: UUID) -> None:
    """Say which policy the events of one purchase concern."""
    session.execute(
        update(ChainEventRow)
        .where(
            col(ChainEventRow.block) == block,
            col(ChainEventRow.tx_id) == tx_id,
            col(ChainEventRow.policy_id_on_chain) == policy_id_on_chain,
        )
        .values(policy_id=policy_id)
        .execution_options(synchronize_session="fetch")
    )


def unexplained_purchases(session: Session, *, confirmed: BurnHeight) -> Sequence[tuple[ChainEventRow, BlockRow]]:
    """Confirmed purchases in our pool that belong to no policy yet, in the order of the chain."""
    rows = session.execute(
        select(ChainEventRow, BlockRow)
        .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
        .where(
            col(BlockRow.is_canonical),
            col(BlockRow.burn_height) <= confirmed,
            col(ChainEventRow.applied_at).is_(None),
            col(ChainEventRow.name) == "policy-purchased",
            col(ChainEventRow.policy_id).is_(None),
        )
        .order_by(col(ChainEventRow.id))
    )
    return [(event, block) for event, block in rows]


def entry_beside(session: Session, purchase: ChainEventRow) -> ChainEventRow | None:
    """The registry's entry that was made in the same transaction under the same on-chain id."""
    return session.execute(
        select(ChainEventRow).where(
            col(ChainEventRow.block) == purchase.block,
            col(ChainEventRow.tx_id) == purchase.tx_id,
            col(ChainEventRow.name) == "policy-created",
            col(ChainEventRow.policy_id_on_chain) == purchase.policy_id_on_chain,
        )
    ).scalar_one_or_none()


def newest_books(session: Session) -> list[dict[str, Any]]:
    """The pool's books after the newest canonical block that changed them; none before the first."""
    found = session.execute(
        select(col(BlockRow.books))
        .where(col(BlockRow.is_canonical), col(BlockRow.books).is_not(None))
        .order_by(col(BlockRow.height).desc())
        .limit(1)
    ).scalar_one_or_none()
    return found or []


def orphan_above(session: Session, height: StacksHeight) -> Sequence[str]:
    """Take every block above the common ancestor off the canonical chain; answer their hashes."""
    hashes = session.execute(
        update(BlockRow)
        .where(col(BlockRow.is_canonical), col(BlockRow.height) > height)
        .values(is_canonical=False)
        .returning(col(BlockRow.index_block_hash))
        .execution_options(synchronize_session=False)
    )
    return hashes.scalars().all()


def policies_in(session: Session, hashes: Sequence[str]) -> Sequence[UUID]:
    """The policies that events of these blocks concern."""
    found = session.execute(
        select(col(ChainEventRow.policy_id))
        .where(col(ChainEventRow.block).in_(hashes), col(ChainEventRow.policy_id).is_not(None))
        .distinct()
    )
    return [policy_id for policy_id in found.scalars() if policy_id is not None]
