"""Transactions of ours: a nonce reserved with its row, bytes stored before they are sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.errors import Alarm
from registry.domain.transaction import (
    IN_A_BLOCK,
    NODE_REFUSED,
    OPEN,
    TRANSITIONS,
    Dead,
    Purpose,
    TransactionFacts,
    TransactionStatus,
    Verdict,
)
from registry.domain.units import Nonce, Principal
from registry.store.tables import (
    AttemptRow,
    BlockRow,
    ChainEventRow,
    SignerRow,
    TransactionEntryRow,
    TransactionRow,
)

UNMINED = frozenset({TransactionStatus.SIGNED, TransactionStatus.SENT})
"""Statuses of what may still be signed for more."""


class TransactionMissingError(Alarm):
    """An internal message named a transaction that is not there."""

    code = "transaction_missing"
    sentence = "there is no transaction {transaction_id}"
    remedy = "find out who enqueued it"


def lock_signer(session: Session, principal: Principal, *, first_nonce: Nonce) -> SignerRow:
    """Hold the signer's row until the unit of work ends; a new signer starts at the chain's nonce."""
    session.execute(insert(SignerRow).values(principal=principal, next_nonce=first_nonce).on_conflict_do_nothing())
    return session.execute(
        select(SignerRow)
        .where(col(SignerRow.principal) == principal)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()


def open_count(session: Session, signer: Principal) -> int:
    """How many of a signer's transactions may still take effect."""
    return session.execute(
        select(func.count()).where(col(TransactionRow.signer) == signer, col(TransactionRow.status).in_(sorted(OPEN)))
    ).scalar_one()


def get(session: Session, transaction_id: UUID) -> TransactionRow:
    """Load one transaction; a message that names none is an alarm."""
    row = session.get(TransactionRow, transaction_id, populate_existing=True)
    if row is None:
        raise TransactionMissingError(transaction_id=str(transaction_id))
    return row


def open_of_policy(session: Session, policy_id: UUID) -> TransactionRow | None:
    """The transaction that may still take effect for a policy; there is never more than one."""
    return session.execute(
        select(TransactionRow)
        .join(TransactionEntryRow, col(TransactionEntryRow.transaction_id) == col(TransactionRow.id))
        .where(col(TransactionEntryRow.policy_id) == policy_id, col(TransactionEntryRow.is_open))
    ).scalar_one_or_none()


def attempts(session: Session, transaction_id: UUID) -> Sequence[AttemptRow]:
    """Every signed form of a transaction, oldest first."""
    rows = session.execute(
        select(AttemptRow).where(col(AttemptRow.transaction_id) == transaction_id).order_by(col(AttemptRow.id))
    )
    return rows.scalars().all()


def names_stand(session: Session, transaction_id: UUID) -> bool:
    """Whether every on-chain id that a transaction names is still its policy's: a fork may give it to another."""
    bought = (
        select(col(ChainEventRow.id))
        .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
        .where(
            col(BlockRow.is_canonical),
            col(ChainEventRow.name) == "policy-purchased",
            col(ChainEventRow.policy_id) == col(TransactionEntryRow.policy_id),
            col(ChainEventRow.policy_id_on_chain) == col(TransactionEntryRow.policy_id_on_chain),
        )
    )
    moved = session.execute(
        select(col(TransactionEntryRow.policy_id))
        .where(col(TransactionEntryRow.transaction_id) == transaction_id, ~bought.exists())
        .limit(1)
    )
    return moved.first() is None


def entries(session: Session, transaction_id: UUID) -> Sequence[TransactionEntryRow]:
    """The policies in a transaction, in the order of the call's arguments."""
    rows = session.execute(
        select(TransactionEntryRow)
        .where(col(TransactionEntryRow.transaction_id) == transaction_id)
        .order_by(col(TransactionEntryRow.policy_id_on_chain))
    )
    return rows.scalars().all()


def unmined(session: Session, signer: Principal, *, limit: int) -> Sequence[TransactionRow]:
    """A signer's transactions that no block has, as far as we know; the lowest nonce first."""
    rows = session.execute(
        select(TransactionRow)
        .where(col(TransactionRow.signer) == signer, col(TransactionRow.status).in_(sorted(UNMINED)))
        .order_by(col(TransactionRow.nonce))
        .limit(limit)
    )
    return rows.scalars().all()


def due_for_a_look(session: Session, *, now: datetime, limit: int) -> Sequence[UUID]:
    """Open transactions that were sent, longest unseen first."""
    rows = session.execute(
        select(col(TransactionRow.id))
        .where(col(TransactionRow.status).in_(sorted(OPEN)), col(TransactionRow.look_at) <= now)
        .order_by(col(TransactionRow.look_at))
        .limit(limit)
    )
    return rows.scalars().all()


def move(
    session: Session,
    transaction_id: UUID,
    *,
    leaves: TransactionStatus,
    enters: TransactionStatus,
    changes: dict[str, Any] | None = None,
) -> bool:
    """Move one transaction, or answer False when it has left `leaves` already."""
    if enters not in TRANSITIONS[leaves]:
        raise ValueError(f"a transaction does not go from {leaves} to {enters}")
    moved = session.execute(
        update(TransactionRow)
        .where(col(TransactionRow.id) == transaction_id, col(TransactionRow.status) == leaves)
        .values(status=enters, **(changes or {}))
        .execution_options(synchronize_session="fetch")
    )
    return isinstance(moved, CursorResult) and moved.rowcount == 1


def place(session: Session, transaction_id: UUID, where: dict[str, Any]) -> None:
    """Set the block that a mined transaction stands in now."""
    session.execute(
        update(TransactionRow)
        .where(col(TransactionRow.id) == transaction_id, col(TransactionRow.status) == TransactionStatus.MINED)
        .values(**where)
    )


def answered(session: Session, tx_id: str, *, verdict: Verdict, refusal: str | None, now: datetime) -> None:
    """Note that these bytes were offered, and what the answer meant; when they were first taken stays."""
    values: dict[str, Any] = {"offered_at": now, "verdict": verdict, "refusal": refusal}
    if verdict is Verdict.SENT:
        values["accepted_at"] = func.coalesce(col(AttemptRow.accepted_at), now)
    session.execute(update(AttemptRow).where(col(AttemptRow.tx_id) == tx_id).values(**values))


def kill(session: Session, transaction_id: UUID, why: Dead) -> None:
    """Note that a transaction's call must not be offered any more; the first reason stays."""
    session.execute(
        update(TransactionRow)
        .where(col(TransactionRow.id) == transaction_id, col(TransactionRow.dead_because).is_(None))
        .values(dead_because=why)
        .execution_options(synchronize_session="fetch")
    )


def add_attempt(session: Session, attempt: AttemptRow, *, after: int | None) -> bool:
    """Add signed bytes at the same nonce, or answer False when another worker did, or a block has them."""
    row = session.get_one(TransactionRow, attempt.transaction_id, with_for_update=True, populate_existing=True)
    newest = attempts(session, attempt.transaction_id)[-1]
    if row.status not in UNMINED or newest.id != after:
        return False
    session.add(attempt)
    return True


def look_again(session: Session, transaction_id: UUID, *, at: datetime) -> None:
    """Set when a transaction should next be looked at."""
    session.execute(update(TransactionRow).where(col(TransactionRow.id) == transaction_id).values(look_at=at))


def close_entry(session: Session, entry: TransactionEntryRow, *, refusal: int | None) -> None:
    """Write what the contract answered for one policy; another transaction may then name it."""
    session.execute(
        update(TransactionEntryRow)
        .where(
            col(TransactionEntryRow.transaction_id) == entry.transaction_id,
            col(TransactionEntryRow.policy_id) == entry.policy_id,
        )
        .values(is_open=False, refusal=refusal)
    )


def close_voided(session: Session, transaction_id: UUID, *, dead: Dead | None) -> list[UUID]:
    """Close the entries of a call that never took effect; answer their policies.

    A call that the node would not take is a refusal. What was lost in any other way is asked for anew.
    """
    closed = entries(session, transaction_id)
    for entry in closed:
        close_entry(session, entry, refusal=NODE_REFUSED if dead is Dead.REFUSED else None)
    return [entry.policy_id for entry in closed]


def unmine(session: Session, hashes: Sequence[str], *, now: datetime) -> set[UUID]:
    """Take back what these blocks made of our transactions; answer the policies in them."""
    undone = session.execute(
        update(TransactionRow)
        .where(col(TransactionRow.block).in_(hashes), col(TransactionRow.status).in_(sorted(IN_A_BLOCK)))
        .values(status=TransactionStatus.SENT, block=None, height=None, chain_status=None, result=None, look_at=now)
        .returning(col(TransactionRow.id))
        .execution_options(synchronize_session=False)
    )
    found = session.execute(
        select(TransactionEntryRow)
        .join(TransactionRow, col(TransactionRow.id) == col(TransactionEntryRow.transaction_id))
        .where(col(TransactionRow.id).in_(undone.scalars().all()))
        .order_by(col(TransactionRow.nonce).desc())
    )
    concerned: set[UUID] = set()
    for entry in found.scalars():
        entry.refusal = None
        # one open entry a policy: the newest, for the contract lets only one of several through
        entry.is_open = entry.is_open or open_of_policy(session, entry.policy_id) is None
        session.flush()
        concerned.add(entry.policy_id)
    return concerned


def facts(session: Session, policy_id: UUID) -> list[TransactionFacts]:
    """A policy's transactions as `next_step` sees them, oldest first."""
    rows = session.execute(
        select(TransactionRow, TransactionEntryRow)
        .join(TransactionEntryRow, col(TransactionEntryRow.transaction_id) == col(TransactionRow.id))
        .where(col(TransactionEntryRow.policy_id) == policy_id)
        .order_by(col(TransactionRow.created_at), col(TransactionRow.nonce))
    )
    return [
        TransactionFacts(
            id=row.id,
            purpose=Purpose(row.purpose),
            status=TransactionStatus(row.status),
            signed_at=row.created_at,
            refusal=entry.refusal,
            look_at=row.look_at,
        )
        for row, entry in rows
    ]
