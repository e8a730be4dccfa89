"""Webhooks: how far the feed was read, endpoints that are told of things, messages that are made once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.access import Scope
from registry.domain.webhook import Kind, message_id
from registry.store.front_tables import (
    ApiKeyRow,
    FeedReaderRow,
    WebhookDeliveryRow,
    WebhookEndpointRow,
    WebhookMessageRow,
    WebhookState,
)

READER = "webhooks"

_D, _E, _M = WebhookDeliveryRow, WebhookEndpointRow, WebhookMessageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to tell, by what it tells once, and the endpoints that want to know."""

    kind: Kind
    once: str
    payload: Mapping[str, Any]
    at: datetime
    to: Collection[UUID]
    policy_id: UUID | None = None

    @property
    def id(self) -> UUID:
        """The same for whoever makes it."""
        return message_id(self.once)


# the feed


def hold_place(session: Session) -> int | None:
    """How far the feed was read, held until the unit of work ends; None while another holds it."""
    session.execute(insert(FeedReaderRow).values(name=READER, seq=0).on_conflict_do_nothing())
    query = select(col(FeedReaderRow.seq)).where(col(FeedReaderRow.name) == READER)
    return session.execute(query.with_for_update(skip_locked=True)).scalar_one_or_none()


def move_place(session: Session, *, to: int) -> None:
    """Say how far it was read now."""
    session.execute(update(FeedReaderRow).where(col(FeedReaderRow.name) == READER).values(seq=to))


# endpoints


def hearing(session: Session, *, now: datetime) -> Sequence[WebhookEndpointRow]:
    """The endpoints that are told of things: neither deleted nor disabled, and their key is good for it."""
    joined = select(_E).join(ApiKeyRow, col(ApiKeyRow.id) == col(_E.api_key_id))
    return session.execute(joined.where(is_enabled(), has_good_key(now))).scalars().all()


def is_enabled() -> ColumnElement[bool]:
    """Neither deleted nor disabled."""
    return and_(col(_E.deleted_at).is_(None), col(_E.disabled_at).is_(None))


def has_good_key(now: datetime) -> ColumnElement[bool]:
    """Its key was not taken back, has not run out, and may be told of events."""
    expires = col(ApiKeyRow.expires_at)
    return and_(
        col(ApiKeyRow.revoked_at).is_(None),
        or_(expires.is_(None), expires > now),
        func.jsonb_exists(col(ApiKeyRow.scopes), Scope.EVENTS.value),
    )


def lock_endpoint(session: Session, endpoint_id: UUID) -> WebhookEndpointRow | None:
    """An endpoint, held until the unit of work ends; who adds deliveries to it is not kept waiting."""
    query = select(_E).where(col(_E.id) == endpoint_id).with_for_update(key_share=True)
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


# messages


def add(session: Session, messages: Sequence[Message], *, now: datetime) -> int:
    """Make each message that is not made yet and leads to somebody, with its deliveries; answer how many were made."""
    by_id = {message.id: message for message in messages if message.to}
    if not by_id:
        return 0
    rows = [
        {
            "id": made,
            "kind": each.kind,
            "once": each.once,
            "policy_id": each.policy_id,
            "payload": dict(each.payload),
            "at": each.at,
        }
        for made, each in by_id.items()
    ]
    added = insert(_M).values(rows).on_conflict_do_nothing().returning(col(_M.id))
    fresh = set(session.execute(added).scalars())
    told = [(made, to) for made, each in by_id.items() if made in fresh for to in each.to]
    if told:
        # a microsecond apart, for what is due to an endpoint is sent by this time
        times = [now + timedelta(microseconds=number) for number in range(len(told))]
        session.execute(
            insert(_D).values(
                [_delivery(message=made, endpoint=to, at=at) for (made, to), at in zip(told, times, strict=True)]
            )
        )
    return len(fresh)


def _delivery(*, message: UUID, endpoint: UUID, at: datetime) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "endpoint_id": endpoint,
        "message_id": message,
        "state": WebhookState.WAITING,
        "attempts": 0,
        "first_at": at,
        "next_at": at,
    }


def forget(session: Session, *, before: datetime, limit: int) -> int:
    """Remove messages from before an instant that wait for nobody, with their deliveries; answer how many."""
    waits = select(col(_D.id)).where(col(_D.message_id) == col(_M.id), col(_D.state) == WebhookState.WAITING).exists()
    old = select(col(_M.id)).where(col(_M.at) < before, ~waits).order_by(col(_M.at), col(_M.id)).limit(limit)
    ids = session.execute(old.with_for_update(skip_locked=True)).scalars().all()
    if ids:
        session.execute(delete(_D).where(col(_D.message_id).in_(ids)).execution_options(synchronize_session=False))
        session.execute(delete(_M).where(col(_M.id).in_(ids)).execution_options(synchronize_session=False))
    return len(ids)
