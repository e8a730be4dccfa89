"""A real HTTP server on loopback that says what a test tells it to."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import pytest

from registry.stacks.http_node import HttpNode
from registry.stacks.transport import Limits


@dataclass
class Reply:
    """What the server says next."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    dripping: bool = False
    cut: bool = False

    @property
    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Request:
    """What the server was asked."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]
    port: int


class Server(ThreadingHTTPServer):
    """Gives replies by path without query, or the last one to every path; keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: dict[str, Reply] = {}
        self.asked: list[Request] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def says(
        self,
        body: object,
        status: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        silent: bool = False,
        dripping: bool = False,
        cut: bool = False,
    ) -> None:
        """Say this to every path that has no reply of its own."""
        self.replies["*"] = Reply(body, status, headers or {}, silent, dripping, cut)

    def says_at(self, path: str, body: object, status: int = 200) -> None:
        """Say this to one path."""
        self.replies[path] = Reply(body, status)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        server = cast("Server", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.asked.append(Request(self.command, self.path, body, dict(self.headers), self.client_address[1]))
        reply = server.replies.get(self.path.partition("?")[0]) or server.replies["*"]
        if reply.cut:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.encoded)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.silent:
            server.released.wait(5)
        while reply.dripping and not server.released.wait(0.05):
            self.wfile.write(b" ")
        self.wfile.write(reply.encoded)

    do_GET = do_POST = answer  # noqa: N815  # the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Stay silent."""


@contextmanager
def running() -> Iterator[Server]:
    """Run a server until the end."""
    own = Server()
    thread = threading.Thread(target=own.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield own
    finally:
        own.released.set()
        own.shutdown()
        own.server_close()
        thread.join(timeout=5)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as own:
        yield own


@pytest.fixture
def node(server: Server) -> Iterator[HttpNode]:
    client = HttpNode(server.url, limits=Limits(silence_seconds=0.3, answer_seconds=0.6, body_bytes=100_000))
    yield client
    client.close()
