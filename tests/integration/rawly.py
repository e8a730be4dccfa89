"""Bytes as no HTTP library would send them, and what comes back."""

import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One answer: its status, its headers by lower-case name, its body, and how long it took to come."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


def talk(url: str, *sent: bytes, pause: float = 0.0) -> list[Heard]:
    """Send parts with pauses between them on one connection; every answer until the other side closes."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=SECONDS) as connection:
        try:
            for part in sent:
                connection.sendall(part)
                time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it had heard enough
        heard = b""
        try:
            while part := connection.recv(65_536):
                heard += part
        except ConnectionResetError:
            pass
    return _split(heard, seconds=time.monotonic() - began)


def head(method: str, path: str, **headers: str) -> bytes:
    """The head of a request; underscores in names are hyphens. The connection ends with it unless told otherwise."""
    told = {"Host": "any", "Connection": "close", **{name.replace("_", "-"): said for name, said in headers.items()}}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {said}" for name, said in told.items() if said)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _split(heard: bytes, *, seconds: float) -> list[Heard]:
    """Take answers apart, each with a length of its own."""
    answers = []
    while heard:
        top, _, heard = heard.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): said.strip() for name, _, said in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        length = int(headers.get("content-length", len(heard)))
        answers.append(Heard(status=status, headers=headers, body=heard[:length], seconds=seconds))
        heard = heard[length:]
    return answers
