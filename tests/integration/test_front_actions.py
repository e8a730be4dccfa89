"""Actions over HTTP: the same key gets the same bytes, whatever is lost in between, and nothing is done twice."""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
from redis import Redis

from registry.domain.access import Scope
from registry.services import submissions
from tests.integration.acting import LEASE_SECONDS, REQUEST, Acting, counted, door_on, fetched, policies_of
from tests.integration.doors import Known, service
from tests.integration.stack import Holder, Stack, until
from tests.integration.test_outages import VENUES, trouble

SECONDS = 20.0
AT_ONCE = 20
TOO_MUCH = 999_999_999
"""Sats that a policy may protect, and that no tier of the pool can cover."""
NO_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def acting(holder: Holder) -> Iterator[Acting]:
    with door_on(holder.stack, holder.address) as url:
        yield Acting(url=url, own=holder)


def same(first: requests.Response, again: requests.Response) -> None:
    """See that a replay is the first answer, byte by byte, and says that it is one."""
    told = ("content-type", "location")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert [again.headers.get(name) for name in told] == [first.headers.get(name) for name in told]
    assert again.headers["Idempotent-Replayed"] == "true"


def refused(answer: requests.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def flush(stack: Stack) -> None:
    """Empty the broker and the results."""
    with closing(Redis.from_url(stack.environment["REGISTRY_BROKER_URL"])) as server:
        server.flushall()


def test_a_policy_is_asked_for_bought_and_paid_for_over_http(acting: Acting) -> None:
    stack = acting.own.stack
    created = acting.create()
    assert created.status_code == 201, created.text
    told = created.json()
    policy = told["policy"]["id"]
    assert created.headers["location"] == f"/v1/policies/{policy}"
    assert told["policy"]["owner_principal"] == acting.own.address
    assert told["quote"]["premium_amount_base_units"].isdecimal()
    tx_id = stack.chain.buy(acting.own.wallet, told["wallet_payload"])
    reported = acting.post(f"/v1/policies/{policy}/purchase", {"tx_id": f"0x{tx_id}"})
    assert reported.status_code == 200, reported.text
    assert reported.json()["purchasable_until_height"] == told["quote"]["valid_until_height"]
    stack.wait_for(policy, "Active")
    stack.chain.price("40000")
    paid = acting.post(f"/v1/policies/{policy}/activation", {"min_payout_base_units": "1"})
    assert paid.status_code == 200, paid.text
    assert paid.json()["activation"] == {
        "state": "accepted",
        "settlement_amount_base_units": "25000000",
        "settlement_token": "STX",
    }
    assert stack.wait_for(policy, "Settled")["settlement_amount_base_units"] == 25_000_000


def test_a_repeat_gets_the_same_bytes_from_any_process_and_whatever_became_of_the_policy(acting: Acting) -> None:
    stack, key = acting.own.stack, str(uuid4())
    first = acting.create(key=key)
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    same(first, acting.create(key=key))
    flush(stack)
    same(first, acting.create(key=key))
    stack.chain.buy(acting.own.wallet, first.json()["wallet_payload"])
    stack.wait_for(first.json()["policy"]["id"], "Active")
    with door_on(stack, acting.own.address) as another:
        same(first, Acting(url=another, own=acting.own).create(key=key))
    assert policies_of(stack.database, acting.own.address) == 1


def test_many_at_once_under_one_key_are_one_canvas_and_one_policy(acting: Acting) -> None:
    stack, key = acting.own.stack, str(uuid4())
    before = fetched(stack.database)
    with door_on(stack, acting.own.address) as another, ThreadPoolExecutor(AT_ONCE) as crowd:
        doors = [acting, Acting(url=another, own=acting.own)]
        answers = list(crowd.map(lambda turn: doors[turn % 2].create(key=key), range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert (policies_of(stack.database, acting.own.address), fetched(stack.database) - before) == (1, 2)


def test_a_key_that_was_used_for_something_else_is_refused(acting: Acting) -> None:
    key = str(uuid4())
    first = acting.create(key=key)
    policy = first.json()["policy"]["id"]
    refused(acting.create(key=key, duration_days=31), 409, "idempotency_key_reused")
    refused(acting.post(f"/v1/policies/{policy}/cancellation", key=key), 409, "idempotency_key_reused")
    same(first, acting.create(key=key, duration_days="30", protected_value_price_feed_units=4_500_000_000_000))
    cancelled = acting.post(f"/v1/policies/{policy}/cancellation", key=f"{key} too")
    assert cancelled.status_code == 200
    refused(acting.post(f"/v1/policies/{NO_ID}/cancellation", key=f"{key} too"), 409, "idempotency_key_reused")


def test_two_holders_may_use_the_same_key(acting: Acting) -> None:
    stack, key = acting.own.stack, "the first"
    other = Holder(stack=stack)
    with door_on(stack, acting.own.address, other.address) as url:
        answers = [Acting(url=url, own=each).create(key=key).json() for each in (acting.own, other)]
    assert [each["policy"]["owner_principal"] for each in answers] == [acting.own.address, other.address]


@pytest.mark.parametrize(
    "keys",
    [["k" * 201], [""], ["with\ttab"], ["caf\u00e9"], ["one", "two"], ["bell\x07"]],
    ids=["too long", "empty", "a tab", "not ASCII", "twice", "a control character"],
)
def test_a_key_that_is_not_usable_is_refused_and_nothing_is_kept(acting: Acting, keys: list[str]) -> None:
    before = counted(acting.own.stack.database, "submissions")
    host = urlsplit(acting.url)
    assert host.hostname is not None
    with closing(http.client.HTTPConnection(host.hostname, host.port, timeout=SECONDS)) as line:
        line.putrequest("POST", "/v1/policies/1/cancellation")
        line.putheader("Authorization", f"Bearer {acting.own.address}")
        for key in keys:
            line.putheader("Idempotency-Key", key.encode("latin-1"))
        line.putheader("Content-Length", "0")
        line.endheaders()
        assert line.getresponse().status == 400
    assert counted(acting.own.stack.database, "submissions") == before


def test_an_action_without_a_key_says_what_is_missing(acting: Acting) -> None:
    answer = requests.post(
        f"{acting.url}/v1/policies",
        json=REQUEST,
        headers={"Authorization": f"Bearer {acting.own.address}"},
        timeout=SECONDS,
    )
    refused(answer, 400, "idempotency_key_missing")


@pytest.mark.parametrize(
    "changes",
    [
        {"policy_type": "CALL"},
        {"protected_amount_sats": 0},
        {"protected_amount_sats": 1.5},
        {"protected_amount_sats": True},
        {"protected_amount_sats": " 1"},
        {"protected_amount_sats": 2**63},
        {"duration_days": None},
        {"premium_token": "BTC"},
        {"exercise_style": "bermudan"},
        {"owner_principal": "ST000000000000000000002AMW42H"},
    ],
    ids=str,
)
def test_a_body_that_is_not_one_is_400_and_keeps_nothing(acting: Acting, changes: dict[str, Any]) -> None:
    before = counted(acting.own.stack.database, "submissions")
    refused(acting.create(**changes), 400, "bad_request")
    assert counted(acting.own.stack.database, "submissions") == before


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"protected_amount_sats": TOO_MUCH, "premium_token": "sBTC"}, 409, "no_capacity"),
        ({"duration_days": 91}, 422, "outside_tiers"),
        ({"duration_days": 366}, 422, "bad_request"),
    ],
    ids=["no capacity", "no tier", "not sold"],
)
def test_a_refusal_stays_one_under_its_key(acting: Acting, changes: dict[str, Any], status: int, code: str) -> None:
    key = str(uuid4())
    first = acting.create(key=key, **changes)
    refused(first, status, code)
    flush(acting.own.stack)
    with door_on(acting.own.stack, acting.own.address) as another:
        same(first, Acting(url=another, own=acting.own).create(key=key, **changes))
    assert policies_of(acting.own.stack.database, acting.own.address) == 0


