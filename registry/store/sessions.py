"""Sessions of principals who signed in, and the challenges that were answered."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.store.front_tables import SessionRow, UsedChallengeRow


def use_challenge(session: Session, digest: str, *, expires_at: datetime) -> bool:
    """Mark a challenge as answered, or answer False: it was before."""
    used = insert(UsedChallengeRow).values(digest=digest, expires_at=expires_at).on_conflict_do_nothing()
    return session.execute(used.returning(col(UsedChallengeRow.digest))).first() is not None


def begin(session: Session, principal: str, *, now: datetime, expires_at: datetime) -> SessionRow:
    """Keep a new session."""
    row = SessionRow(principal=principal, created_at=now, rotated_at=now, expires_at=expires_at)
    session.add(row)
    session.flush()
    return row


def find(session: Session, session_id: UUID) -> SessionRow | None:
    """One session, however it stands."""
    return session.get(SessionRow, session_id)


def rotate(session: Session, session_id: UUID, *, generation: int, now: datetime) -> bool:
    """Raise the generation of a session that stands at this one; False if somebody else has, or it has ended."""
    rotated = session.execute(
        update(SessionRow)
        .where(
            col(SessionRow.id) == session_id,
            col(SessionRow.generation) == generation,
            col(SessionRow.revoked_at).is_(None),
            col(SessionRow.expires_at) > now,
        )
        .values(generation=generation + 1, rotated_at=now)
        .returning(col(SessionRow.id))
        .execution_options(synchronize_session=False)
    )
    return rotated.first() is not None


def standing(session: Session, principal: str, *, now: datetime, limit: int) -> Sequence[SessionRow]:
    """A principal's sessions that are neither signed out nor over, newest first."""
    rows = session.execute(
        select(SessionRow)
        .where(
            col(SessionRow.principal) == principal,
            col(SessionRow.revoked_at).is_(None),
            col(SessionRow.expires_at) > now,
        )
        .order_by(col(SessionRow.created_at).desc(), col(SessionRow.id))
        .limit(limit)
    )
    return list(rows.scalars())


def end(session: Session, session_id: UUID, *, now: datetime) -> bool:
    """Sign a session out; False if it was already."""
    ended = session.execute(
        update(SessionRow)
        .where(col(SessionRow.id) == session_id, col(SessionRow.revoked_at).is_(None))
        .values(revoked_at=now)
        .returning(col(SessionRow.id))
        .execution_options(synchronize_session=False)
    )
    return ended.first() is not None


def end_all(session: Session, principal: str, *, now: datetime, but_newest: int = 0) -> int:
    """Sign all of a principal's sessions out, but for so many of the newest; answer how many."""
    chosen = (
        select(col(SessionRow.id))
        .where(col(SessionRow.principal) == principal, col(SessionRow.revoked_at).is_(None))
        .order_by(col(SessionRow.created_at).desc(), col(SessionRow.id))
        .offset(but_newest)
        # in one order, so that two who sign out at once never wait for each other
        .with_for_update()
    )
    ended = session.execute(
        update(SessionRow)
        .where(col(SessionRow.id).in_(chosen))
        .values(revoked_at=now)
        .returning(col(SessionRow.id))
        .execution_options(synchronize_session=False)
    )
    return len(ended.all())


def forget(session: Session, *, before: datetime, limit: int) -> int:
    """Remove at most `limit` sessions, and as many answered challenges, that were over before an instant."""
    removed = 0
    for row, key in ((SessionRow, col(SessionRow.id)), (UsedChallengeRow, col(UsedChallengeRow.digest))):
        old = (
            select(key)
            .where(col(row.expires_at) < before)
            .order_by(col(row.expires_at))
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        gone = session.execute(
            delete(row).where(key.in_(old)).returning(key).execution_options(synchronize_session=False)
        )
        removed += len(gone.all())
    return removed
