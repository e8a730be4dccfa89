"""Loopback ports held for servers that have yet to start."""

import socket
from types import TracebackType
from typing import Self


class HeldPorts:
    """Free ports of 127.0.0.1 that nothing else is given until this closes.

    A held port is bound but never listened on. Linux hands such a port to nobody who asks for a free one, and
    lets a server that names it (and sets SO_REUSEADDR, as all of ours do) listen there. So the race between
    finding a port free and listening on it cannot be lost.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def hold(self) -> int:
        """Find a free port and keep it."""
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sockets.append(held)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port

    def close(self) -> None:
        """Let every port go; a server that listens keeps its own."""
        while self._sockets:
            self._sockets.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
