"""Signers: the next nonce of each key that we send with, and whether it is paused."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.transaction import OPEN
from registry.domain.units import MicroStx, Nonce, Principal
from registry.store.tables import SignerRow, TransactionRow


def lock(session: Session, principal: Principal) -> SignerRow | None:
    """Hold a signer's row until the unit of work ends; None if it has never signed."""
    return session.get(SignerRow, principal, with_for_update=True, populate_existing=True)


def is_paused(session: Session, principal: str) -> bool:
    """Whether nothing is signed or sent with a key for now."""
    row = session.get(SignerRow, principal, populate_existing=True)
    return row is not None and row.paused_at is not None


def pause(
    session: Session, principal: str, *, reason: str, now: datetime, funds_needed: MicroStx | None = None
) -> bool:
    """Stop signing and sending with a key, or answer False when it is paused already: the first reason stays."""
    paused = session.execute(
        update(SignerRow)
        .where(col(SignerRow.principal) == principal, col(SignerRow.paused_at).is_(None))
        .values(paused_at=now, pause_reason=reason, funds_needed=funds_needed)
        .returning(col(SignerRow.principal))
        .execution_options(synchronize_session=False)
    )
    return paused.first() is not None


def resume(session: Session, principal: str, *, reason: str, now: datetime) -> bool:
    """Go on with a key, or answer False when it was not paused; the latest reason to go on is kept."""
    resumed = session.execute(
        update(SignerRow)
        .where(col(SignerRow.principal) == principal, col(SignerRow.paused_at).is_not(None))
        .values(paused_at=None, pause_reason=None, funds_needed=None, resumed_at=now, resume_reason=reason)
        .returning(col(SignerRow.principal))
        .execution_options(synchronize_session=False)
    )
    return resumed.first() is not None


def every(session: Session, *, limit: int) -> Sequence[tuple[SignerRow, int]]:
    """List signers, each with how many of its transactions may still take effect."""
    under_way = (
        select(func.count())
        .where(col(TransactionRow.signer) == col(SignerRow.principal), col(TransactionRow.status).in_(sorted(OPEN)))
        .scalar_subquery()
    )
    rows = session.execute(select(SignerRow, under_way).order_by(col(SignerRow.principal)).limit(limit))
    return [(row, count) for row, count in rows]


def nonces_missing(session: Session, principal: str, *, start: Nonce, end: Nonce, limit: int) -> list[Nonce]:
    """The lowest nonces from `start` on and under `end` that no transaction of ours has."""
    # not called `nonce`: inside the subquery that would be the column
    candidate = func.generate_series(start, end - 1).column_valued("candidate")
    taken = select(col(TransactionRow.id)).where(
        col(TransactionRow.signer) == principal, col(TransactionRow.nonce) == candidate
    )
    rows = session.execute(select(candidate).where(~taken.exists()).order_by(candidate).limit(limit))
    return [Nonce(nonce) for nonce in rows.scalars()]