def test_a_failure_of_venues_is_503_and_the_same_key_does_it_later(acting: Acting) -> None:
    key = str(uuid4())
    with trouble(acting.own.stack, **dict.fromkeys(VENUES, "down")):
        for _ in range(2):
            failed = acting.create(key=key)
            refused(failed, 503, "price_unavailable")
            assert int(failed.headers["Retry-After"]) > 0
    created = acting.create(key=key)
    assert created.status_code == 201, created.text
    same(created, acting.create(key=key))


def test_what_takes_too_long_is_202_and_is_found_where_it_says(acting: Acting) -> None:
    key = str(uuid4())
    later = acting.create(key=key, prefer="respond-async, wait=0")
    assert later.status_code == 202
    assert int(later.headers["Retry-After"]) > 0
    place = later.headers["Location"]
    assert later.json()["state"] == "running"
    until(lambda: acting.get(place).json()["state"] == "done", seconds=SECONDS)
    told = acting.get(place).json()
    assert place == f"/v1/submissions/{told['id']}"
    again = acting.create(key=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert (told["status"], told["answer"]) == (201, again.json())
    other = Holder(stack=acting.own.stack)
    with door_on(acting.own.stack, other.address) as url:
        refused(Acting(url=url, own=other).get(place), 404, "submission_not_found")


def test_an_answer_that_was_lost_with_the_results_is_asked_for_again(acting: Acting) -> None:
    stack, key = acting.own.stack, str(uuid4())
    place = acting.create(key=key, prefer="wait=0").headers["Location"]
    until(lambda: policies_of(stack.database, acting.own.address) == 1, seconds=SECONDS)
    flush(stack)
    # not before a call could still end
    assert acting.get(place).json()["state"] == "running"
    until(lambda: acting.get(place).json()["state"] == "done", seconds=LEASE_SECONDS + SECONDS)
    assert acting.create(key=key).json() == acting.get(place).json()["answer"]
    assert policies_of(stack.database, acting.own.address) == 1


def test_only_a_holder_acts_and_only_on_what_is_his(acting: Acting) -> None:
    stack, other = acting.own.stack, Holder(stack=acting.own.stack)
    theirs = other.request()["policy"]["id"]
    for path, body in (("purchase", {"tx_id": "ab" * 32}), ("activation", {}), ("cancellation", None)):
        answers = [acting.post(f"/v1/policies/{policy}/{path}", body) for policy in (theirs, NO_ID)]
        for answer, policy in zip(answers, (theirs, NO_ID), strict=True):
            refused(answer, 404, "policy_not_found")
            assert answer.json()["figures"] == {"owner": acting.own.address, "policy": policy}
        assert requests.post(f"{acting.url}/v1/policies/{theirs}/{path}", timeout=SECONDS).status_code == 401
    known = Known(callers={"prk": service(*Scope)})
    with door_on(stack, known=known) as url:
        refused(Acting(url=url, own=acting.own, token="prk").create(), 403, "forbidden")  # noqa: S106 - a name


def test_a_cancelled_quote_says_until_when_it_can_still_be_bought_and_one_that_was_bought_stays(acting: Acting) -> None:
    stack, told = acting.own.stack, acting.create().json()
    policy = told["policy"]["id"]
    answer = acting.post(f"/v1/policies/{policy}/cancellation")
    assert answer.status_code == 200
    assert answer.json()["purchasable_until_height"] == told["quote"]["valid_until_height"]
    assert answer.json()["policy"]["status_detailed"] == "PendingCreation"
    stack.wait_for(policy, "FailedCreation")
    again = acting.post(f"/v1/policies/{policy}/cancellation")
    assert (again.status_code, again.json()["purchasable_until_height"]) == (200, None)
    bought = acting.buy()
    refused(acting.post(f"/v1/policies/{bought}/cancellation"), 409, "quote_over")


def test_answers_are_forgotten_when_they_are_old_the_oldest_first(acting: Acting) -> None:
    database, key, age = acting.own.stack.database, str(uuid4()), timedelta(days=30)
    first = acting.create(key=key).json()
    acting.create(key=f"{key} too")
    now = datetime.now(UTC)
    kept = counted(database, "submissions")
    assert submissions.forget(database, age=age, limit=1000, now=now) == 0
    assert submissions.forget(database, age=timedelta(0), limit=1, now=now) == 1
    assert counted(database, "submissions") == kept - 1
    assert submissions.forget(database, age=timedelta(0), limit=1000, now=now) == kept - 1
    # what was done is not: the policy is the same
    assert acting.create(key=key).json()["policy"]["id"] == first["policy"]["id"]
