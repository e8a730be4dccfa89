"""Failures: what will not go on by itself, each with how it was closed; and messages that were delivered again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.store.tables import DeliveryRow, FailureRow, PolicyRow, Resolution


def add(session: Session, failure: FailureRow) -> None:
    """Put a failure on the list."""
    session.add(failure)


def get(session: Session, failure_id: UUID) -> FailureRow | None:
    """Load one failure and hold it until the unit of work ends."""
    return session.get(FailureRow, failure_id, with_for_update=True, populate_existing=True)


def listed(session: Session, *, limit: int, closed: bool) -> Sequence[tuple[FailureRow, PolicyRow | None]]:
    """Failures that are open, or all of them, with their policies: open ones first, the oldest before the others."""
    rows = session.execute(
        select(FailureRow, PolicyRow)
        .outerjoin(PolicyRow, col(PolicyRow.id) == col(FailureRow.policy_id))
        .where(*([] if closed else [col(FailureRow.closed_at).is_(None)]))
        .order_by(col(FailureRow.closed_at).desc().nulls_first(), col(FailureRow.at), col(FailureRow.id))
        .limit(limit)
    )
    return [(failure, policy) for failure, policy in rows]


def of_policy(session: Session, policy_id: UUID) -> FailureRow | None:
    """The newest failure of a policy's own transactions, open or closed."""
    return session.execute(
        select(FailureRow)
        .where(col(FailureRow.policy_id) == policy_id, col(FailureRow.task).is_(None))
        .order_by(col(FailureRow.at).desc(), col(FailureRow.closed_at).desc().nulls_first())
        .limit(1)
    ).scalar_one_or_none()


def is_held(session: Session, policy_id: UUID) -> bool:
    """Whether a message about this policy ended its workers, and nobody has decided what to do."""
    found = session.execute(
        select(col(FailureRow.id))
        .where(
            col(FailureRow.policy_id) == policy_id,
            col(FailureRow.task).is_not(None),
            col(FailureRow.closed_at).is_(None),
        )
        .limit(1)
    )
    return found.first() is not None


def close(session: Session, failure_id: UUID, *, resolution: Resolution, by: str, reason: str, now: datetime) -> bool:
    """Close one failure, or answer False when somebody else did."""
    return _close(session, col(FailureRow.id) == failure_id, resolution=resolution, by=by, reason=reason, now=now)


def close_of_policy(
    session: Session, policy_id: UUID, *, resolution: Resolution, by: str, reason: str, now: datetime
) -> None:
    """Close what is open about a policy's own transactions, in the commit that moves it on."""
    of_its_own = (col(FailureRow.policy_id) == policy_id) & col(FailureRow.task).is_(None)
    _close(session, of_its_own, resolution=resolution, by=by, reason=reason, now=now)


def _close(
    session: Session, which: ColumnElement[bool], *, resolution: Resolution, by: str, reason: str, now: datetime
) -> bool:
    closed = session.execute(
        update(FailureRow)
        .where(which, col(FailureRow.closed_at).is_(None))
        .values(closed_at=now, resolution=resolution, closed_by=by, reason=reason)
        .execution_options(synchronize_session="fetch")
    )
    return isinstance(closed, CursorResult) and closed.rowcount > 0


def count_delivery(session: Session, task_id: str, *, task: str, now: datetime) -> int:
    """Count a message that came again; answer how often it has."""
    counted = insert(DeliveryRow).values(task_id=task_id, task=task, count=1, last_at=now)
    return session.execute(
        counted.on_conflict_do_update(
            index_elements=[col(DeliveryRow.task_id)], set_={"count": col(DeliveryRow.count) + 1, "last_at": now}
        ).returning(col(DeliveryRow.count))
    ).scalar_one()


def forget_deliveries(session: Session, *, now: datetime, kept: timedelta, limit: int) -> int:
    """Forget messages that have not come again for long; answer how many."""
    old = select(col(DeliveryRow.task_id)).where(col(DeliveryRow.last_at) < now - kept).limit(limit)
    gone = session.execute(
        delete(DeliveryRow).where(col(DeliveryRow.task_id).in_(old)).execution_options(synchronize_session=False)
    )
    return gone.rowcount if isinstance(gone, CursorResult) else 0


def give_up_message(
    session: Session,
    task_id: str,
    *,
    task: str,
    arguments: Mapping[str, Any],
    policy_id: UUID | None,
    deliveries: int,
    now: datetime,
) -> None:
    """Put a message on the list, once; one that names a policy which is not there is about none."""
    known = policy_id if policy_id is not None and session.get(PolicyRow, policy_id) is not None else None
    session.execute(
        insert(FailureRow)
        .values(
            task=task,
            task_id=task_id,
            arguments=dict(arguments),
            policy_id=known,
            cause="its workers ended",
            detail={"deliveries": deliveries},
            at=now,
        )
        .on_conflict_do_nothing(index_elements=[col(FailureRow.task_id)])
    )
    if known is not None:
        held = or_(col(PolicyRow.next_look_at).is_not(None), col(PolicyRow.next_look_height).is_not(None))
        session.execute(
            update(PolicyRow)
            .where(col(PolicyRow.id) == known, held)
            .values(next_look_at=None, next_look_height=None)
            .execution_options(synchronize_session=False)
        )
