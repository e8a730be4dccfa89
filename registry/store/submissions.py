"""Submissions: kept under the caller's key, taken by whoever calls the task for it, answered once."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.store.front_tables import SubmissionRow


def ask(session: Session, row: SubmissionRow) -> SubmissionRow:
    """Add it under its caller's key, or answer the row that has the key already."""
    session.execute(
        insert(SubmissionRow)
        .values(**row.model_dump(exclude_none=True))
        .on_conflict_do_nothing(index_elements=["caller", "idempotency_key"])
    )
    return session.execute(
        select(SubmissionRow).where(
            col(SubmissionRow.caller) == row.caller, col(SubmissionRow.idempotency_key) == row.idempotency_key
        )
    ).scalar_one()


def of_caller(session: Session, submission_id: UUID, *, caller: str) -> SubmissionRow | None:
    """One of a caller's own; a missing one and another's look the same."""
    return session.execute(
        select(SubmissionRow).where(col(SubmissionRow.id) == submission_id, col(SubmissionRow.caller) == caller)
    ).scalar_one_or_none()


def take(session: Session, submission_id: UUID, *, task_id: str, before: datetime, now: datetime) -> bool:
    """Begin a call under this id; False if it was answered, or if one that began at `before` or later may still end."""
    return _changed(
        session,
        update(SubmissionRow)
        .where(
            col(SubmissionRow.id) == submission_id,
            col(SubmissionRow.answered_at).is_(None),
            or_(col(SubmissionRow.sent_at).is_(None), col(SubmissionRow.sent_at) < before),
        )
        .values(task_id=task_id, sent_at=now),
    )


def give_back(session: Session, submission_id: UUID, *, task_id: str) -> bool:
    """End a call that came to nothing, if it is still the one: the next repeat begins another at once."""
    return _changed(
        session,
        update(SubmissionRow)
        .where(
            col(SubmissionRow.id) == submission_id,
            col(SubmissionRow.task_id) == task_id,
            col(SubmissionRow.answered_at).is_(None),
        )
        .values(task_id=None, sent_at=None),
    )


def answer(
    session: Session, submission_id: UUID, *, status: int, media_type: str, body: bytes, now: datetime
) -> SubmissionRow | None:
    """Keep an answer unless there is one; answer the row with what is kept, None if it was forgotten."""
    session.execute(
        update(SubmissionRow)
        .where(col(SubmissionRow.id) == submission_id, col(SubmissionRow.answered_at).is_(None))
        .values(status=status, media_type=media_type, body=body, answered_at=now)
    )
    return session.get(SubmissionRow, submission_id, populate_existing=True)


def answered(session: Session, submission_ids: Collection[UUID]) -> frozenset[UUID]:
    """Which of these have an answer."""
    found = session.execute(
        select(col(SubmissionRow.id)).where(
            col(SubmissionRow.id).in_(submission_ids), col(SubmissionRow.answered_at).is_not(None)
        )
    )
    return frozenset(found.scalars())


def forget(session: Session, *, before: datetime, limit: int) -> int:
    """Delete some that were asked before this time, the oldest first; answer how many."""
    oldest = (
        select(col(SubmissionRow.id))
        .where(col(SubmissionRow.asked_at) < before)
        .order_by(col(SubmissionRow.asked_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    gone = session.execute(
        delete(SubmissionRow).where(col(SubmissionRow.id).in_(oldest)).returning(col(SubmissionRow.id))
    )
    return len(gone.scalars().all())


def _changed(session: Session, statement: Any) -> bool:  # noqa: ANN401 - an UPDATE
    done = session.execute(
        statement.returning(col(SubmissionRow.id)).execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    return done is not None
