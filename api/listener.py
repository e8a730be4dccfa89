"""Reads what is new in the feed, once for all streams of a process: when Postgres notifies, and every two seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from typing import Any

import psycopg2
import structlog

from api.problem import Problem
from api.streams import STATS, Hub, stats_event
from api.threads import Threads
from registry.domain.errors import DatabaseUnavailable
from registry.queries import feed as read_feed
from registry.queries.feed import FedEvent
from registry.queries.stats import get_platform_stats
from registry.store import feed
from registry.store.session import Database, unit_of_work

LOOK_SECONDS = 2.0
"""What a lost notification costs."""
REST_SECONDS = 0.05
"""From one look to the next, however many commits notify in between."""
STATS_SECONDS = 1.0
MOST_PAUSE_SECONDS = 2.0
CALL_SECONDS, CONNECT_SECONDS = 10.0, 5
BEGIN_SECONDS = 2.0
"""The most that a start waits for the database: without it, streams are refused until it is there."""
PAGE = 100
_LOG = structlog.get_logger()


class Listener:
    """One connection that LISTENs, whatever the number of streams. Used on the event loop only."""

    def __init__(self, database: Database, hub: Hub) -> None:
        """Connect to nothing yet."""
        self._database, self._hub = database, hub
        self._threads = Threads(most=1, seconds=CALL_SECONDS)
        self._position: int | None = None
        self._connection: psycopg2.extensions.connection | None = None
        self._socket = -1
        self._heard = asyncio.Event()
        self._has_begun = asyncio.Event()

    async def begun(self) -> None:
        """Wait until streams can be opened."""
        await self._has_begun.wait()

    async def run(self) -> None:
        """Read for ever. A database that is away is asked again, less and less often, up to every two seconds."""
        pause = REST_SECONDS
        try:
            while True:
                try:
                    await self._listen()
                    await self._read()
                    pause = REST_SECONDS
                except (DatabaseUnavailable, Problem, psycopg2.Error) as error:
                    self._let_go()
                    pause = min(max(2 * pause, 0.2), MOST_PAUSE_SECONDS)
                    _LOG.warning("feed.unread", reason=type(error).__name__, pause_seconds=pause)
                # whatever notifies meanwhile is read together
                await asyncio.sleep(pause)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS if self._connection else 0):
                        await self._heard.wait()
        finally:
            self._let_go()

    async def _listen(self) -> None:
        if self._connection is not None:
            return
        connection = await self._threads.run(partial(_connect, self._database))
        # a connection that broke off knows its socket no more
        self._connection, self._socket = connection, connection.fileno()
        asyncio.get_running_loop().add_reader(self._socket, self._take_notice)

    def _take_notice(self) -> None:
        """Take what the server has sent; a connection that broke off is opened anew by the next look."""
        if self._connection is None:
            return
        try:
            self._connection.poll()
        except psycopg2.Error:
            self._let_go()
        else:
            if not self._connection.notifies:
                return
            self._connection.notifies.clear()
        self._heard.set()

    def _let_go(self) -> None:
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._connection.close()
            self._connection = None

    async def _read(self) -> None:
        # before the reading, not after it: what is committed meanwhile is read the next time
        self._heard.clear()
        if self._position is None:
            self._position = await self._threads.run(partial(_newest, self._database))
            self._hub.begin(self._position)
            self._has_begun.set()
        while True:
            events = await self._threads.run(partial(_behind, self._database, self._position))
            self._hub.tell(events)
            if events:
                self._position = events[-1].seq
            if len(events) < PAGE:
                return


class Figures:
    """The stats for those who listen to them: read once a second for all, and told when they have changed."""

    def __init__(self, database: Database, hub: Hub, threads: Threads) -> None:
        """Read in threads that others use too."""
        self._database, self._hub, self._threads = database, hub, threads
        self._told: bytes | None = None

    async def run(self) -> None:
        """Read for ever; nothing, while nobody listens."""
        while True:
            await asyncio.sleep(STATS_SECONDS)
            if not self._hub.has(STATS):
                continue
            with suppress(DatabaseUnavailable, Problem):
                part = await self.current()
                if part != self._told:
                    self._told = part
                    self._hub.tell_stats(part)

    async def current(self) -> bytes:
        """The figures of this moment, as an event."""
        return stats_event(await self._threads.run(partial(_figures, self._database)))


@asynccontextmanager
async def listening(listener: Listener, figures: Figures) -> AsyncIterator[None]:
    """Read while the application runs."""
    tasks = [asyncio.create_task(each.run(), name=type(each).__name__) for each in (listener, figures)]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(listener.begun(), BEGIN_SECONDS)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("feed.unread", reason=type(error).__name__, exc_info=error)


def _connect(database: Database) -> psycopg2.extensions.connection:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg2.connect(url, connect_timeout=CONNECT_SECONDS)
    try:
        connection.autocommit = True
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"LISTEN {feed.CHANNEL}")
    except BaseException:
        connection.close()
        raise
    return connection


def _give_places(database: Database) -> None:
    given = feed.MOST_PLACES
    while given == feed.MOST_PLACES:
        with unit_of_work(database) as session:
            given = feed.give_places(session)


def _newest(database: Database) -> int:
    _give_places(database)
    with unit_of_work(database) as session:
        return feed.last_place(session)


def _behind(database: Database, position: int) -> list[FedEvent]:
    _give_places(database)
    with unit_of_work(database) as session:
        return read_feed.after(session, position, limit=PAGE)


def _figures(database: Database) -> dict[str, Any]:
    return get_platform_stats(database, {})
