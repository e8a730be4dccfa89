"""Deliveries of webhooks: one message to one endpoint each, taken by one sender at a time.

A delivery that is being sent waits as one that is to be tried again does: its time is when the sender's lease is over.
It was taken at `last_at`, and has no error yet.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, null, select, text, update
from sqlalchemy.orm import Mapped, Session
from sqlmodel import col

from registry.store.front_tables import (
    ApiKeyRow,
    WebhookDeliveryRow,
    WebhookEndpointRow,
    WebhookMessageRow,
    WebhookState,
)
from registry.store.webhooks import has_good_key

MOST_PUT_OFF = 1_000

_D, _E, _M = WebhookDeliveryRow, WebhookEndpointRow, WebhookMessageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery that is this sender's until its lease is over; `url` and message as they are now."""

    id: UUID
    at: datetime
    attempts: int
    first_at: datetime
    url: str = field(repr=False)
    versions: tuple[int, ...]
    message: WebhookMessageRow


def due_endpoints(session: Session, *, now: datetime, limit: int, without: Collection[UUID]) -> Sequence[UUID]:
    """Endpoints for which something is due, whoever waits longest first; `without` are being served already."""
    # of each endpoint the first alone, by the index: however much waits, that costs the same
    since = (
        select(col(_D.next_at))
        .where(col(_D.endpoint_id) == col(_E.id), col(_D.next_at).is_not(None))
        .order_by(col(_D.next_at))
        .limit(1)
        .scalar_subquery()
    )
    # whoever is served by another, or was by one that is gone, would only take the turns of those that are not
    free = (col(_E.id).not_in(list(without)), ~_is_under_way(col(_E.id), now=now))
    found = select(col(_E.id).label("id"), since.label("since")).where(*free).subquery()
    query = select(found.c.id).where(found.c.since <= now).order_by(found.c.since).limit(limit)
    return session.execute(query).scalars().all()


