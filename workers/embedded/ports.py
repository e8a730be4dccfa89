"""Loopback ports held for servers that have yet to start."""

import contextlib
import secrets
import socket
from types import TracebackType
from typing import Self

LASTING = range(20_000, 32_000)
"""Below those that Linux hands out by itself (32 768 and up): what stops for a while finds its own free again."""
_TRIES = 50


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
        return self._bind(0)

    def hold_lasting(self, wanted: int | None = None) -> int:
        """Keep the port that was kept before, if it is free, else find one that is likely to be free again later."""
        for port in (*(() if wanted is None else (wanted,)), *(secrets.choice(LASTING) for _ in range(_TRIES))):
            # two sockets of ours could be bound to one port: neither listens
            if port not in self._ports():
                with contextlib.suppress(OSError):
                    return self._bind(port)
        return self.hold()

    def _bind(self, port: int) -> int:
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            raise
        self._sockets.append(held)
        bound: int = held.getsockname()[1]
        return bound

    def _ports(self) -> set[int]:
        return {held.getsockname()[1] for held in self._sockets}

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
