"""Webhooks: what the feed says becomes messages, and each is sent until its receiver says that he has it.

A message and its deliveries are rows before a byte leaves. A delivery is taken, sent outside of any transaction, and
what became of it is noted. Whoever is ended in between leaves it to be sent again, under the same id: at least once.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from registry.domain.policy import PolicyStatus
from registry.domain.webhook import (
    OF_STATUS,
    TROUBLE,
    Tried,
    body_of,
    headers_of,
    once_of_event,
    put_off_until,
    secret_of,
)
from registry.outside.posting import Answered, Poster
from registry.queries import feed
from registry.queries.feed import FedEvent
from registry.queries.webhooks import as_told
from registry.store import webhook_deliveries as deliveries
from registry.store import webhooks
from registry.store.feed import give_places, last_place
from registry.store.front_tables import WebhookEndpointRow
from registry.store.session import Database, unit_of_work
from registry.store.webhook_deliveries import Claim

MOST_OF_ONE = 50
"""Deliveries that one endpoint gets in a row, before others have had their turn."""
SHARE_SECONDS = 10.0
"""How long that may take, the last of them left out."""
LEASE_MARGIN = timedelta(seconds=60)
"""How much longer than an answer may take a delivery is its sender's."""
GONE = 410

_LOG = structlog.get_logger()


def collect(database: Database, *, now: datetime, limit: int) -> int:
    """Make messages of the next events of the feed, in the commit that moves the place up to which it was read.

    Answers how many events were read: fewer than `limit` were all, or another collects. Where nobody listens, they
    are passed over.
    """
    with unit_of_work(database) as session:
        give_places(session)
    with unit_of_work(database) as session:
        place = webhooks.hold_place(session)
        if place is None:
            return 0
        # before the endpoints: whatever comes behind it is left to those that are made meanwhile
        newest = last_place(session)
        endpoints = webhooks.hearing(session, now=now)
        if not endpoints:
            webhooks.move_place(session, to=max(place, newest))
            return 0
        events = feed.after(session, place, until=newest, limit=limit)
        if events:
            webhooks.add(session, [_message(each, endpoints) for each in events], now=now)
            webhooks.move_place(session, to=events[-1].seq)
        return len(events)


def _message(event: FedEvent, endpoints: Sequence[WebhookEndpointRow]) -> webhooks.Message:
    kind = OF_STATUS[PolicyStatus(event.told["to"])]
    return webhooks.Message(
        kind=kind,
        once=once_of_event(event.policy_id, seq=event.seq, edge=event.told["edge"]),
        policy_id=event.policy_id,
        payload=as_told(event.told),
        at=datetime.fromisoformat(event.told["at"]),
        # what was told before an endpoint was there is not its own; by place, for times are taken before commits
        to=[each.id for each in endpoints if kind in each.kinds and each.since < event.seq],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What sending takes: how posts are made, what secrets are made from, what time it is, and how long is tried."""

    poster: Poster
    master: bytes = field(repr=False)
    clock: Callable[[], datetime]
    within: timedelta

    @property
    def lease(self) -> timedelta:
        """For how long a delivery is its sender's."""
        return timedelta(seconds=self.poster.seconds) + LEASE_MARGIN


def due_endpoints(database: Database, *, now: datetime, limit: int, without: Collection[UUID] = ()) -> Sequence[UUID]:
    """Endpoints that something is due to, whoever waits longest first; `without` are being served already."""
    with unit_of_work(database) as session:
        return deliveries.due_endpoints(session, now=now, limit=limit, without=without)


def serve(database: Database, sender: Sender, endpoint_id: UUID) -> int:
    """Send what is due to one endpoint, one after another, for a bounded time; answer how many arrived.

    One that fails again and again is left alone for a while, and what is due to it waits.
    """
    ends, sent, in_a_row = time.monotonic() + SHARE_SECONDS, 0, 0
    for _ in range(MOST_OF_ONE):
        with unit_of_work(database) as session:
            own = deliveries.claim(session, endpoint_id, now=sender.clock(), lease=sender.lease)
        if own is None:
            break
        answered = _post(sender, endpoint_id, own)
        in_a_row = 0 if answered.is_taken else in_a_row + 1
        sent += answered.is_taken
        is_in_trouble = in_a_row >= TROUBLE or answered.wait is not None
        _note(database, sender, endpoint_id, own, answered, is_in_trouble=is_in_trouble)
        if is_in_trouble or time.monotonic() >= ends:
            break
    return sent


def _post(sender: Sender, endpoint_id: UUID, own: Claim) -> Answered:
    body = body_of(kind=own.message.kind, at=own.message.at, data=own.message.payload)
    secrets = [secret_of(sender.master, endpoint_id, version=version) for version in own.versions]
    headers = headers_of(body, message=own.message.id, now=own.at, secrets=secrets)
    return sender.poster.post(own.url, body, headers=headers)


def _note(
    database: Database, sender: Sender, endpoint_id: UUID, own: Claim, answered: Answered, *, is_in_trouble: bool
) -> None:
    now = sender.clock()
    about = {"delivery_id": str(own.id), "endpoint_id": str(endpoint_id), "kind": own.message.kind}
    if answered.is_taken and answered.status is not None:
        with unit_of_work(database) as session:
            deliveries.arrived(session, own, status=answered.status, now=now)
        _LOG.info("webhook.delivered", status=answered.status, attempts=own.attempts + 1, **about)
        return
    reason = answered.reason or "no answer"
    tried = Tried(delivery=own.id, attempts=own.attempts + 1, first_at=own.first_at)
    next_at = tried.next_at(now=now, named=answered.wait, within=sender.within)
    with unit_of_work(database) as session:
        # the endpoint before its deliveries, as whoever takes one does
        endpoint = webhooks.lock_endpoint(session, endpoint_id)
        deliveries.failed(session, own, status=answered.status, reason=reason, next_at=next_at, now=now)
        if answered.status == GONE and endpoint is not None and endpoint.disabled_at is None:
            deliveries.disable(session, endpoint, because="its receiver says that it is gone (HTTP 410)", now=now)
        elif is_in_trouble:
            until = put_off_until(next_at, now=now)
            deliveries.put_off(session, endpoint_id, until=until, over=now - sender.within, now=now)
    _LOG.warning("webhook.given_up" if next_at is None else "webhook.failed", reason=reason, **about)


def forget(database: Database, *, before: datetime, limit: int) -> int:
    """Remove at most `limit` messages from before an instant that wait for nobody; answer how many."""
    with unit_of_work(database) as session:
        return webhooks.forget(session, before=before, limit=limit)
