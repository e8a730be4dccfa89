"""A post goes to the address that was checked, and takes nothing of ours along."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from registry.outside.addresses import Reach
from registry.outside.posting import Poster

SECONDS = 5.0
DROPS = 100
HEADERS = {"content-type": "application/json"}


@contextmanager
def one_answer(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server that takes a request whole, and gives every one the same bytes."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(SECONDS)
                    request = b""
                    while not request.endswith(b"{}"):
                        request += connection.recv(65536)
                    got.append(request)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], got
        listening.shutdown(socket.SHUT_RDWR)


def answer(head: str, body: str = "") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


class Names:
    """A name server that answers each question with the next of its answers."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0)


def test_the_name_is_asked_once_and_the_connection_made_to_what_was_checked() -> None:
    # a public answer first and a private one second would get through whoever asks twice
    names = Names(["127.0.0.1"])
    with one_answer(answer("204 No Content")) as (port, got):
        poster = Poster(seconds=SECONDS, reach=Reach.ANY, resolver=names)
        said = poster.post(f"http://hooks.example.invalid:{port}/hook?a=b", b"{}", headers=HEADERS)
    assert (said.status, said.is_taken, names.asked) == (204, True, 1)
    head = got[0].lower()
    assert head.startswith(b"post /hook?a=b http/1.1\r\n")
    assert f"host: hooks.example.invalid:{port}\r\n".encode() in head


def test_a_name_that_leads_inside_gets_nothing_the_second_time_either() -> None:
    names = Names(["8.8.8.8", "127.0.0.1"], ["127.0.0.1"])
    poster = Poster(seconds=SECONDS, resolver=names)
    for _ in range(2):
        said = poster.post("https://hooks.example.invalid/hook", b"{}", headers=HEADERS)
        assert (said.status, said.reason) == (None, "it leads to no public address")


def test_tls_is_spoken_with_the_name_and_its_certificate_is_looked_at() -> None:
    asked: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def sni(_connection: ssl.SSLObject, name: str, _context: ssl.SSLContext) -> int:
        asked.append(name)
        return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)

    context.sni_callback = sni
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, pytest.raises((ssl.SSLError, OSError)):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        poster = Poster(seconds=SECONDS, reach=Reach.ANY, resolver=Names(["127.0.0.1"]))
        url = f"https://hooks.example.invalid:{listening.getsockname()[1]}/"
        said = poster.post(url, b"{}", headers=HEADERS)
        thread.join()
    assert (said.status, said.reason) == (None, "its certificate, or its TLS, is not usable")
    assert asked == ["hooks.example.invalid"]


def test_no_proxy_and_no_password_of_this_machine_goes_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login user password hidden\n")
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with one_answer(answer("200 OK", "{}")) as (port, got):
        said = Poster(seconds=SECONDS, reach=Reach.ANY).post(f"http://127.0.0.1:{port}/", b"{}", headers=HEADERS)
    assert said.status == 200
    assert b"authorization" not in got[0].lower()
    assert b"cookie" not in got[0].lower()


@pytest.mark.parametrize(
    ("head", "status", "reason", "seconds"),
    [
        ("302 Found\r\nLocation: http://127.0.0.1:9/", 302, "HTTP 302: redirects are not followed", None),
        ("503 Busy\r\nRetry-After: 120", 503, "HTTP 503", 120),
        ("429 Slow\r\nRetry-After: soon", 429, "HTTP 429", None),
        ("429 Slow\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT", 429, "HTTP 429", None),
        ("429 Slow\r\nRetry-After: 1 Jan 99999999999999999999 00:00:00 GMT", 429, "HTTP 429", None),
        ("429 Slow\r\nRetry-After: 1 Jan 2030 00:00:00 +99999999999999999999", 429, "HTTP 429", None),
        ("400 Bad", 400, "HTTP 400", None),
    ],
)
def test_an_answer_is_told_by_its_status(head: str, status: int, reason: str, seconds: int | None) -> None:
    with one_answer(answer(head, json.dumps({"secret": "of theirs"}))) as (port, _):
        said = Poster(seconds=SECONDS, reach=Reach.ANY).post(f"http://127.0.0.1:{port}/", b"{}", headers=HEADERS)
    assert (said.status, said.reason, said.is_taken) == (status, reason, False)
    assert (said.wait and said.wait.total_seconds()) == seconds


def test_whoever_answers_drop_by_drop_is_not_waited_for() -> None:
    ended, dropped = threading.Event(), list[int]()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                for drop in range(DROPS):
                    connection.sendall(b"x")
                    dropped.append(drop)
                    if ended.wait(0.05):
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        poster = Poster(seconds=0.5, reach=Reach.ANY)
        said = poster.post(f"http://127.0.0.1:{listening.getsockname()[1]}/", b"{}", headers=HEADERS)
        ended.set()
        thread.join()
    assert (said.status, said.reason) == (None, "no answer within 0.5 s")
    assert len(dropped) < DROPS


def test_whoever_never_answers_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        said = Poster(seconds=0.5, reach=Reach.ANY).post(url, b"{}", headers=HEADERS)
    assert (said.status, said.reason) == (None, "no answer within 0.5 s")


def test_what_cannot_be_connected_to_is_told_in_short() -> None:
    said = Poster(seconds=SECONDS, reach=Reach.ANY).post("http://127.0.0.1:1/?token=hidden", b"{}", headers=HEADERS)
    assert (said.status, said.reason) == (None, "the connection failed (ConnectionError)")
