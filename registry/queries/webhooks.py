"""What may be asked of webhooks: a key's endpoints, and how its deliveries stand."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.errors import BadCursor
from registry.store.front_tables import WebhookDeliveryRow, WebhookEndpointRow, WebhookMessageRow, WebhookState
from registry_client.answers import Policy
from registry_client.webhook_answers import InTheMoney
from registry_client.wide import wide_names, widened

_D, _E, _M = WebhookDeliveryRow, WebhookEndpointRow, WebhookMessageRow
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_MARK = re.compile(r"([0-9]{1,17})\.([0-9a-f]{32})")
_WIDE = wide_names((Policy, InTheMoney))


def as_told(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What a message says as its receiver reads it: integers that can pass 2^53 are decimal strings."""
    told: dict[str, Any] = widened(payload, _WIDE)
    return told


def endpoint(session: Session, endpoint_id: UUID, *, key_id: UUID) -> WebhookEndpointRow | None:
    """One endpoint of a key's."""
    query = _of_key(key_id).where(col(_E.id) == endpoint_id)
    return session.execute(query).scalar_one_or_none()


def endpoints(session: Session, *, key_id: UUID) -> Sequence[WebhookEndpointRow]:
    """A key's endpoints, oldest first: they are few."""
    return session.execute(_of_key(key_id).order_by(col(_E.created_at), col(_E.id))).scalars().all()


def _of_key(key_id: UUID) -> Select[WebhookEndpointRow]:
    return select(_E).where(col(_E.api_key_id) == key_id, col(_E.deleted_at).is_(None))


def delivery(session: Session, delivery_id: UUID, *, endpoint_id: UUID) -> dict[str, Any] | None:
    """One delivery of an endpoint's."""
    query = _deliveries().where(col(_D.id) == delivery_id, col(_D.endpoint_id) == endpoint_id)
    found = session.execute(query).one_or_none()
    return None if found is None else describe_delivery(*found)


def deliveries(
    session: Session, *, endpoint_id: UUID | None, state: WebhookState, limit: int, after: str | None = None
) -> dict[str, Any]:
    """One page of deliveries in a state, of an endpoint or of all, newest first, as `{"items", "next"}`."""
    keys = (col(_D.first_at), col(_D.id))
    query = _deliveries().where(col(_D.state) == state).order_by(*(key.desc() for key in keys)).limit(limit + 1)
    if endpoint_id is not None:
        query = query.where(col(_D.endpoint_id) == endpoint_id)
    if after is not None:
        query = query.where(tuple_(*keys) < _place(after))
    rows = session.execute(query).all()
    shown = rows[:limit]
    more = len(rows) > limit
    return {
        "items": [describe_delivery(*each) for each in shown],
        "next": _mark(shown[-1][0]) if more else None,
    }


def _deliveries() -> Select[WebhookDeliveryRow, WebhookMessageRow]:
    return select(_D, _M).join(_M, col(_M.id) == col(_D.message_id))


def describe_endpoint(row: WebhookEndpointRow) -> dict[str, Any]:
    """An endpoint as JSON; its secret is shown once, to whoever made it."""
    return {
        "id": str(row.id),
        "url": row.url,
        "kinds": list(row.kinds),
        "description": row.description,
        "enabled": row.disabled_at is None,
        "disabled_because": row.disabled_because,
        "secret_overlap_until": _moment(row.secret_overlap_until),
        "created_at": _moment(row.created_at),
    }


def describe_delivery(row: WebhookDeliveryRow, message: WebhookMessageRow) -> dict[str, Any]:
    """A delivery as JSON; `message_id` is the `webhook-id` under which it is sent."""
    return {
        "id": str(row.id),
        "endpoint_id": str(row.endpoint_id),
        "message_id": str(message.id),
        "kind": message.kind,
        "policy_id": None if message.policy_id is None else str(message.policy_id),
        "at": _moment(message.at),
        "state": row.state,
        "attempts": row.attempts,
        "next_at": _moment(row.next_at),
        "last_at": _moment(row.last_at),
        "last_status": row.last_status,
        "last_error": row.last_error,
    }


def _mark(row: WebhookDeliveryRow) -> str:
    return f"{(row.first_at - _EPOCH) // _MICROSECOND}.{row.id.hex}"


def _place(mark: str) -> tuple[datetime, UUID]:
    found = _MARK.fullmatch(mark)
    if found is None:
        raise BadCursor
    return _EPOCH + int(found[1]) * _MICROSECOND, UUID(found[2])


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
