"""HTTP to venues: what is slow, large or broken ends as a typed error, in bounded time."""

import contextlib
import gzip
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from registry.fault_points import doing, watched_by
from registry.market.http import Bounds, Http
from registry.market.venue import VenueError
from tests.unit.market.recorded import NOON
from tests.unit.market.venue_server import Reply, Route, VenueServer, text


def reason(http: Http, server: VenueServer, route: Route) -> str:
    """Why the answer to this was refused."""
    server.routes["/"] = route
    with pytest.raises(VenueError) as refused:
        http.get("test", f"{server.url}/")
    assert refused.value.figures["venue"] == "test"
    return str(refused.value.figures["reason"])


def test_numbers_are_read_as_they_are_written(http: Http, server: VenueServer) -> None:
    server.routes["/"] = text('{"a": 50010.10, "b": 1e-8, "c": 7, "d": "x"}')
    found = http.get("test", f"{server.url}/")
    assert found.value == {"a": Decimal("50010.10"), "b": Decimal("1E-8"), "c": 7, "d": "x"}
    assert found.fetched_at == NOON


def test_a_request_says_who_asks_and_wants_no_compression(http: Http, server: VenueServer) -> None:
    server.routes["/"] = text("{}")
    http.get("test", f"{server.url}/", params={"ids[]": "a b"}, headers={"Authorization": "Bearer key"})
    (asked,) = server.requests
    assert asked.headers["User-Agent"].startswith("policy-registry/")
    assert asked.headers["Accept-Encoding"] == "identity"
    assert asked.headers["Authorization"] == "Bearer key"
    assert asked.params == {"ids[]": "a b"}


def test_no_cookie_is_kept(http: Http, server: VenueServer) -> None:
    server.routes["/"] = Reply(body=b"{}", headers={"Set-Cookie": "a=b"})
    http.get("test", f"{server.url}/")
    http.get("test", f"{server.url}/")
    assert "Cookie" not in server.requests[1].headers


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    http: Http, server: VenueServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.routes["/"] = text("{}")
    assert http.get("test", f"{server.url}/").value == {}


def test_a_server_that_says_nothing_times_out(impatient: Http, server: VenueServer) -> None:
    assert reason(impatient, server, Reply(silent=True)) == "it timed out"


def test_a_trickle_ends_at_the_total_time(punctual: Http, server: VenueServer) -> None:
    assert reason(punctual, server, Reply(body=b" " * 10_000, slow=True)) == "its answer took over 0.2 s"


def test_a_body_that_stops_early_is_a_failed_connection(http: Http, server: VenueServer) -> None:
    assert reason(http, server, Reply(body=b"{", cut_short=True)).startswith("the connection failed (")


def test_a_port_where_nobody_listens_is_a_failed_connection(http: Http) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(VenueError, match=r"the connection failed \(ConnectionError\)"):
            http.get("test", f"http://127.0.0.1:{held.getsockname()[1]}/")


@pytest.mark.parametrize("status", [201, 204, 400, 401, 404, 418, 451, 500, 503])
def test_any_status_but_200_is_an_error_that_names_it(http: Http, server: VenueServer, status: int) -> None:
    assert reason(http, server, Reply(status=status)) == f"HTTP {status}"


def test_too_many_requests_says_when_to_come_back(http: Http, server: VenueServer) -> None:
    found = reason(http, server, Reply(status=429, headers={"Retry-After": "7"}))
    assert found == "HTTP 429, retry after 7 s"


def test_a_redirect_is_not_followed(http: Http, server: VenueServer) -> None:
    server.routes["/elsewhere"] = text("{}")
    assert reason(http, server, Reply(status=302, headers={"Location": "/elsewhere"})) == "HTTP 302"
    assert [each.path for each in server.requests] == ["/"]


def test_a_body_over_the_bound_is_not_read_to_its_end(http: Http, server: VenueServer) -> None:
    assert reason(http, server, text("[" + " " * 300_000 + "]")) == "its answer is over 200000 bytes"