def claim(session: Session, endpoint_id: UUID, *, now: datetime, lease: timedelta) -> Claim | None:
    """Take what has been due to an endpoint for longest; None if nothing is, or another sender is at it.

    What waits for an endpoint that hears no more is dead.
    """
    found = session.execute(
        select(_E, has_good_key(now))
        .join(ApiKeyRow, col(ApiKeyRow.id) == col(_E.api_key_id))
        .where(col(_E.id) == endpoint_id)
        .with_for_update(of=_E, key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        return None
    endpoint, is_good = found
    because = _silent_because(endpoint, has_good_key=is_good)
    if because is not None:
        bury(session, endpoint_id, because=because)
        return None
    return _take(session, endpoint, now=now, lease=lease)


def _silent_because(endpoint: WebhookEndpointRow, *, has_good_key: bool) -> str | None:
    if endpoint.deleted_at is not None:
        return "the endpoint was deleted"
    if endpoint.disabled_at is not None:
        return endpoint.disabled_because or "the endpoint is disabled"
    return None if has_good_key else "the endpoint's key is not good any more"


def _take(session: Session, endpoint: WebhookEndpointRow, *, now: datetime, lease: timedelta) -> Claim | None:
    if _is_served(session, endpoint.id, now=now):
        return None
    query = select(_D).where(col(_D.endpoint_id) == endpoint.id, col(_D.next_at) <= now)
    query = query.order_by(col(_D.next_at), col(_D.first_at), col(_D.id)).limit(1).with_for_update()
    delivery = session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()
    if delivery is None:
        return None
    message = session.get_one(_M, delivery.message_id)
    delivery.next_at, delivery.last_at, delivery.last_status, delivery.last_error = now + lease, now, None, None
    overlaps = endpoint.secret_overlap_until is not None and now < endpoint.secret_overlap_until
    newest = endpoint.secret_version
    return Claim(
        id=delivery.id,
        at=now,
        attempts=delivery.attempts,
        first_at=delivery.first_at,
        url=endpoint.url,
        versions=(newest, newest - 1) if overlaps else (newest,),
        message=message,
    )


def _is_served(session: Session, endpoint_id: UUID, *, now: datetime) -> bool:
    """Whether a sender has taken something for this endpoint, and his lease is not over."""
    return session.execute(select(_is_under_way(endpoint_id, now=now))).scalar_one()


def _is_under_way(endpoint_id: UUID | Mapped[UUID], *, now: datetime) -> ColumnElement[bool]:
    is_under_way = (
        col(_D.endpoint_id) == endpoint_id,
        # in the words of the index, which holds what is under way alone
        text("state = 'waiting' AND last_at IS NOT NULL AND last_error IS NULL"),
        col(_D.next_at) > now,
    )
    return select(col(_D.id)).where(*is_under_way).exists()


def arrived(session: Session, own: Claim, *, status: int, now: datetime) -> bool:
    """Note that a delivery arrived, whoever has taken or given it up meanwhile; False if that was known."""
    values = {"state": WebhookState.DELIVERED, "next_at": None, "last_error": None}
    return _note(session, own, {**values, "last_status": status}, col(_D.state) != WebhookState.DELIVERED, now=now)


def failed(
    session: Session, own: Claim, *, status: int | None, reason: str, next_at: datetime | None, now: datetime
) -> bool:
    """Note that a try failed; without a next one it is dead. False if it is not this sender's any more."""
    state = WebhookState.DEAD if next_at is None else WebhookState.WAITING
    values = {"state": state, "next_at": next_at, "last_error": reason, "last_status": status}
    is_own = and_(col(_D.state) == WebhookState.WAITING, col(_D.last_at) == own.at, col(_D.last_error).is_(None))
    return _note(session, own, values, is_own, now=now)


def _note(
    session: Session, own: Claim, values: Mapping[str, object], only_if: ColumnElement[bool], *, now: datetime
) -> bool:
    noted = session.execute(
        update(_D)
        .where(col(_D.id) == own.id, only_if)
        .values(attempts=col(_D.attempts) + 1, last_at=now, **values)
        .returning(col(_D.id))
        .execution_options(synchronize_session=False)
    )
    return noted.first() is not None


def put_off(session: Session, endpoint_id: UUID, *, until: datetime, over: datetime, now: datetime) -> int:
    """Let what is due to an endpoint in trouble wait, in bounds; what began before `over` is dead. Answers how much."""
    due = (
        select(col(_D.id))
        .where(col(_D.endpoint_id) == endpoint_id, col(_D.next_at) <= now)
        .order_by(col(_D.next_at), col(_D.first_at), col(_D.id))
        .limit(MOST_PUT_OFF)
        .with_for_update(skip_locked=True)
    )
    is_over = col(_D.first_at) <= over
    moved = session.execute(
        update(_D)
        .where(col(_D.id).in_(due))
        .values(
            state=case((is_over, WebhookState.DEAD.value), else_=col(_D.state)),
            next_at=case((is_over, null()), else_=until),
            last_error=func.coalesce(col(_D.last_error), "not tried: the endpoint failed again and again"),
        )
        .returning(col(_D.id))
        .execution_options(synchronize_session=False)
    )
    return len(moved.all())


def bury(session: Session, endpoint_id: UUID, *, because: str) -> int:
    """Give up whatever waits for an endpoint; answer how much."""
    given_up = session.execute(
        update(_D)
        .where(col(_D.endpoint_id) == endpoint_id, col(_D.state) == WebhookState.WAITING)
        .values(state=WebhookState.DEAD, next_at=None, last_error=because)
        .returning(col(_D.id))
        .execution_options(synchronize_session=False)
    )
    return len(given_up.all())


def revive(session: Session, which: Sequence[ColumnElement[bool]], *, now: datetime, limit: int) -> int:
    """Let deliveries be tried as if they were new, oldest message first, of those that are chosen; answer how many."""
    chosen = (
        select(col(_D.id))
        .join(_M, col(_M.id) == col(_D.message_id))
        .where(*which)
        .order_by(col(_M.at), col(_D.first_at), col(_D.id))
        .limit(limit)
        .with_for_update(of=_D, skip_locked=True)
    )
    ids = session.execute(chosen).scalars().all()
    if ids:
        times = [now + timedelta(microseconds=number) for number in range(len(ids))]
        session.execute(update(_D), [_as_new(each, at=at) for each, at in zip(ids, times, strict=True)])
    return len(ids)


def _as_new(delivery_id: UUID, *, at: datetime) -> dict[str, object]:
    untried = {"attempts": 0, "last_at": None, "last_status": None, "last_error": None}
    return {"id": delivery_id, "state": WebhookState.WAITING, "first_at": at, "next_at": at, **untried}


def disable(session: Session, endpoint: WebhookEndpointRow, *, because: str, now: datetime) -> int:
    """Send an endpoint nothing more: what waits for it is dead. Answers how much that is."""
    endpoint.disabled_at, endpoint.disabled_because = now, because
    session.flush()
    return bury(session, endpoint.id, because=because)
