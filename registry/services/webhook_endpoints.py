"""Endpoints of webhooks: a key makes, changes and ends its own, and has what was sent sent again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.webhook import (
    MOST_ENDPOINTS,
    OVERLAP,
    EndpointDisabled,
    Kind,
    TooManyEndpoints,
)
from registry.queries import webhooks as queries
from registry.queries.webhooks import describe_endpoint
from registry.store import webhook_deliveries as deliveries
from registry.store import webhooks
from registry.store.feed import give_places, last_place
from registry.store.front_tables import (
    ApiKeyRow,
    WebhookDeliveryRow,
    WebhookEndpointRow,
    WebhookMessageRow,
    WebhookState,
)
from registry.store.session import Database, unit_of_work

MOST_RESENT = 1_000
"""Deliveries that one order sends again."""

_LOG = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is changed of an endpoint; None leaves it as it is."""

    url: str | None = None
    kinds: Sequence[Kind] | None = None
    description: str | None = None
    enabled: bool | None = None


def create(
    database: Database, *, key_id: UUID, url: str, kinds: Sequence[Kind], description: str, now: datetime
) -> dict[str, Any]:
    """Make an endpoint of a key's; it is told of whatever is committed from now on.

    Raises:
        TooManyEndpoints: the key has as many as it may have.
    """
    with unit_of_work(database) as session:
        give_places(session)
    with unit_of_work(database) as session:
        _hold_key(session, key_id)
        mine = (col(WebhookEndpointRow.api_key_id) == key_id, col(WebhookEndpointRow.deleted_at).is_(None))
        if session.execute(select(func.count()).where(*mine)).scalar_one() >= MOST_ENDPOINTS:
            raise TooManyEndpoints(most=MOST_ENDPOINTS)
        row = WebhookEndpointRow(
            api_key_id=key_id,
            url=url,
            kinds=_as_kept(kinds),
            description=description,
            since=last_place(session),
            created_at=now,
        )
        session.add(row)
        session.flush()
    _LOG.info("webhook.endpoint_created", endpoint_id=str(row.id))
    return describe_endpoint(row)


def change(
    database: Database, endpoint_id: UUID, change: Change, *, key_id: UUID, now: datetime
) -> dict[str, Any] | None:
    """Change an endpoint; None if the key has no such one. What waits for one that is disabled is dead."""
    with unit_of_work(database) as session:
        row = _own(session, endpoint_id, key_id=key_id)
        if row is None:
            return None
        row.url = row.url if change.url is None else change.url
        row.kinds = row.kinds if change.kinds is None else _as_kept(change.kinds)
        row.description = row.description if change.description is None else change.description
        if change.enabled is False and row.disabled_at is None:
            deliveries.disable(session, row, because="its owner disabled it", now=now)
        elif change.enabled:
            row.disabled_at = row.disabled_because = None
    _LOG.info("webhook.endpoint_changed", endpoint_id=str(endpoint_id))
    return describe_endpoint(row)


def remove(database: Database, endpoint_id: UUID, *, key_id: UUID, now: datetime) -> bool:
    """End an endpoint with whatever waits for it; False if the key has no such one."""
    with unit_of_work(database) as session:
        row = _own(session, endpoint_id, key_id=key_id)
        if row is None:
            return False
        row.deleted_at = now
        deliveries.bury(session, endpoint_id, because="the endpoint was deleted")
    _LOG.info("webhook.endpoint_deleted", endpoint_id=str(endpoint_id))
    return True


def rotate(database: Database, endpoint_id: UUID, *, key_id: UUID, now: datetime) -> tuple[dict[str, Any], int] | None:
    """Raise the version of an endpoint's secret, the one before signing on for a day; answer it with the version."""
    with unit_of_work(database) as session:
        row = _own(session, endpoint_id, key_id=key_id)
        if row is None:
            return None
        row.secret_version += 1
        row.secret_overlap_until = now + OVERLAP
    _LOG.info("webhook.secret_rotated", endpoint_id=str(endpoint_id), version=row.secret_version)
    return describe_endpoint(row), row.secret_version


