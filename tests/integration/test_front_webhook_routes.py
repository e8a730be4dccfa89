"""Webhooks over HTTP: a service makes, changes and ends its own endpoints, and sees nobody else's."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from api.caller import Caller
from registry.domain.access import Scope
from registry.domain.policy import PolicyStatus
from registry.domain.webhook import MOST_ENDPOINTS, Kind
from registry.store.front_tables import WebhookState
from registry.store.session import Database
from tests.integration.doors import Known, ask, holder, open_door, service
from tests.integration.receiving import MASTER, Hooks, Receiver, receiving
from tests.integration.rows import OWNER
from workers.embedded.account import private_file

KINDS = [Kind.ACTIVE.value, Kind.SETTLED.value]
NEW = {"url": "http://127.0.0.1:9/hook", "kinds": KINDS}
TWO = ("own", "other")
UNCOUNTED: dict[str, Any] = {"api_actions_per_minute": 100_000, "api_requests_per_minute": 100_000}


@pytest.fixture
def hooks(database: Database) -> Hooks:
    return Hooks(database=database)


@pytest.fixture
def known(hooks: Hooks) -> Known:
    """Two keys with the scope, one without, and a holder."""
    keys = {name: hooks.key(f"prk_{name}") for name in TWO}
    hooks.key_id = keys["own"]
    events = frozenset({Scope.EVENTS})
    callers = {name: Caller(name=name, key_id=key_id, scopes=events) for name, key_id in keys.items()}
    return Known(callers={**callers, "reader": service(Scope.READ), "holder": holder(OWNER)})


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    return private_file(tmp_path / "webhook.secret", MASTER.hex())


@pytest.fixture
def url(hooks: Hooks, known: Known, valkey: str, secret_file: Path) -> Iterator[str]:
    settings: dict[str, Any] = {"webhook_secret_file": secret_file, "webhook_private_addresses": True, **UNCOUNTED}
    with open_door(hooks.database, valkey, identifier=known, **settings) as address:
        yield address


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as own:
        yield own


def call(url: str, method: str, path: str = "", *, token: str = "own", **more: Any) -> requests.Response:  # noqa: S107 - a name
    return ask(url, method, f"/v1/webhooks{path}", token=token, **more)


def create(url: str, /, **changes: Any) -> dict[str, Any]:
    answer = call(url, "POST", json={**NEW, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def refused(answer: requests.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_an_endpoint_is_made_shown_changed_and_ended(url: str) -> None:
    made = create(url, description="alerts")
    endpoint = made["endpoint"]
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made["secret"])
    assert (endpoint["kinds"], endpoint["description"], endpoint["enabled"]) == (KINDS, "alerts", True)
    place = f"/{endpoint['id']}"
    assert call(url, "GET", place).json() == endpoint
    assert call(url, "GET").json() == {"items": [endpoint], "next": None}
    assert made["secret"] not in call(url, "GET").text
    changed = call(url, "PATCH", place, json={"kinds": ["policy.expired"], "enabled": False}).json()
    assert (changed["kinds"], changed["enabled"], changed["url"]) == (["policy.expired"], False, NEW["url"])
    assert call(url, "PATCH", place, json={"enabled": True}).json()["disabled_because"] is None
    assert call(url, "DELETE", place).status_code == 204
    refused(call(url, "GET", place), 404, "webhook_not_found")
    refused(call(url, "DELETE", place), 404, "webhook_not_found")
    assert call(url, "GET").json()["items"] == []


def test_the_secret_that_is_shown_signs_what_is_sent(url: str, hooks: Hooks, receiver: Receiver) -> None:
    made = create(url, url=receiver.url)
    place = f"/{made['endpoint']['id']}"
    queued = call(url, "POST", f"{place}/test")
    assert (queued.status_code, queued.json()["kind"], queued.json()["state"]) == (202, "test", "waiting")
    hooks.deliver(after=timedelta(minutes=1))
    rotated = call(url, "POST", f"{place}/rotate").json()
    call(url, "POST", f"{place}/test")
    hooks.deliver(after=timedelta(minutes=1))
    first, second = receiver.got
    assert first.verified(made["secret"])["type"] == "test"
    assert first.id == queued.json()["message_id"]
    for secret in (made["secret"], rotated["secret"]):
        second.verified(secret)
    assert rotated["secret"] != made["secret"]
    assert rotated["endpoint"]["secret_overlap_until"] is not None


def test_somebody_elses_endpoint_looks_like_a_missing_one(url: str) -> None:
    own, nobodys = create(url)["endpoint"]["id"], str(uuid4())
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    orders = [
        ("GET", "", None),
        ("PATCH", "", {"enabled": False}),
        ("DELETE", "", None),
        ("POST", "/rotate", None),
        ("POST", "/test", None),
        ("GET", "/deliveries", None),
        ("POST", f"/deliveries/{uuid4()}/resend", None),
        ("POST", "/resend", span),
    ]
    for method, path, body in orders:
        foreign, missing = (
            call(url, method, f"/{endpoint}{path}", token=token, json=body)
            for endpoint, token in ((own, "other"), (nobodys, "own"))
        )
        refused(foreign, 404, "webhook_not_found")
        assert foreign.json() == missing.json()
    assert call(url, "GET", token="other").json()["items"] == []  # noqa: S106 - a name
    assert call(url, "GET", f"/{own}").json()["enabled"]


def test_neither_a_holder_nor_a_key_without_the_scope_is_let_in(url: str) -> None:
    for token in ("reader", "holder"):
        for method, path in (("GET", ""), ("POST", ""), ("GET", "/kinds")):
            refused(call(url, method, path, token=token, json=NEW), 403, "forbidden")
    refused(call(url, "GET", token="nobody"), 401, "unauthorized")  # noqa: S106 - a name


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"kinds": []}, 400),
        ({"kinds": ["policy.sold"]}, 400),
        ({"url": ""}, 400),
        ({"url": "x" * 501}, 400),
        ({"more": 1}, 400),
        ({"description": "x" * 201}, 400),
        ({"url": "ftp://127.0.0.1/"}, 422),
        ({"url": "http://user:password@127.0.0.1/"}, 422),
        ({"url": "http://2130706433/"}, 422),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(url: str, change: dict[str, Any], status: int) -> None:
    refused(call(url, "POST", json={**NEW, **change}), status, "bad_request")
    endpoint = create(url)["endpoint"]["id"]
    refused(call(url, "PATCH", f"/{endpoint}", json=change), status, "bad_request")
    assert call(url, "GET", f"/{endpoint}").json()["url"] == NEW["url"]


def test_in_production_an_endpoint_is_public_and_speaks_tls(
    hooks: Hooks, known: Known, valkey: str, secret_file: Path
) -> None:
    with open_door(hooks.database, valkey, identifier=known, webhook_secret_file=secret_file, **UNCOUNTED) as url:
        for inside in ("http://8.8.8.8/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/"):
            refused(call(url, "POST", json={**NEW, "url": inside}), 422, "bad_request")
        made = create(url, url="https://8.8.8.8/hook")["endpoint"]
        refused(call(url, "PATCH", f"/{made['id']}", json={"url": "https://10.0.0.1/"}), 422, "bad_request")


def test_without_the_file_of_the_secret_nobody_can_be_told(hooks: Hooks, known: Known, valkey: str) -> None:
    with open_door(hooks.database, valkey, identifier=known, **UNCOUNTED) as url:
        refused(call(url, "POST", json=NEW), 503, "webhook_secret_file_missing")
        assert call(url, "GET").status_code == 200


def test_a_key_has_twenty_endpoints_at_most(url: str) -> None:
    for _ in range(MOST_ENDPOINTS):
        create(url)
    refused(call(url, "POST", json=NEW), 409, "too_many_endpoints")
    first = call(url, "GET").json()["items"][0]["id"]
    call(url, "DELETE", f"/{first}")
    create(url)


def test_deliveries_are_listed_by_state_in_pages_and_sent_again(url: str, hooks: Hooks, receiver: Receiver) -> None:
    endpoint = create(url, url=receiver.url)["endpoint"]["id"]
    hooks.now += timedelta(minutes=1)
    hooks.events(*[PolicyStatus.ACTIVE] * 5)
    receiver.always(410)
    hooks.send()
    place = f"/{endpoint}/deliveries"
    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"limit": 2}
    for _ in range(3):
        page = call(url, "GET", place, params=asked).json()
        found += page["items"]
        asked["after"] = page["next"]
    assert asked["after"] is None
    assert len({each["id"] for each in found}) == len(found) == 5
    assert {each["state"] for each in found} == {WebhookState.DEAD}
    assert call(url, "GET", place, params={"state": "delivered"}).json()["items"] == []
    assert call(url, "GET", place, params={"after": "nonsense"}).status_code == 400
    one = found[0]["id"]
    refused(call(url, "POST", f"{place}/{one}/resend"), 409, "endpoint_disabled")
    refused(call(url, "POST", f"/{endpoint}/test"), 409, "endpoint_disabled")
    receiver.always(204)
    call(url, "PATCH", f"/{endpoint}", json={"enabled": True})
    assert call(url, "POST", f"{place}/{one}/resend").json()["state"] == "waiting"
    refused(call(url, "POST", f"{place}/{uuid4()}/resend"), 404, "webhook_not_found")
    hooks.deliver(after=timedelta(minutes=1))
    span = {"from": (hooks.now - timedelta(hours=1)).isoformat(), "to": (hooks.now + timedelta(hours=1)).isoformat()}
    assert call(url, "POST", f"/{endpoint}/resend", json=span).json() == {"resent": 4}
    refused(call(url, "POST", f"/{endpoint}/resend", json={"from": span["to"], "to": span["from"]}), 422, "bad_request")
    assert call(url, "POST", f"/{endpoint}/resend", json={"from": "yesterday", "to": span["to"]}).status_code == 400
    far = {"from": "0246-09-26T20:11:17+19:02", "to": "0847-06-10T00:07:10-19:02"}
    assert call(url, "POST", f"/{endpoint}/resend", json=far).json() == {"resent": 0}
    beyond = {"from": "0001-01-01T00:00:00+09:00", "to": "9999-12-31T23:59:59-09:00"}
    refused(call(url, "POST", f"/{endpoint}/resend", json=beyond), 422, "bad_request")
    hooks.deliver(after=timedelta(minutes=1))
    assert len(call(url, "GET", place, params={"state": "delivered"}).json()["items"]) == 5


def test_every_kind_is_listed_with_what_it_means(url: str) -> None:
    listed = call(url, "GET", "/kinds").json()["items"]
    assert [each["kind"] for each in listed] == list(Kind)
    refused(call(url, "PATCH", "/kinds", json={}), 405, "method_not_allowed")
    assert all(each["meaning"] for each in listed)
