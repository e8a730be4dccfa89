"""HTTP that no server can hold up past a set time, however slowly it connects, answers, or drips.

A socket's own time-out counts from byte to byte: one byte a second keeps a reader waiting for ever, in the head of an
answer as well as in its body. So every read and write here is given what is left of the whole call.
"""

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_OURS = threading.local()


@contextmanager
def ends_at(moment: float) -> Iterator[None]:
    """Let no socket of this thread wait past `moment` of time.monotonic(); within another, the earlier one holds."""
    before = _ends()
    _OURS.ends = moment if before is None else min(before, moment)
    try:
        yield
    finally:
        _OURS.ends = before


@contextmanager
def connects_to(address: str, port: int) -> Iterator[None]:
    """Connect this thread's sockets to an address that was checked, whatever a name leads to when it is asked again.

    Certificates and `Host` are still the name's. What is pooled was connected earlier: use a session of its own.
    """
    before = _pinned()
    _OURS.pinned = address, port
    try:
        yield
    finally:
        _OURS.pinned = before


def is_over() -> bool:
    """Whether nothing is left of this thread's call."""
    ends = _ends()
    return ends is not None and time.monotonic() >= ends


def bounded_session() -> requests.Session:
    """A session whose connections keep to `ends_at`."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


def _ends() -> float | None:
    ends: float | None = getattr(_OURS, "ends", None)
    return ends


def _pinned() -> tuple[str, int] | None:
    pinned: tuple[str, int] | None = getattr(_OURS, "pinned", None)
    return pinned


def _seconds_left() -> float | None:
    """What is left of this thread's call; None where nothing bounds it. Raise TimeoutError where nothing is left."""
    ends = _ends()
    if ends is None:
        return None
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time for the whole call is over")
    return left


class _Socket:
    """A connected socket of which each read and write keeps to the end of the call."""

    def __init__(self, sock: Any) -> None:  # noqa: ANN401 - plain or TLS
        self._sock = sock

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it has
        return getattr(self._sock, name)

    def sendall(self, data: Any) -> None:  # noqa: ANN401 - whatever it takes
        with _in_time(self._sock):
            self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        """As http.client asks for it, to read an answer."""
        return io.BufferedReader(_Raw(self._sock, self._sock.makefile(mode, buffering=0)))


class _Raw(io.RawIOBase):
    """What a socket receives, unbuffered."""

    def __init__(self, sock: Any, received: io.RawIOBase) -> None:  # noqa: ANN401 - plain or TLS
        self._sock = sock
        self._received = received

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - whatever it takes
        """Wait for what comes next."""
        with _in_time(self._sock):
            return self._received.readinto(buffer)

    def close(self) -> None:
        """Give the socket back."""
        self._received.close()
        super().close()


@contextmanager
def _in_time(sock: Any) -> Iterator[None]:  # noqa: ANN401 - plain or TLS
    usual, left = sock.gettimeout(), _seconds_left()
    if left is not None and (usual is None or left < usual):
        sock.settimeout(left)
    try:
        yield
    finally:
        sock.settimeout(usual)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        """Connect, within what is left."""
        _shorten(self)
        super().connect()
        self.sock = _Socket(self.sock)

    def _new_conn(self) -> socket.socket:
        with _led_to_the_pinned(self):
            return super()._new_conn()


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        """Connect and shake hands, each within what is left."""
        _shorten(self)
        super().connect()
        self.sock = _Socket(self.sock)

    def _new_conn(self) -> socket.socket:
        with _led_to_the_pinned(self):
            return super()._new_conn()


@contextmanager
def _led_to_the_pinned(connection: HTTPConnection) -> Iterator[None]:
    """Have a connection open its socket to this thread's checked address; for all else it keeps its own name."""
    named, pinned = (connection.host, connection.port), _pinned()
    if pinned is not None:
        connection.host, connection.port = pinned
    try:
        yield
    finally:
        connection.host, connection.port = named


def _shorten(connection: HTTPConnection) -> None:
    left = _seconds_left()
    if left is not None and isinstance(connection.timeout, int | float):
        connection.timeout = min(connection.timeout, left)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Makes pools of our connections, with a proxy and without."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base's
        """As the base, with our pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the base's
        """As the base, with our pools."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager
