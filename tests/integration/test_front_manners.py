"""What every answer of the front door has in common: an id, caution, one log line, an end, and a word to browsers."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

import pytest
import requests
from redis import Redis

import api.app
from api.caller import Caller
from registry.domain.errors import DatabaseUnavailable
from registry.store.session import Database
from tests.integration.doors import Known, ask, holder, open_door
from tests.integration.rawly import head, talk

TOKEN = "token-of-an-owner"  # noqa: S105 - of this test's own making
OWNER = "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"
PAGE = "https://app.example"
STREAM, PUBLIC = "/v1/streams/policies", "/v1/openapi.json"


@dataclass(frozen=True, kw_only=True)
class Failing:
    """Knows nobody, each time in another way."""

    async def identify(self, token: str) -> Caller:
        match token:
            case "bug":
                raise LookupError("a sentence of the inside")
            case "away":
                raise DatabaseUnavailable(reason="password=hidden")
            case _:
                await asyncio.sleep(60)
                raise AssertionError("nobody waits so long")


@pytest.fixture(scope="module")
def broker(valkey: str) -> str:
    """A database of the run's Valkey that no worker serves."""
    url = f"{valkey.removesuffix('/0')}/7"
    with closing(Redis.from_url(url)) as server:
        server.flushdb()
    return url


@pytest.fixture(scope="module")
def url(module_database: Database, broker: str) -> Iterator[str]:
    """A front door that knows one owner, and the pages of one other origin."""
    known = Known(callers={TOKEN: holder(OWNER)})
    with open_door(module_database, broker, identifier=known, api_origins=PAGE, api_anonymous_per_minute=10_000) as own:
        yield own


def test_every_answer_has_an_id_of_ours_and_says_what_a_browser_may_not_do(url: str) -> None:
    seen = set()
    for method, path in (
        ("GET", PUBLIC),
        ("GET", "/health"),
        ("GET", "/none"),
        ("POST", "/events/node"),
        ("PUT", "/health"),
    ):
        answer = ask(url, method, path, headers={"X-Request-Id": "mine"})
        seen.add(answer.headers["X-Request-Id"])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "server" not in answer.headers
    assert len(seen) == 5
    assert "mine" not in seen


def test_a_request_is_one_line_with_its_route_and_nothing_that_was_sent(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = ask(url, "GET", f"/v1/streams/policies/{UUID(int=0)}?after=0", token=TOKEN)
    (line,) = _lines(capfd, answer.headers["X-Request-Id"])
    for each in ("request.answered", "method=GET", "route=/v1/streams/policies/{policy}", "status=404", OWNER, "ms="):
        assert each in line
    for each in (TOKEN, "after", "0000"):
        assert each not in line


def test_an_error_that_nobody_foresaw_is_a_problem_with_an_id_and_a_line_with_its_trace(
    module_database: Database, broker: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_door(module_database, broker, identifier=Failing(), api_origins=PAGE) as own:
        answer = ask(own, "GET", STREAM, token="bug", headers={"Origin": PAGE})  # noqa: S106 - of this test's own making
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "inside" not in answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    said = capfd.readouterr().out
    assert said.count("request.failed") == 1
    assert "a sentence of the inside" in said
    assert answer.headers["X-Request-Id"] in said


def test_where_callers_cannot_be_known_the_public_is_served_and_the_rest_told_to_come_again(
    module_database: Database, broker: str
) -> None:
    with open_door(module_database, broker, identifier=Failing()) as own:
        refused = ask(own, "GET", STREAM, token="away")  # noqa: S106 - of this test's own making
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert "hidden" not in refused.text
        assert refused.headers["Retry-After"] == "5"
        assert ask(own, "GET", PUBLIC, token="away").status_code == 200  # noqa: S106 - of this test's own making


def test_no_request_takes_longer_than_it_may(
    module_database: Database, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.app, "REQUEST_SECONDS", 0.3)
    with open_door(module_database, broker, identifier=Failing(), api_wait_seconds=0) as own:
        late = ask(own, "GET", PUBLIC, token="slow")  # noqa: S106 - of this test's own making
    assert (late.status_code, late.json()["code"]) == (503, "too_slow")
    assert late.elapsed.total_seconds() < 5


def test_head_is_get_without_its_body_and_ends_where_get_would_not(url: str) -> None:
    full, short = ask(url, "GET", PUBLIC), ask(url, "HEAD", PUBLIC)
    assert (short.status_code, short.content) == (200, b"")
    assert short.headers["content-length"] == full.headers["content-length"]
    (stream,) = talk(url, head("HEAD", STREAM, Authorization=f"Bearer {TOKEN}"))
    assert (stream.status, stream.body) == (200, b"")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert ask(url, "HEAD", "/v1/none").status_code == 404
    assert ask(url, "HEAD", "/events/node").status_code == 405


def test_a_path_says_all_methods_that_it_takes(url: str) -> None:
    both = ask(url, "PATCH", "/v1/sessions")
    assert (both.status_code, both.headers["allow"]) == (405, "GET, HEAD, POST, DELETE, OPTIONS")
    asked = ask(url, "OPTIONS", "/v1/sessions")
    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, both.headers["allow"], b"")
    assert ask(url, "OPTIONS", "/v1/none").status_code == 404


def test_pages_of_origins_that_we_name_may_call_and_no_others(url: str) -> None:
    told = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    ours = ask(url, "OPTIONS", "/v1/policies", headers={"Origin": PAGE, **told})
    assert (ours.status_code, ours.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    assert "access-control-allow-credentials" not in ours.headers
    others = ask(url, "OPTIONS", "/v1/policies", headers={"Origin": "https://evil.example", **told})
    assert (others.status_code, "access-control-allow-origin" in others.headers) == (400, False)
    refused = ask(url, "GET", STREAM, headers={"Origin": PAGE})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, PAGE)
    assert "RateLimit" in refused.headers["Access-Control-Expose-Headers"]
    assert "access-control-allow-origin" not in ask(url, "GET", STREAM, headers={"Origin": "null"}).headers


def test_answers_are_compressed_for_who_wants_that_and_streams_are_not(url: str) -> None:
    (packed,) = talk(url, head("GET", PUBLIC, Accept_Encoding="gzip"))
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body))["openapi"].startswith("3.1")
    with requests.get(
        url + STREAM, headers={"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "gzip"}, stream=True, timeout=10
    ) as stream:
        assert "content-encoding" not in stream.headers
        assert next(stream.iter_lines()).startswith(b"event: ready")


def _lines(capfd: pytest.CaptureFixture[str], holding: str) -> list[str]:
    return [line for line in capfd.readouterr().out.splitlines() if holding in line]