def test_a_body_of_exactly_the_bound_is_read(http: Http, server: VenueServer) -> None:
    server.routes["/"] = text("[" + " " * 199_998 + "]")
    assert http.get("test", f"{server.url}/").value == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b'{"a": 1',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
        b'{"a": 1e99999999999999999999}',
        gzip.compress(b"{}", mtime=0),
    ],
)
def test_what_is_not_json_is_an_error(http: Http, server: VenueServer, body: bytes) -> None:
    assert reason(http, server, Reply(body=body)).startswith("its answer is not JSON")


def test_an_error_tells_neither_address_nor_key(impatient: Http, server: VenueServer) -> None:
    server.routes["/"] = Reply(silent=True)
    with pytest.raises(VenueError) as refused:
        impatient.get("test", f"{server.url}/?key=hidden", headers={"Authorization": "Bearer hidden"})
    assert "hidden" not in str(refused.value)
    assert "127.0.0.1" not in str(refused.value)


def test_the_fetch_is_stamped_by_the_machines_clock_unless_told_otherwise(server: VenueServer) -> None:
    server.routes["/"] = text("{}")
    client = Http()
    before = datetime.now(UTC)
    found = client.get("test", f"{server.url}/")
    client.close()
    assert before <= found.fetched_at <= datetime.now(UTC)


@dataclass
class Counter:
    """Stands still until it is moved."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def patient(counter: Counter) -> Iterator[Http]:
    """A client by a counter of the test's own."""
    with contextlib.closing(
        Http(bounds=Bounds(connect_seconds=5, read_seconds=5, total_seconds=10), counter=counter)
    ) as found:
        yield found


@pytest.mark.parametrize(
    ("route", "why"),
    [
        (Reply(status=503), "HTTP 503"),
        (Reply(body=b"<html>busy</html>"), "its answer is not JSON (JSONDecodeError)"),
        (Reply(body=b"{", cut_short=True), "the connection failed (ProtocolError)"),
        (Reply(status=429), "HTTP 429"),
    ],
)
def test_a_venue_that_fails_five_times_is_left_alone_and_says_so(
    patient: Http, server: VenueServer, counter: Counter, route: Reply, why: str
) -> None:
    for _ in range(5):
        assert reason(patient, server, route) == why
    assert reason(patient, server, route) == f"it is left alone for 10 s more: it failed 5 times in a row ({why})"
    assert len(server.requests) == 5
    counter.seconds += 10
    server.routes["/"] = text("{}")
    assert patient.get("test", f"{server.url}/").value == {}


def test_an_answer_in_between_begins_the_count_anew(patient: Http, server: VenueServer) -> None:
    for route in (*4 * [Reply(status=503)], text("{}"), *4 * [Reply(status=503)]):
        server.routes["/"] = route
        with contextlib.suppress(VenueError):
            patient.get("test", f"{server.url}/")
    assert len(server.requests) == 9
    assert reason(patient, server, Reply(status=503)) == "HTTP 503"


def test_one_venue_that_is_left_alone_is_no_other(patient: Http, server: VenueServer) -> None:
    for _ in range(5):
        reason(patient, server, Reply(status=503))
    server.routes["/"] = text("{}")
    assert patient.get("another", f"{server.url}/").value == {}


def test_a_pause_that_a_venue_asks_for_is_kept(patient: Http, server: VenueServer, counter: Counter) -> None:
    reason(patient, server, Reply(status=429, headers={"Retry-After": "7"}))
    counter.seconds += 6
    found = reason(patient, server, text("{}"))
    assert found == "it is left alone for 1 s more: it asked for a pause (HTTP 429, retry after 7 s)"
    counter.seconds += 1
    assert patient.get("test", f"{server.url}/").value == {}
    assert len(server.requests) == 2


def test_a_refusal_that_is_an_answer_leaves_nobody_alone(patient: Http, server: VenueServer) -> None:
    for _ in range(7):
        assert reason(patient, server, Reply(status=404)) == "HTTP 404"


def test_a_call_of_a_venue_can_be_watched_before_and_after(patient: Http, server: VenueServer) -> None:
    points: list[str] = []
    server.routes["/"] = text("{}")
    with watched_by(points.append), doing("prices.fetch"):
        patient.get("test", f"{server.url}/")
        reason(patient, server, Reply(status=503))
    assert points == ["prices.fetch::call.before", "prices.fetch::call.after", "prices.fetch::call.before"]
