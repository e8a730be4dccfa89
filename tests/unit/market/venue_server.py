"""A real HTTP server on this machine that answers as a venue does, or as a broken one would."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

PACE_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a request gets. A `silent` one gets nothing, a `slow` one a byte at a time."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    slow: bool = False
    cut_short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a venue was asked."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


Route = Reply | Callable[[Request], Reply]


def text(body: str, status: int = 200) -> Reply:
    return Reply(body=body.encode(), status=status)


def as_json(value: object) -> Reply:
    return text(json.dumps(value))


class VenueServer(ThreadingHTTPServer):
    """Routes by path, 404 for the rest; keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.routes: dict[str, Route] = {}
        self.requests: list[Request] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some of these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: VenueServer
    protocol_version = "HTTP/1.1"
    timeout = 5
    disable_nagle_algorithm = True  # headers and body are two writes, and the second would wait 40 ms

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = Request(path=parts.path, params=dict(parse_qsl(parts.query)), headers=dict(self.headers))
        self.server.requests.append(asked)
        route = self.server.routes.get(asked.path, Reply(status=404))
        self._answer(route if isinstance(route, Reply) else route(asked))

    def _answer(self, reply: Reply) -> None:
        if reply.silent:
            self.server.closing.wait()
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) + reply.cut_short))
        self.end_headers()
        if not reply.slow:
            self.wfile.write(reply.body)
            self.close_connection = reply.cut_short
            return
        for byte in reply.body:
            self.wfile.write(bytes([byte]))
            if self.server.closing.wait(PACE_SECONDS):
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep quiet."""


@contextlib.contextmanager
def running() -> Iterator[VenueServer]:
    with VenueServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
