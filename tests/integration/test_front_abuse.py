"""The front door under abuse: everything is answered in its place, soon, and no secret is told."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus

import pytest
from redis import Redis

import api.server
from api.body import Bounds
from api.middleware import SMALL
from registry.domain.access import Scope
from registry.store.session import Database
from tests.integration.doors import Known, ask, holder, open_door, service
from tests.integration.rawly import head, talk

ABUNDANT = {
    "api_anonymous_per_minute": 1_000_000,
    "api_requests_per_minute": 1_000_000,
    "api_actions_per_minute": 1_000_000,
    "api_sign_in_per_minute": 1_000_000,
}
SECONDS = 0.5
JSON = "application/json"
PLACES = ["/v1/challenges", "/v1/sessions", "/v1/policies", "/v1/quotes/preview", "/v1/nowhere"]
TOKEN, KEY = "token-of-a-holder-5f1e", "prk_key_of_a_service_77aa"
CALLERS = {TOKEN: holder("ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"), KEY: service(*Scope)}


@pytest.fixture(scope="module")
def broker(valkey: str) -> str:
    """A database of the run's Valkey that no worker serves."""
    return f"{valkey.removesuffix('/0')}/5"


@pytest.fixture(scope="module")
def url(module_database: Database, broker: str) -> Iterator[str]:
    """A front door that is patient for half a second, and counts far."""
    bounds = Bounds(seconds=SECONDS)
    with open_door(module_database, broker, bounds=bounds, identifier=Known(callers=CALLERS), **ABUNDANT) as own:
        yield own


def posted(path: str, body: bytes, **headers: str) -> bytes:
    return head("POST", path, **{"Content_Type": JSON, "Content_Length": str(len(body)), **headers}) + body


@pytest.mark.parametrize("path", PLACES)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(url: str, path: str) -> None:
    (told,) = talk(url, head("POST", path, Content_Type=JSON, Content_Length=str(SMALL.size + 1)))
    assert (told.status, told.headers["connection"]) == (413, "close")
    assert json.loads(told.body)["code"] == "too_large"


def test_a_body_without_a_length_is_measured_as_it_comes(url: str) -> None:
    chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
    began = head("POST", PLACES[0], Content_Type=JSON, Transfer_Encoding="chunked")
    (told,) = talk(url, began, *[chunk] * 64)
    assert told.status == 413


def test_a_body_that_does_not_come_is_not_waited_for(url: str) -> None:
    began = head("POST", PLACES[0], Content_Type=JSON, Content_Length="10")
    drops = [b" "] * 6
    (told,) = talk(url, began, *drops, pause=SECONDS / 4)
    assert (told.status, json.loads(told.body)["code"]) == (408, "too_slow")
    assert told.seconds < 4 * SECONDS