def test(database: Database, endpoint_id: UUID, *, key_id: UUID, now: datetime) -> dict[str, Any] | None:
    """Have a message of kind `test` sent to an endpoint; answer its delivery."""
    with unit_of_work(database) as session:
        row = _own(session, endpoint_id, key_id=key_id)
        if row is None:
            return None
        _require_enabled(row)
        message = webhooks.Message(
            kind=Kind.TEST,
            once=f"test:{uuid4()}",
            payload={"endpoint_id": str(endpoint_id)},
            at=now,
            to=[endpoint_id],
        )
        webhooks.add(session, [message], now=now)
        query = select(col(WebhookDeliveryRow.id)).where(col(WebhookDeliveryRow.message_id) == message.id)
        return queries.delivery(session, session.execute(query).scalar_one(), endpoint_id=endpoint_id)


def resend(
    database: Database, endpoint_id: UUID, delivery_id: UUID, *, key_id: UUID, now: datetime
) -> dict[str, Any] | None:
    """Send one delivery again, however it stands; None if the key has no such one."""
    with unit_of_work(database) as session:
        row = _own(session, endpoint_id, key_id=key_id)
        if row is None:
            return None
        _require_enabled(row)
        chosen = (
            col(WebhookDeliveryRow.id) == delivery_id,
            col(WebhookDeliveryRow.endpoint_id) == endpoint_id,
        )
        deliveries.revive(session, chosen, now=now, limit=1)
        return queries.delivery(session, delivery_id, endpoint_id=endpoint_id)


def resend_range(
    database: Database, endpoint_id: UUID, *, key_id: UUID, first: datetime, last: datetime, now: datetime
) -> dict[str, Any] | None:
    """Send again what is dead of the messages from one instant to before another, oldest first, within bounds.

    Answers how many are on their way again; None if the key has no such endpoint.
    """
    with unit_of_work(database) as session:
        row = _own(session, endpoint_id, key_id=key_id)
        if row is None:
            return None
        _require_enabled(row)
        return {"resent": _revive_dead(session, endpoint_id, first=first, last=last, now=now)}


def resend_dead(database: Database, name: UUID, *, now: datetime) -> int:
    """For an operator: send again one delivery, or whatever is dead of one endpoint; answer how many there are."""
    with unit_of_work(database) as session:
        one = session.get(WebhookDeliveryRow, name)
        endpoint = webhooks.lock_endpoint(session, name if one is None else one.endpoint_id)
        if endpoint is None:
            return 0
        _require_enabled(endpoint)
        if one is not None:
            return deliveries.revive(session, (col(WebhookDeliveryRow.id) == name,), now=now, limit=1)
        return _revive_dead(session, endpoint.id, first=None, last=None, now=now)


def _revive_dead(
    session: Session, endpoint_id: UUID, *, first: datetime | None, last: datetime | None, now: datetime
) -> int:
    at = col(WebhookMessageRow.at)
    chosen = [
        col(WebhookDeliveryRow.endpoint_id) == endpoint_id,
        col(WebhookDeliveryRow.state) == WebhookState.DEAD,
        *([] if first is None else [at >= first]),
        *([] if last is None else [at < last]),
    ]
    return deliveries.revive(session, chosen, now=now, limit=MOST_RESENT)


def _own(session: Session, endpoint_id: UUID, *, key_id: UUID) -> WebhookEndpointRow | None:
    """An endpoint of this key's, held; somebody else's looks like a missing one."""
    row = webhooks.lock_endpoint(session, endpoint_id)
    return row if row is not None and row.api_key_id == key_id and row.deleted_at is None else None


def _require_enabled(row: WebhookEndpointRow) -> None:
    if row.deleted_at is not None or row.disabled_at is not None:
        because = row.disabled_because or "it was deleted"
        raise EndpointDisabled(endpoint=str(row.id), because=because)


def _hold_key(session: Session, key_id: UUID) -> None:
    """Let a key's endpoints be made one after another, so that they can be counted."""
    session.execute(select(col(ApiKeyRow.id)).where(col(ApiKeyRow.id) == key_id).with_for_update(key_share=True))


def _as_kept(kinds: Sequence[Kind]) -> list[str]:
    return sorted({each.value for each in kinds})
