"""How often one may ask: who is counted by what, what he is told, and that counting never stands in anybody's way."""

import re
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from redis import Redis

from api.caller import Caller, unauthorized
from api.limits import home_of
from registry.domain.access import Scope
from registry.store.session import Database
from tests.integration.doors import ask, holder, open_door, service
from tests.integration.stack import until

OWNER, OTHER, SERVICE = "token-of-an-owner", "token-of-another", "key-of-a-service"
FEW: dict[str, Any] = {
    "api_anonymous_per_minute": 5,
    "api_requests_per_minute": 10,
    "api_actions_per_minute": 3,
    "api_sign_in_per_minute": 4,
}
SIGN_IN = ("/v1/challenges", "/v1/sessions")
PUBLIC, OWN = "/v1/openapi.json", f"/v1/streams/policies/{UUID(int=0)}"


@dataclass(frozen=True, kw_only=True)
class Counting:
    """Knows three tokens, and how often it was asked."""

    asked: list[str] = field(default_factory=list)

    async def identify(self, token: str) -> Caller:
        self.asked.append(token)
        callers = {
            OWNER: holder("ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"),
            OTHER: holder("ST1SJ3DTE5DN7X54YDH5D64R3BCB6A2AG2ZQ8YPD5"),
            SERVICE: service(*Scope),
        }
        if token not in callers:
            raise unauthorized(detail="nobody bears this token")
        return callers[token]


@pytest.fixture
def counts(valkey: str) -> Iterator[str]:
    """Where nothing is counted yet."""
    url = f"{valkey.removesuffix('/0')}/6"
    with closing(Redis.from_url(url)) as server:
        server.flushdb()
        yield url
        kept = list(server.scan_iter())
        assert all(bytes(key).startswith(b"registry-limits:") for key in kept)
        assert all(0 < server.ttl(key) <= 120 for key in kept)


@pytest.fixture
def url(module_database: Database, counts: str) -> Iterator[str]:
    """A front door that lets little in."""
    with open_door(module_database, counts, identifier=Counting(), **FEW) as own:
        yield own


def statuses(url: str, times: int, method: str = "GET", path: str = PUBLIC, *, token: str | None = None) -> list[int]:
    return [ask(url, method, path, token=token).status_code for _ in range(times)]


def test_whoever_says_nothing_of_himself_is_counted_by_his_address(url: str) -> None:
    assert statuses(url, 7) == [200] * 5 + [429] * 2
    assert ask(url, "GET", PUBLIC, token=OWNER).status_code == 200
    assert ask(url, "GET", "/health").status_code == 200


def test_each_caller_is_counted_by_himself_wherever_he_is(url: str) -> None:
    assert statuses(url, 12, token=OWNER) == [200] * 10 + [429] * 2
    assert statuses(url, 1, token=OTHER) == [200]
    assert statuses(url, 1, token=SERVICE) == [200]
    assert statuses(url, 1) == [200]


def test_actions_are_counted_more_tightly(url: str) -> None:
    path = "/v1/policies/none/activation"
    assert [each == 429 for each in statuses(url, 5, "POST", path, token=OWNER)] == [False] * 3 + [True] * 2
    assert statuses(url, 1, token=OWNER) == [200]
    assert 429 not in statuses(url, 5, "POST", "/v1/quotes/preview", token=OTHER)


def test_steps_of_signing_in_are_counted_by_address_whoever_asks(url: str) -> None:
    told = [ask(url, "POST", path, token=each).status_code for path in SIGN_IN for each in (None, OWNER, OTHER)]
    assert [each == 429 for each in told] == [False] * 4 + [True] * 2
    assert statuses(url, 1) == [200]


def test_one_is_told_where_he_stands_and_when_to_come_again(url: str) -> None:
    first = ask(url, "GET", PUBLIC, token=OWNER)
    assert first.headers["RateLimit-Policy"] == '"requests";q=10;w=60'
    assert re.fullmatch(r'"requests";r=9;t=\d+', first.headers["RateLimit"])
    both = ask(url, "POST", "/v1/policies/none/activation", token=OWNER)
    assert both.headers["RateLimit-Policy"] == '"requests";q=10;w=60, "actions";q=3;w=60'
    statuses(url, 8, token=OWNER)
    refused = ask(url, "GET", PUBLIC, token=OWNER)
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    told = refused.json()
    assert told["code"] == "rate_limited"
    assert told["figures"]["rate"] == "requests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit"].startswith('"requests";r=0;t=')