def test_a_head_that_does_not_come_is_not_waited_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.server, "REQUEST_SECONDS", SECONDS)
    assert talk(url, b"GET /v1/stats HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 4, pause=SECONDS / 3) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Encoding": "gzip"},
        {"Content_Encoding": "br"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "multipart/form-data; boundary=x"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": ""},
    ],
)
def test_only_json_is_taken_and_only_as_it_is(url: str, headers: dict[str, str]) -> None:
    (told,) = talk(url, posted(PLACES[0], b"{}", **headers))
    assert (told.status, json.loads(told.body)["code"]) == (415, "not_json")


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe{}",
        b'{"address":"a","address":"b"}',
        b'{"address":NaN}',
        b'{"address":1e999}',
        b'{"address":' + b"9" * 5_000 + b"}",
        b'{"address":"\\u0000"}',
        b'{"address":"\\ud800"}',
        b"[" * 30_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
)
def test_json_that_readers_disagree_about_is_refused_everywhere(url: str, path: str, body: bytes) -> None:
    answer = ask(url, "POST", path, token=TOKEN, data=body, headers={"Content-Type": JSON, "Idempotency-Key": "any"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_sent_never_becomes_a_header(url: str) -> None:
    given = "mine%0d%0aSet-Cookie:%20a=b"
    for path in (f"/v1/policies/{given}", f"/v1/policies?after={given}", f"/v1/{given}", f"/v1/submissions/{given}"):
        (told,) = talk(url, head("GET", path, X_Request_Id="mine", Authorization=f"Bearer {TOKEN}"))
        assert 400 <= told.status < 500
        assert "set-cookie" not in told.headers
        assert told.headers["x-request-id"] != "mine"


@pytest.mark.parametrize(
    "line",
    [
        b"Idempotency-Key: a\rSet-Cookie: b",
        b"Idempotency-Key: a\nSet-Cookie: b\r",
        b"Idempotency-Key: a\0b",
        b"Idempotency Key: a",
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Length: -1",
        b"Content-Length: +2",
        b"Content-Length: " + b"9" * 5_000,
        b"Transfer-Encoding: chunked, identity",
    ],
)
def test_heads_that_two_servers_might_split_differently_end_the_connection(url: str, line: bytes) -> None:
    sent = b"POST /v1/policies HTTP/1.1\r\nHost: any\r\nContent-Type: application/json\r\n" + line + b"\r\n\r\n{}"
    answers = talk(url, sent + b"GET /health HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
    assert [each.status for each in answers] == [400]
    assert "set-cookie" not in answers[0].headers


def test_a_head_is_short_however_it_comes(url: str) -> None:
    long = head("GET", "/v1/stats", X=("a" * 70_000))
    assert [each.status for each in talk(url, long)] == [431]
    assert [each.status for each in talk(url, long[:20_000], long[20_000:], pause=0.2)] == [400]


def test_a_length_beside_chunks_does_not_smuggle_a_request(url: str) -> None:
    smuggled = b"0\r\n\r\nGET /v1/smuggled HTTP/1.1\r\nHost: any\r\n\r\n"
    both = posted(PLACES[0], smuggled, Transfer_Encoding="chunked")
    assert len(talk(url, both)) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../health",
        "/v1/%2e%2e/health",
        "//v1/stats",
        "/v1//stats",
        "/V1/stats",
        "/v1/stats/",
        "/v1/stats;x",
        "/v1/policies/..%2f..%2fetc%2fpasswd",
        "/v1/policies/%00",
        "/v1/policies/%ff%fe",
        "/v1/policies/%ed%a0%80",
        "/v1/policies/" + "9" * 9_000,
        "/v1/policies/" + "%F0%9F%92%A9" * 500,
        "/v1/policies?after=%00",
        "/v1/policies?limit=" + "9" * 5_000,
        "/v1/policies?limit=1&limit=2&unknown=3",
        "/v1/policies?%ff=%ff",
        "http://elsewhere/v1/stats",
        "*",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_no_path_is_more_than_it_seems(url: str, method: str, path: str) -> None:
    (told,) = talk(url, head(method, path, Authorization=f"Bearer {TOKEN}"))
    assert 400 <= told.status < 500 or (method == "OPTIONS" and told.status == 204)


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer ", "bearer \xe9\xff", "Basic YTpi", "Bearer a b", "Bearer " + "x" * 10_000]
)
def test_whoever_says_nonsense_of_himself_is_nobody(url: str, said: str) -> None:
    (told,) = talk(url, head("GET", "/v1/streams/policies", Authorization=said))
    assert (told.status, told.headers["www-authenticate"]) == (401, "Bearer")


def test_requests_that_come_all_at_once_are_answered_in_turn(url: str) -> None:
    one = head("GET", "/health", Connection="keep-alive")
    answers = talk(url, one * 50 + head("GET", "/v1/nowhere"))
    assert [each.status for each in answers] == [200] * 50 + [404]
    assert len({each.headers["x-request-id"] for each in answers}) == 51


def test_thousands_of_requests_are_counted_and_harm_nobody_else(module_database: Database, broker: str) -> None:
    with closing(Redis.from_url(broker)) as server:
        server.flushdb()
    with open_door(module_database, broker, identifier=Known(callers=CALLERS)) as url:
        one = head("GET", "/v1/openapi.json", Connection="keep-alive")
        began = time.monotonic()
        heard = Counter[int]()
        for _ in range(50):
            heard.update(each.status for each in talk(url, one * 99 + head("GET", "/v1/openapi.json")))
        assert set(heard) == {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS}
        assert 120 <= heard[HTTPStatus.OK] <= 240 + (time.monotonic() - began) * 4
        # a refusal closes its connection: what was sent behind it is not served
        assert heard[HTTPStatus.TOO_MANY_REQUESTS] >= 40
        assert ask(url, "GET", "/v1/openapi.json", token=KEY).status_code == 200
        assert ask(url, "GET", "/health").status_code == 200


def test_no_log_line_holds_a_token_a_body_or_a_query(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    told_to_nobody = "5ecret-5ecret"
    for token in (TOKEN, KEY, told_to_nobody):
        for path in (*PLACES, "/v1/streams/policies"):
            told = {"Content-Type": JSON, "Idempotency-Key": told_to_nobody, "X-Secret": told_to_nobody}
            body = json.dumps({"signature": told_to_nobody, "address": CALLERS[TOKEN].principal})
            ask(url, "POST", f"{path}?token={told_to_nobody}", token=token, headers=told, data=body)
    until_written = capfd.readouterr()
    said = until_written.out + until_written.err
    assert "request.answered" in said
    for each in (TOKEN, KEY, told_to_nobody, told_to_nobody[:6]):
        assert each not in said
