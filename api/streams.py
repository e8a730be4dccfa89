"""Who listens to what: subscriptions in memory, each with a bounded buffer, told of every event once."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from http import HTTPStatus
from typing import NewType
from uuid import UUID

from fastapi.sse import format_sse_event

from api.answers import encoded
from api.problem import RETRY_SECONDS, Problem, unavailable
from registry.queries.feed import FedEvent

MOST_WAITING_BYTES = 1024 * 1024
"""What waits for one client; several pages of the feed fit."""
RETRY_MILLISECONDS = 1_000

Topic = NewType("Topic", str)
"""What is listened to."""

EVERY_POLICY = Topic("policies")
STATS = Topic("stats")


def of_owner(principal: str) -> Topic:
    """The policies of one owner."""
    return Topic(f"owner:{principal}")


def of_policy(policy_id: UUID) -> Topic:
    """One policy."""
    return Topic(f"policy:{policy_id}")


class Ending(Enum):
    """Why a stream is ended from here; the client reads it as a comment."""

    SLOW = "too slow; come again with the last id"
    CLOSING = "closing; come again with the last id"
    STUCK = "the database does not answer; come again with the last id"
    SIGNED_OUT = "the session or key has ended"


def farewell(ending: Ending) -> bytes:
    """The last words of a stream: why it ends, and how soon to come again."""
    return format_sse_event(comment=ending.value, retry=RETRY_MILLISECONDS)


class Subscription:
    """What one client is still to be sent. `since` is the place behind which it is told everything by itself."""

    def __init__(self, *, since: int, heard: int) -> None:
        """Skip events up to `heard`: the client has them from a process that is ahead of this one."""
        self.since = since
        self.ending: Ending | None = None
        self._heard = heard
        self._waiting = deque[bytes]()
        self._size = 0
        self._woken = asyncio.Event()

    def put(self, part: bytes, *, seq: int | None = None) -> None:
        """Have a part sent; a client that leaves too much unread is ended, and what waits for it let go."""
        if self.ending is not None or (seq is not None and seq <= self._heard):
            return
        if self._size + len(part) > MOST_WAITING_BYTES:
            self._let_go()
            self.end(Ending.SLOW)
            return
        self._waiting.append(part)
        self._size += len(part)
        self._woken.set()

    def end(self, ending: Ending) -> None:
        """Send what waits and nothing more."""
        self.ending = self.ending or ending
        self._woken.set()

    async def take(self, *, seconds: float) -> bytes:
        """Everything that waits, as one; nothing, if nothing comes in that time or the stream is to end."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return b""
        taken = b"".join(self._waiting)
        self._let_go()
        if self.ending is None:
            self._woken.clear()
        return taken

    def _let_go(self) -> None:
        self._waiting.clear()
        self._size = 0


class Hub:
    """All streams of this process. Used on the event loop only, so nothing comes between two of its lines."""

    def __init__(self, *, most: int, most_per_caller: int) -> None:
        """Allow so many streams, and so many of them to one caller."""
        self.most, self._most_per_caller = most, most_per_caller
        self._topics: dict[Topic, set[Subscription]] = {}
        self._callers = Counter[str]()
        self._position: int | None = None
        self._is_closing = False

    @property
    def position(self) -> int:
        """The place up to which every event was told.

        Raises:
            Problem: 503, while the feed has not been read yet or the process is to end.
        """
        if self._position is None or self._is_closing:
            raise unavailable(code="streams_unavailable")
        return self._position

    def begin(self, position: int) -> None:
        """Be told of what is behind a place."""
        self._position = position

    def has(self, topic: Topic) -> bool:
        """Whether anybody listens."""
        return topic in self._topics

    @contextmanager
    def subscribed(self, topic: Topic, *, caller: str, heard: int = 0) -> Iterator[Subscription]:
        """Let a caller listen for as long as the context lasts.

        Raises:
            Problem: 503, if there are too many streams; 429, if there are too many of this caller.
        """
        self._admit(caller)
        subscription = Subscription(since=self.position, heard=heard)
        listening = self._topics.setdefault(topic, set())
        listening.add(subscription)
        self._callers[caller] += 1
        try:
            yield subscription
        finally:
            listening.discard(subscription)
            if not listening and self._topics.get(topic) is listening:
                del self._topics[topic]
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]

    def tell(self, events: Sequence[FedEvent]) -> None:
        """Tell everybody of the next events, which are in turn."""
        for event in events:
            topics = (EVERY_POLICY, of_owner(event.owner_principal), of_policy(event.policy_id))
            listening = [each for topic in topics for each in self._topics.get(topic, ())]
            if listening:
                part = policy_event(event)
                for each in listening:
                    each.put(part, seq=event.seq)
            self._position = event.seq

    def tell_stats(self, part: bytes) -> None:
        """Tell of figures that have changed."""
        for each in self._topics.get(STATS, ()):
            each.put(part)

    def end(self) -> None:
        """End every stream, and let nobody in any more."""
        self._is_closing = True
        for listening in self._topics.values():
            for each in listening:
                each.end(Ending.CLOSING)

    def _admit(self, caller: str) -> None:
        if self._callers.total() >= self.most:
            raise unavailable(code="too_many_streams")
        if self._callers[caller] >= self._most_per_caller:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                code="too_many_streams",
                detail=f"{self._most_per_caller} streams are open already, the most for one caller; close one of them",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )


def policy_event(event: FedEvent) -> bytes:
    """An event of a policy, as it is sent."""
    return format_sse_event(event="policy", data_str=encoded(event.told).decode(), id=str(event.seq))


def ready_event(position: int) -> bytes:
    """The word that from here on everything is told."""
    return format_sse_event(event="ready", data_str=encoded({"seq": position}).decode(), id=str(position))


def stats_event(figures: object) -> bytes:
    """The figures of the platform, as they are sent."""
    return format_sse_event(event="stats", data_str=encoded(figures).decode())
