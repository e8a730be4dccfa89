"""A wire in front of the devnet that passes requests on, and answers those under one path itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import requests

from registry.stacks.http_node import HttpNode


@contextmanager
def answering(devnet_url: str, path: str, *, status: int, body: bytes = b"{}") -> Iterator[HttpNode]:
    """A node whose answers to `path` are these, and all others the devnet's."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on(b"")

        def do_POST(self) -> None:
            self._pass_on(self.rfile.read(int(self.headers["content-length"])))

        def _pass_on(self, sent: bytes) -> None:
            if self.path == path:
                self._answer(status, body)
                return
            headers = {"content-type": self.headers.get("content-type", "")}
            answer = requests.request(self.command, devnet_url + self.path, data=sent, headers=headers, timeout=10)
            self._answer(answer.status_code, answer.content)

        def _answer(self, code: int, content: bytes) -> None:
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    node = HttpNode(f"http://127.0.0.1:{server.server_port}")
    try:
        yield node
    finally:
        node.close()
        server.shutdown()
        server.server_close()
        thread.join()