def test_the_processes_of_one_front_door_count_together(module_database: Database, counts: str, url: str) -> None:
    with open_door(module_database, counts, identifier=Counting(), **FEW) as second:
        told = [ask(each, "GET", PUBLIC).status_code for each in (url, second) * 4]
    assert told == [200] * 5 + [429] * 3


def test_only_a_proxy_that_we_name_says_who_asks(module_database: Database, counts: str) -> None:
    with open_door(module_database, counts, identifier=Counting(), **FEW) as url:
        told = [_forwarded(url, f"203.0.113.{number}") for number in range(7)]
        assert told == [200] * 5 + [429] * 2
    with open_door(module_database, counts, identifier=Counting(), api_proxies="127.0.0.1,10.0.0.0/8", **FEW) as url:
        assert [_forwarded(url, f"203.0.113.{number}") for number in range(7)] == [200] * 7
        # what came to the proxy with the request is not believed
        said = [_forwarded(url, f"198.51.100.{number}, 203.0.113.99, 10.1.2.3") for number in range(7)]
        assert said == [200] * 5 + [429] * 2


def test_one_customer_of_ipv6_is_one() -> None:
    assert home_of("2001:db8:1:2::1") == home_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert home_of("2001:db8:1:3::1") != home_of("2001:db8:1:2::1")
    assert home_of("::ffff:203.0.113.7") == home_of("203.0.113.7") == "203.0.113.7"
    assert home_of("nonsense") == "unknown"


def test_who_asks_is_found_out_once_a_request(module_database: Database, counts: str) -> None:
    identifier = Counting()
    with open_door(module_database, counts, identifier=identifier) as url:
        assert ask(url, "GET", OWN, token=OWNER).status_code == 404
        assert identifier.asked == [OWNER]
        assert ask(url, "GET", OWN, token="stranger").status_code == 401  # noqa: S106 - nobody's
        assert identifier.asked == [OWNER, "stranger"]


def test_tokens_are_not_tried_out_at_the_database_s_cost(module_database: Database, counts: str) -> None:
    identifier = Counting()
    with open_door(module_database, counts, identifier=identifier, **{**FEW, "api_anonymous_per_minute": 8}) as url:
        told = [ask(url, "GET", OWN, token=f"guess-{number}").status_code for number in range(20)]
        assert told[:8] == [401] * 8
        assert set(told[8:]) == {429}
        assert len(identifier.asked) == 8


def test_a_valkey_that_hangs_costs_a_moment_and_then_nothing(
    module_database: Database, counts: str, capfd: pytest.CaptureFixture[str]
) -> None:
    few = {**FEW, "api_requests_per_minute": 30}
    with (
        closing(Redis.from_url(counts)) as server,
        open_door(module_database, counts, identifier=Counting(), **few) as url,
    ):
        server.client_pause(60_000, all=False)  # whatever writes: counting does
        try:
            told = [_timed(url) for _ in range(34)]
        finally:
            server.client_unpause()
        # nobody is refused for it, and what is too much is so still: this process counts alone
        assert [status for status, _ in told] == [200] * 30 + [429] * 4
        assert max(seconds for _, seconds in told) < 2.0
        assert statistics.median(seconds for _, seconds in told) < 0.05
        assert _lines(capfd, "limits.alone") == 1
        until(lambda: ask(url, "GET", PUBLIC, token=OTHER).status_code == 200 and bool(server.dbsize()), seconds=20)
        assert _lines(capfd, "limits.shared") == 1


def test_without_a_valkey_everything_is_answered_and_counted_here(module_database: Database, counts: str) -> None:
    nowhere = "redis://127.0.0.1:9/0"
    with open_door(module_database, counts, identifier=Counting(), limits_url=nowhere, **FEW) as url:
        began = time.monotonic()
        assert statuses(url, 7) == [200] * 5 + [429] * 2
        assert time.monotonic() - began < 2.0


def _timed(url: str) -> tuple[int, float]:
    began = time.monotonic()
    return ask(url, "GET", PUBLIC, token=OWNER).status_code, time.monotonic() - began


def _lines(capfd: pytest.CaptureFixture[str], event: str) -> int:
    said = capfd.readouterr()
    return (said.out + said.err).count(event)


def _forwarded(url: str, said: str) -> int:
    return ask(url, "GET", PUBLIC, headers={"X-Forwarded-For": said}).status_code
