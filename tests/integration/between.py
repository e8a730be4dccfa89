"""What stands between a client and a node: passes everything on, until a test wants it to do harm."""

import http.client
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, cast
from urllib.parse import urlsplit

_BLOCK = re.compile(r"/extended/v2/blocks/(latest|[0-9]+|0x[0-9a-f]{64})")
_LONGEST_SILENCE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Harm = Literal["none", "say", "silent", "reset", "lose"]


class Between(ThreadingHTTPServer):
    """A server in front of another one. `harm` is what it does; `lag` is by how many blocks its chain is shorter."""

    daemon_threads = True

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(url)
        self.harm: Harm = "none"
        self.lag = 0
        self.said = Said(status=503, body=b"")
        self.asked: list[str] = []
        self.submitted: list[bytes] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some of these tests are about."""

    @contextmanager
    def doing(self, harm: Harm, said: Said | None = None) -> Iterator[None]:
        """Do harm: `say` something else, be `silent`, `reset` before passing on, or `lose` the answer after it."""
        self.harm, self.said = harm, said or self.said
        self.released.clear()
        try:
            yield
        finally:
            self.harm = "none"
            self.released.set()

    def pass_on(self, method: str, path: str, body: bytes, kind: str | None) -> Said:
        """Ask the server behind, and shorten the chain that it shows."""
        if self.lag and path.partition("?")[0] == "/extended/v2/blocks/latest":
            found = self._fetch("GET", f"/extended/v2/blocks?limit=1&offset={self.lag}", b"", None)
            return Said(status=200, body=json.dumps(json.loads(found.body)["results"][0]).encode())
        found = self._fetch(method, path, body, kind)
        if self.lag and found.status == http.client.OK and _BLOCK.fullmatch(path.partition("?")[0]):
            newest = json.loads(self._fetch("GET", "/extended/v2/blocks/latest", b"", None).body)["height"]
            if json.loads(found.body)["height"] > newest - self.lag:
                return Said(status=404, body=b'{"error": "cannot find block"}')
        return found

    def _fetch(self, method: str, path: str, body: bytes, kind: str | None) -> Said:
        assert self.behind.hostname is not None
        connection = http.client.HTTPConnection(self.behind.hostname, self.behind.port, timeout=10)
        try:
            connection.request(method, path, body or None, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            return Said(status=answer.status, body=answer.read())
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        """Pass one request on, or not."""
        own = cast("Between", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        own.asked.append(self.path)
        if self.path == "/v2/transactions":
            own.submitted.append(body)
        harm = own.harm
        if harm == "silent":
            own.released.wait(_LONGEST_SILENCE)
        if harm in {"silent", "reset"}:
            self.close_connection = True
            return
        if harm == "say":
            self._say(own.said)
            return
        found = own.pass_on(self.command, self.path, body, self.headers.get("Content-Type"))
        if harm == "lose":
            self.close_connection = True
            return
        self._say(found)

    def _say(self, said: Said) -> None:
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep quiet."""


@contextmanager
def between(url: str) -> Iterator[Between]:
    """Stand in front of a server until the end."""
    own = Between(url)
    thread = threading.Thread(target=own.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield own
    finally:
        own.released.set()
        own.shutdown()
        own.server_close()
        thread.join(timeout=5)
