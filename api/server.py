"""The HTTP server: uvicorn, bounded in connections and in how long it waits for a request and for a reader."""

import asyncio
import resource
import socket
from typing import Any, cast

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from api.streams import Hub

MOST_CONNECTIONS = 64
"""Beside those of streams."""
OTHER_FILES = 128
IDLE_SECONDS = 5
REQUEST_SECONDS = 10.0
UNREAD_SECONDS = 30.0
STOP_SECONDS = 5
MOST_HEADER_BYTES = 16 * 1024
_LOG = structlog.get_logger()


class Impatient(H11Protocol):
    """Ends a connection on which a request does not come whole up to its body in time: uvicorn waits for ever.

    So it does for whoever reads nothing of an answer.
    """

    _patience: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait on while what came is a part of a request; a body has bounds of its own."""
        super().data_received(data)
        if self._is_served():
            self._rest()
        elif self._patience is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        self._is_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait until something of what was sent is read."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait no longer: it was."""
        self._is_read()
        super().resume_writing()

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _is_served(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait(self) -> None:
        self._patience = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Ending(uvicorn.Server):
    """Ends the streams before it waits for what is under way: of themselves they have no end."""

    def __init__(self, config: uvicorn.Config, *, streams: Hub) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        self._streams.end()
        await super().shutdown(sockets)


def server(app: ASGIApp, *, host: str, port: int, streams: Hub) -> uvicorn.Server:
    """Describe a server that logs through our own chain and says nothing of itself."""
    connections = MOST_CONNECTIONS + streams.most
    _allow_files(connections + OTHER_FILES)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=cast("Any", Impatient),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=connections,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
    )
    return Ending(config, streams=streams)


def _allow_files(needed: int) -> None:
    """Raise how many sockets this process may have, which is often 1 024, as far as it is let."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if most == resource.RLIM_INFINITY else min(needed, most)
    if wanted > allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    if wanted < needed:
        _LOG.warning("server.few_files", allowed=wanted, needed=needed)
