"""`GET /v1/streams/…`: what happens to policies, and the platform's figures, as Server-Sent Events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.security.utils import get_authorization_scheme_param
from fastapi.sse import KEEPALIVE_COMMENT
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from api import problem
from api.caller import Caller, forbidden
from api.door import Door
from api.limits import home_of
from api.numbers import LARGEST
from api.policy_names import PolicyName
from api.problem import Problem
from api.streams import (
    EVERY_POLICY,
    STATS,
    Ending,
    Subscription,
    Topic,
    farewell,
    of_owner,
    of_policy,
    policy_event,
    ready_event,
)
from api.terms import Nothing, digits
from registry.domain import access
from registry.domain.errors import DatabaseUnavailable, PolicyNotFound
from registry.queries import feed as read_feed
from registry.queries import timeline
from registry.store import feed
from registry.store.session import Database, unit_of_work

BEAT_SECONDS = 15.0
"""From one comment to the next; whether whoever listens may still do so is asked again then."""
REPLAYED = 100
EVENT_STREAM = "text/event-stream"
EXAMPLE = 'event: ready\ndata: {"seq":41}\nid: 41\n\nevent: policy\ndata: {"seq":42,"edge":"b",…}\nid: 42\n\n: ping\n\n'


Place = Annotated[int, Field(ge=0, le=LARGEST, examples=[41]), BeforeValidator(digits)]


class Behind(BaseModel):
    """Where a stream begins."""

    model_config = ConfigDict(extra="forbid")

    after: Place | None = Field(
        default=None,
        description="The `id` of the last event that you have; what `Last-Event-ID` says goes before it.",
    )


LastEventId = Annotated[
    Place | None,
    Header(
        alias="Last-Event-ID",
        description="The `id` of the last event that you have. A browser's EventSource sends it by itself.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a stream tells of: an owner's policies, one policy, or all; and behind which place, if not from now on."""

    topic: Topic = EVERY_POLICY
    owner: str | None = None
    policy: UUID | None = None
    after: int | None = None


