"""Keys of services: a prefix to find one by, and a digest of its secret."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, tuple_, update
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.store.front_tables import ApiKeyRow


def add(session: Session, row: ApiKeyRow) -> ApiKeyRow:
    """Keep a new key."""
    session.add(row)
    session.flush()
    return row


def by_prefix(session: Session, prefix: str) -> ApiKeyRow | None:
    """The key of a prefix, however it stands."""
    return session.execute(select(ApiKeyRow).where(col(ApiKeyRow.prefix) == prefix)).scalar_one_or_none()


def by_id(session: Session, key_id: UUID) -> ApiKeyRow | None:
    """One key, however it stands."""
    return session.get(ApiKeyRow, key_id)


def page(session: Session, *, after: ApiKeyRow | None, limit: int) -> Sequence[ApiKeyRow]:
    """Keys, newest first, after one of them; those that are over too."""
    place = tuple_(col(ApiKeyRow.created_at), col(ApiKeyRow.id))
    chosen = select(ApiKeyRow).order_by(col(ApiKeyRow.created_at).desc(), col(ApiKeyRow.id).desc()).limit(limit)
    if after is not None:
        chosen = chosen.where(place < tuple_(after.created_at, after.id))
    return list(session.execute(chosen).scalars())


def revoke(session: Session, prefix: str, *, now: datetime) -> bool:
    """Take a key back; False if there is none, or it was taken back before."""
    revoked = session.execute(
        update(ApiKeyRow)
        .where(col(ApiKeyRow.prefix) == prefix, col(ApiKeyRow.revoked_at).is_(None))
        .values(revoked_at=now)
        .returning(col(ApiKeyRow.id))
        .execution_options(synchronize_session=False)
    )
    return revoked.first() is not None


def note_use(session: Session, key_id: UUID, *, now: datetime, unless_since: datetime) -> bool:
    """Write down that a key was used, unless that was done since an instant."""
    noted = session.execute(
        update(ApiKeyRow)
        .where(
            col(ApiKeyRow.id) == key_id,
            or_(col(ApiKeyRow.last_used_at).is_(None), col(ApiKeyRow.last_used_at) < unless_since),
        )
        .values(last_used_at=now)
        .returning(col(ApiKeyRow.id))
        .execution_options(synchronize_session=False)
    )
    return noted.first() is not None
