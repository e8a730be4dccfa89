"""A real HTTP server that answers as it was told, one answer after another, and keeps what it was asked."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer. `breaks`: nothing is said, or a body stops in the middle; bytes go as they are."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(kw_only=True)
class Script:
    """What is still to be said, and what was asked."""

    url: str = ""
    saying: list[Said] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def says(self, *answers: Said) -> None:
        self.saying.extend(answers)


@contextmanager
def scripted() -> Iterator[Script]:
    """Serve on a free port."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): said for name, said in self.headers.items()}
            body = json.loads(sent) if sent else None
            script.asked.append(Asked(method=self.command, path=self.path, headers=headers, body=body))
            _answer(self, script.saying.pop(0))

        do_POST = do_DELETE = do_PATCH = do_GET  # noqa: N815 - as http.server calls them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield script
        server.shutdown()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, said: Said) -> None:
    body = said.body if isinstance(said.body, bytes) else b"" if said.body is None else json.dumps(said.body).encode()
    handler.close_connection = True
    if said.breaks and not body:
        return
    handler.send_response(said.status)
    for name, value in {"Connection": "close", **said.headers}.items():
        handler.send_header(name, value)
    if "Transfer-Encoding" not in said.headers:
        handler.send_header("Content-Length", str(len(body) + (10 if said.breaks else 0)))
    handler.end_headers()
    handler.wfile.write(body)
