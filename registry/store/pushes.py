"""Pushes: bodies as they came, each kept once, until what they say was compared with the chain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.push import PushOutcome, PushSource
from registry.store.tables import PushRow


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPush:
    """A push by its id, and how often its very body has come."""

    id: int
    times: int


def keep(session: Session, *, source: PushSource, digest: str, body: bytes, said: Mapping[str, Any]) -> KeptPush:
    """Keep a body, or count it if it was kept before."""
    added = insert(PushRow).values(
        source=source, digest=digest, body=body, said=dict(said), times=1, received_at=func.now()
    )
    counted = added.on_conflict_do_update(index_elements=["source", "digest"], set_={"times": col(PushRow.times) + 1})
    row = session.execute(counted.returning(col(PushRow.id), col(PushRow.times))).one()
    push_id, times = row
    if push_id is None:
        raise AssertionError("a row that was kept has an id")
    return KeptPush(id=push_id, times=times)


def waiting(session: Session, *, first: int | None, limit: int) -> Sequence[tuple[int, datetime, dict[str, Any]]]:
    """Pushes that were not taken yet, oldest first, after the one that is asked for; without their bodies."""
    columns = (col(PushRow.id), col(PushRow.received_at), col(PushRow.said))
    rows = session.execute(
        select(*columns)
        .where(col(PushRow.taken_at).is_(None))
        .order_by((col(PushRow.id) != first).asc() if first is not None else col(PushRow.id), col(PushRow.id))
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def take(session: Session, push_id: int, *, outcome: PushOutcome, now: datetime) -> bool:
    """Say what became of a push; False if somebody else has."""
    taken = session.execute(
        update(PushRow)
        .where(col(PushRow.id) == push_id, col(PushRow.taken_at).is_(None))
        .values(taken_at=now, outcome=outcome)
        .returning(col(PushRow.id))
        .execution_options(synchronize_session=False)
    )
    return taken.first() is not None


def prune(session: Session, *, before: datetime, limit: int) -> int:
    """Remove pushes that were taken and came before an instant, oldest first; answer how many."""
    old = (
        select(col(PushRow.id))
        .where(col(PushRow.received_at) < before, col(PushRow.taken_at).is_not(None))
        .order_by(col(PushRow.received_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    removed = session.execute(
        delete(PushRow)
        .where(col(PushRow.id).in_(old))
        .returning(col(PushRow.id))
        .execution_options(synchronize_session=False)
    )
    return len(removed.all())


def count_waiting(session: Session, *, limit: int) -> int:
    """How many wait, counted up to a limit."""
    some = select(col(PushRow.id)).where(col(PushRow.taken_at).is_(None)).limit(limit).subquery()
    return session.execute(select(func.count()).select_from(some)).scalar_one()


def newest(session: Session) -> PushRow | None:
    """The push that came last."""
    return session.execute(select(PushRow).order_by(col(PushRow.received_at).desc()).limit(1)).scalar_one_or_none()