class Stream(StreamingResponse):
    """An answer without an end: it is subscribed while it is sent, and no longer."""

    media_type = EVENT_STREAM

    def __init__(
        self,
        subscribed: AbstractContextManager[Subscription],
        parts: Callable[[Subscription], AsyncIterator[bytes]],
        *,
        status_code: int = HTTPStatus.OK,
    ) -> None:
        # the status is an argument because FastAPI's document looks for its default
        super().__init__(iter(()), status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._subscribed = subscribed
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until either side ends it."""
        with self._subscribed as subscription:
            self.body_iterator = self._parts(subscription)
            await super().__call__(scope, receive, send)


def router(door: Door) -> APIRouter:
    """Make the routes under /v1/streams."""
    own = APIRouter(prefix="/streams", tags=["streams"], default_response_class=Stream)

    async def listens(caller: Annotated[Caller, Depends(door.guard.caller)]) -> Caller:
        if caller.principal is None and access.Scope.EVENTS not in caller.scopes:
            raise forbidden(detail="this needs a session of a holder, or a service's key with the scope events")
        return caller

    Listening = Annotated[Caller, Depends(listens)]  # noqa: N806 - a type

    @own.get(
        "/policies",
        operation_id="stream_policies",
        summary="Be told of policies",
        responses=_told(*_OF_POLICIES),
    )
    async def stream_policies(
        request: Request, caller: Listening, query: Annotated[Behind, Query()], last_event_id: LastEventId = None
    ) -> Stream:
        """Tell of every edge that a policy walks: a holder of his own policies, a service of all.

        First comes an event `ready`, whose id is the place from which on everything is told; then an event `policy`
        for each edge, with the policy as it stands, and a comment every 15 seconds. Whoever comes again with the id
        of the last event that he has is told what he missed, each event once, and no `ready`.
        """
        after = await _known_place(door, query.after if last_event_id is None else last_event_id)
        if caller.principal is None:
            return _stream(door, request, caller, Chosen(after=after))
        chosen = Chosen(topic=of_owner(caller.principal), owner=caller.principal, after=after)
        return _stream(door, request, caller, chosen)

    @own.get(
        "/policies/{policy}",
        operation_id="stream_policy",
        summary="Be told of one policy",
        responses=_told(*_OF_POLICIES, HTTPStatus.NOT_FOUND),
    )
    async def stream_policy(
        request: Request,
        policy: PolicyName,
        caller: Listening,
        query: Annotated[Behind, Query()],
        last_event_id: LastEventId = None,
    ) -> Stream:
        """Tell of every edge that one policy walks, as `GET /v1/streams/policies` does."""
        after = await _known_place(door, query.after if last_event_id is None else last_event_id)
        policy_id = await door.threads.run(partial(_find, door.database, policy, caller))
        return _stream(door, request, caller, Chosen(topic=of_policy(policy_id), policy=policy_id, after=after))

    @own.get("/stats", operation_id="stream_stats", summary="Be told the platform's stats", responses=_told(*_OF_ALL))
    async def stream_stats(request: Request, _: Annotated[Nothing, Query()]) -> Stream:
        """Tell of the platform's figures: as they stand, then whenever they have changed, at most once a second.

        Nobody needs to be signed in. An event `stats` holds what `GET /v1/stats` answers.
        """
        who = home_of(request.client.host if request.client else "")
        return Stream(door.streams.subscribed(STATS, caller=who), partial(_stats, door))

    return own


_OF_ALL = (HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_OF_POLICIES = (*_OF_ALL, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)


def _told(*statuses: HTTPStatus) -> dict[int | str, dict[str, object]]:
    shown = {"content": {EVENT_STREAM: {"example": EXAMPLE}}, "description": "Events until either side ends it."}
    return {200: shown, **problem.told(*statuses)}


def _stream(door: Door, request: Request, caller: Caller, chosen: Chosen) -> Stream:
    _, token = get_authorization_scheme_param(request.headers.get("authorization"))
    subscribed = door.streams.subscribed(chosen.topic, caller=caller.name, heard=chosen.after or 0)
    return Stream(subscribed, partial(_policies, door, chosen, token))


async def _known_place(door: Door, after: int | None) -> int | None:
    """Refuse a place that there is not: another process may be ahead of this one, the database is behind nobody."""
    if after is None or after <= door.streams.position:
        return after
    newest = await door.threads.run(partial(_newest, door.database))
    if after <= newest:
        return after
    raise Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        code="unknown_place",
        detail=f"no event has the id {after}, the newest is {newest}; begin without an id, or with one you were told",
        figures={"newest": newest},
    )


async def _policies(door: Door, chosen: Chosen, token: str, subscription: Subscription) -> AsyncIterator[bytes]:
    if chosen.after is None:
        yield ready_event(subscription.since)
    else:
        try:
            async for part in _missed(door, chosen, after=chosen.after, until=subscription.since):
                yield part
        except (DatabaseUnavailable, Problem):
            yield farewell(Ending.STUCK)
            return
    async for part in _coming(door, subscription, token=token):
        yield part


async def _missed(door: Door, chosen: Chosen, *, after: int, until: int) -> AsyncIterator[bytes]:
    """What was told up to a place, page by page; what comes behind it waits in the subscription."""
    while after < until:
        part, after = await door.replaying.run(partial(_page, door.database, chosen, after, until))
        if part:
            yield part


async def _coming(door: Door, subscription: Subscription, *, token: str | None) -> AsyncIterator[bytes]:
    """What comes, and a comment from time to time, until the stream is to end."""
    clock = asyncio.get_running_loop().time
    beat = clock() + BEAT_SECONDS
    while True:
        part = await subscription.take(seconds=max(0.0, beat - clock()))
        if part:
            yield part
        if subscription.ending is not None:
            yield farewell(subscription.ending)
            return
        if clock() >= beat:
            if token is not None and not await door.guard.knows(token):
                yield farewell(Ending.SIGNED_OUT)
                return
            yield KEEPALIVE_COMMENT
            beat = clock() + BEAT_SECONDS


async def _stats(door: Door, subscription: Subscription) -> AsyncIterator[bytes]:
    try:
        yield await door.figures.current()
    except (DatabaseUnavailable, Problem):
        yield farewell(Ending.STUCK)
        return
    async for part in _coming(door, subscription, token=None):
        yield part


def _page(database: Database, chosen: Chosen, after: int, until: int) -> tuple[bytes, int]:
    """The next events, as they are sent, and how far they go."""
    with unit_of_work(database) as session:
        events = read_feed.after(session, after, owner=chosen.owner, policy=chosen.policy, until=until, limit=REPLAYED)
    part = b"".join(policy_event(each) for each in events)
    return part, events[-1].seq if len(events) == REPLAYED else until


def _newest(database: Database) -> int:
    with unit_of_work(database) as session:
        return feed.last_place(session)


def _find(database: Database, name: str, caller: Caller) -> UUID:
    with unit_of_work(database) as session:
        found = timeline.find(session, name)
    if found is None or not (caller.principal == found.owner_principal or access.Scope.EVENTS in caller.scopes):
        raise PolicyNotFound(owner=caller.name, policy=name)
    return found.id
