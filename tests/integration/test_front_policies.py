"""Policies over HTTP: who sees whose, what a filter finds, and that pages hold all of it once."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from registry.domain.policy import PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.units import Token
from registry.store.session import Database
from tests.integration import rows
from tests.integration.asking import BORN, OTHER, OWNER, Asking, add, asking, pending, policy, settled
from tests.integration.test_api import refused

STATUSES = [status.value for status in PolicyStatus]


@pytest.fixture(scope="module")
def broker(valkey: str) -> str:
    """A database of the run's Valkey that no worker serves."""
    url = f"{valkey.removesuffix('/0')}/9"
    with closing(Redis.from_url(url)) as server:
        server.flushdb()
    return url


@pytest.fixture(scope="module")
def shared(module_database: Database, broker: str) -> Iterator[Asking]:
    """A front door and twelve policies that this file's tests only read."""
    add(
        module_database,
        *(policy(number) for number in range(1, 6)),
        settled(6, tx_id_creation="c" * 64, tx_id_status_update="d" * 64),
        pending(7, reported_tx_id="e" * 64),
        *(policy(number, owner_principal=OTHER) for number in range(8, 11)),
        policy(11, status_detailed=PolicyStatus.QUARANTINED, risk_tier=None, owner_principal=OTHER),
        pending(12, owner_principal=OTHER),
    )
    with asking(module_database, broker) as own:
        yield own


@pytest.fixture
def front(database: Database, broker: str) -> Iterator[Asking]:
    with asking(database, broker) as own:
        yield own


def numbers(items: list[dict[str, Any]]) -> list[int]:
    """What tells these policies apart: the heights at which they end."""
    return [item["expiration_height"] - 1_000 for item in items]


# who sees whose


def test_a_holder_lists_his_own_newest_first_and_a_service_everybodys(shared: Asking) -> None:
    assert numbers(shared.found("/v1/policies", "owner")["items"]) == [7, 6, 5, 4, 3, 2, 1]
    assert numbers(shared.found("/v1/policies", "owner", owner=OWNER)["items"]) == [7, 6, 5, 4, 3, 2, 1]
    assert numbers(shared.found("/v1/policies", "reader")["items"]) == list(range(12, 0, -1))
    assert numbers(shared.found("/v1/policies", "reader", owner=OTHER, direction="asc")["items"]) == [8, 9, 10, 11, 12]


@pytest.mark.parametrize("path", ["/v1/policies", "/v1/policies/expiring", "/v1/exports/policies.csv"])
def test_a_holder_who_names_another_owner_is_refused_and_so_is_a_service_without_the_scope(
    shared: Asking, path: str
) -> None:
    query: dict[str, Any] = {"within_hours": 1} if path.endswith("expiring") else {}
    if "exports" not in path:
        refused(shared.get(path, "owner", owner=OTHER, **query), 403, "forbidden")
    refused(shared.get(path, "seller", **query), 403, "forbidden")
    refused(shared.get(path, **query), 401, "unauthorized")


@pytest.mark.parametrize("path", ["/v1/tiers/Balanced/policies", "/v1/pool"])
def test_what_the_counterparty_asks_needs_its_scope(shared: Asking, path: str) -> None:
    assert shared.get(path, "seller").status_code == 200
    for who in ("owner", "reader"):
        refused(shared.get(path, who), 403, "forbidden")
    refused(shared.get(path), 401, "unauthorized")


def test_anothers_policy_cannot_be_told_from_a_missing_one(shared: Asking) -> None:
    theirs = shared.found("/v1/policies/8", "other")
    for suffix in ("", "/timeline", "?as_of_height=1"):
        for name in ("8", "999", theirs["id"], str(uuid4())):
            told = refused(shared.get(f"/v1/policies/{name}{suffix}", "owner"), 404, "policy_not_found")
            assert told["detail"] == f"{OWNER} has no policy {name}; list its policies, to see which there are"
            assert told["figures"] == {"owner": OWNER, "policy": name}


@pytest.mark.parametrize("named", [{"tx_id": "c" * 64}, {"quote_id": "ab" * 16}, {"idempotency_key": "theirs"}])
def test_no_identifier_finds_anothers_policy(shared: Asking, named: dict[str, str]) -> None:
    missing = {
        name: value.replace("c", "f").replace("ab", "cd").replace("theirs", "none") for name, value in named.items()
    }
    who = "other" if "tx_id" in named else "owner"
    told = [
        refused(shared.get("/v1/policies/lookup", who, **each), 404, "policy_not_found") for each in (named, missing)
    ]
    assert told[0] == told[1]


# one policy


def test_one_policy_is_got_by_either_id_with_its_depth_and_integers_as_strings(shared: Asking) -> None:
    by_number = shared.found("/v1/policies/6", "owner")
    assert by_number == shared.found(f"/v1/policies/{by_number['id']}", "owner")
    assert by_number == shared.found(f"/v1/policies/{by_number['id'].upper()}", "reader")
    assert (by_number["policy_id_on_chain"], by_number["settlement_amount_base_units"]) == ("6", "5")
    assert (by_number["expiration_height"], by_number["status_on_chain"]) == (1_006, 1)
    assert by_number["chain"] == {"purchase": None, "end": None}


def test_an_unchanged_answer_is_not_sent_again(shared: Asking) -> None:
    for path, who in (("/v1/policies", "owner"), ("/v1/policies/6", "owner"), ("/v1/stats", None)):
        first = shared.get(path, who)
        again = shared.get(path, who, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = shared.get(path, who, headers={"If-None-Match": '"0"'})
        assert (other.status_code, other.content) == (200, first.content)


# identifiers


def test_policies_are_found_by_every_transaction_that_has_to_do_with_them(front: Asking, database: Database) -> None:
    bought, other, told = policy(1, tx_id_creation="1" * 64), policy(2), pending(3, reported_tx_id="2" * 64)
    ended = settled(4, tx_id_status_update="3" * 64)
    sent = rows.transaction()
    add(database, bought, other, told, ended, rows.signer(), rows.block(), sent)
    add(
        database,
        rows.attempt(sent.id, tx_id="4" * 64),
        rows.attempt(sent.id, tx_id="5" * 64),
        rows.entry(sent.id, bought.id),
        rows.entry(sent.id, other.id),
        rows.chain_event(tx_id="6" * 64, policy_id=told.id),
    )
    expected = {"1": [1], "2": [3], "3": [4], "4": [1, 2], "5": [1, 2], "6": [3]}
    for sign, found in expected.items():
        for spelled in (sign * 64, f"0x{sign * 64}"):
            page = front.found("/v1/policies/lookup", "reader", tx_id=spelled)
            assert (sign, numbers(page["items"]), page["next"]) == (sign, found, None)
    refused(front.get("/v1/policies/lookup", "reader", tx_id="7" * 64), 404, "policy_not_found")


def test_a_policy_is_found_by_its_quote_and_by_the_key_it_was_asked_for_under(
    front: Asking, database: Database
) -> None:
    mine, theirs = pending(1), pending(2, owner_principal=OTHER)
    add(database, mine, theirs)
    add(
        database,
        rows.quote(policy_id=mine.id, quote_id=b"\1" * 16, idempotency_key="one"),
        rows.quote(policy_id=theirs.id, quote_id=b"\2" * 16, idempotency_key="one", owner_principal=OTHER),
        rows.quote(idempotency_key="nothing came of it"),
    )

    def look(who: str, **named: str) -> list[int]:
        return numbers(front.found("/v1/policies/lookup", who, **named)["items"])

    assert look("owner", quote_id="01" * 16) == look("reader", quote_id="0x" + "01" * 16) == [1]
    assert (look("owner", idempotency_key="one"), look("other", idempotency_key="one")) == ([1], [2])
    assert look("reader", idempotency_key="one", owner=OTHER) == [2]
    for named in ({"quote_id": "02" * 16}, {"idempotency_key": "nothing came of it"}):
        refused(front.get("/v1/policies/lookup", "owner", **named), 404, "policy_not_found")


@pytest.mark.parametrize(
    ("named", "status", "code"),
    [
        ({}, 422, "bad_request"),
        ({"tx_id": "a" * 64, "quote_id": "b" * 32}, 422, "bad_request"),
        ({"idempotency_key": "one"}, 422, "bad_request"),
        ({"tx_id": "a" * 63}, 400, "bad_request"),
        ({"tx_id": "g" * 64}, 400, "bad_request"),
        ({"quote_id": "0x"}, 400, "bad_request"),
        ({"txid": "a" * 64}, 400, "bad_request"),
    ],
)
def test_a_lookup_takes_exactly_one_identifier_that_is_one(
    shared: Asking, named: dict[str, str], status: int, code: str
) -> None:
    refused(shared.get("/v1/policies/lookup", "reader", **named), status, code)


# filters


def test_what_runs_out_is_listed_soonest_first_between_heights_and_within_hours(
    front: Asking, database: Database
) -> None:
    now = datetime.now(UTC)
    add(
        database,
        *(policy(number, expiration_timestamp_estimate=now + timedelta(hours=number)) for number in range(1, 6)),
        policy(6),
        settled(7),
    )

    def listed(**query: Any) -> list[int]:
        return numbers(front.found("/v1/policies/expiring", "owner", **query)["items"])

    assert listed(min_height=1_002, max_height=1_003) == [2, 3]
    assert listed(min_height=1_004) == [4, 5, 6]
    assert listed(within_hours=3) == [1, 2, 3]
    assert listed(within_hours=3, min_height=1_002, limit=1) == [2]
    assert [numbers(page) for page in front.pages("/v1/policies/expiring", "owner", max_height=1_005, limit=2)] == [
        [1, 2],
        [3, 4],
        [5],
    ]
    refused(front.get("/v1/policies/expiring", "owner"), 422, "bad_request")


def test_the_active_ones_of_a_tier_are_listed_oldest_first(front: Asking, database: Database) -> None:
    add(database, policy(1), policy(2, risk_tier=RiskTier.AGGRESSIVE), settled(3), policy(4, owner_principal=OTHER))
    pages = front.pages("/v1/tiers/Balanced/policies", "seller", limit=1)
    assert [numbers(page) for page in pages] == [[1], [4]]
    refused(front.get("/v1/tiers/balanced/policies", "seller"), 400, "bad_request")


def test_the_token_is_the_quoted_one_or_else_the_one_that_was_paid_in(front: Asking, database: Database) -> None:
    asked, unexplained = pending(1), policy(2, status_detailed=PolicyStatus.QUARANTINED, risk_tier=None)
    add(database, asked, unexplained)
    add(database, rows.reservation(asked.id, token=Token.SBTC))
    for token, found in (("sBTC", [1]), ("STX", [2])):
        assert numbers(front.found("/v1/policies", "reader", token=token)["items"]) == found
    assert numbers(front.found("/v1/policies", "reader", token=["sBTC", "STX"])["items"]) == [2, 1]


def test_within_blocks_counts_from_the_newest_block_that_the_first_page_saw(front: Asking, database: Database) -> None:
    refused(front.get("/v1/policies", "owner", expiring_within_blocks=1), 503, "no_block_yet")
    add(database, *(policy(number) for number in range(1, 6)), rows.block(burn_height=1_002))
    query = {"expiring_within_blocks": 2, "sort": "expiration_height", "direction": "asc", "limit": 2}
    first = front.found("/v1/policies", "owner", **query)
    assert numbers(first["items"]) == [2, 3]
    add(database, rows.block(index_block_hash="c" * 64, height=2, burn_height=1_050))
    second = front.found("/v1/policies", "owner", **query, after=first["next"])
    assert (numbers(second["items"]), second["next"]) == ([4], None)
    assert front.found("/v1/policies", "owner", **query)["items"] == []


INJECTIONS = ("' OR 1=1 --", "1; DROP TABLE policies", "%", "\\", "$$", "{1}", "x'")


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_is_sent_is_never_read_as_sql(shared: Asking, text: str) -> None:
    for name in (
        "owner",
        "counterparty",
        "status",
        "tier",
        "token",
        "strike_min",
        "created_from",
        "sort",
        "after",
        "limit",
    ):
        answer = shared.get("/v1/policies", "reader", **{name: text})
        assert answer.status_code in {400, 422}, (name, answer.text)
        assert text not in answer.text or len(text) == 1
    for name in ("tx_id", "quote_id"):
        refused(shared.get("/v1/policies/lookup", "reader", **{name: text}), 400, "bad_request")
    refused(shared.get("/v1/policies/lookup", "owner", idempotency_key=text), 404, "policy_not_found")
    assert shared.get(f"/v1/policies/{text}", "reader").status_code in {400, 404}
    assert len(shared.found("/v1/policies", "reader")["items"]) == 12


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"limit": 0}, 400),
        ({"limit": 501}, 400),
        ({"limit": "1_0"}, 400),
        ({"limit": "+1"}, 400),
        ({"limit": " 1"}, 400),
        ({"strike_min": -1}, 400),
        ({"strike_min": 2**63}, 400),
        ({"strike_min": "1e3"}, 400),
        ({"status": "active"}, 400),
        ({"status": ["Active", "gone"]}, 400),
        ({"sort": "id"}, 400),
        ({"created_from": "2026-01-01T00:00:00"}, 400),
        ({"created_from": "yesterday"}, 400),
        ({"created_from": "1500-01-01T00:00:00Z"}, 422),
        ({"expiring_within_hours": 10**6}, 400),
        ({"as_of": 5}, 400),
        ({"owner": OTHER[:-1] + "A"}, 422),
        ({"owner": OTHER.lower()}, 400),
        ({"counterparty": OTHER[:-1] + "A.pool"}, 422),
        ({"strike_min": 2, "strike_max": 1}, 422),
        ({"after": "x"}, 422),
    ],
)
def test_a_term_outside_its_bounds_is_refused_by_its_name(shared: Asking, query: dict[str, Any], status: int) -> None:
    told = refused(
        shared.get("/v1/policies", "reader", **query), status, "bad_cursor" if "after" in query else "bad_request"
    )
    if "after" not in query:
        assert told["figures"]["field"].startswith(str(next(reversed(query))).partition("_from")[0])


# pages


@pytest.mark.parametrize("sort", ["created_at", "expiration_height", "protected_value"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_hold_every_policy_once_among_equals_and_while_others_are_added(
    front: Asking, database: Database, sort: str, direction: str
) -> None:
    equal = {"created_at": BORN, "expiration_height": 1_000}
    made = [policy(number, **equal) for number in range(1, 8)]
    add(database, *made)
    seen: list[str] = []
    for page in front.pages("/v1/policies", "owner", sort=sort, direction=direction, limit=3):
        seen += [item["id"] for item in page]
        add(database, pending(0, **equal), pending(0, created_at=BORN - timedelta(days=1)))
    assert {str(row.id) for row in made} <= set(seen)
    assert len(seen) == len(set(seen))
    ids = [each for each in seen if each in {str(row.id) for row in made}]
    assert ids == sorted(ids, reverse=direction == "desc")


def decoded(cursor: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return body


def encoded(body: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")


def test_a_cursor_of_another_question_is_refused(shared: Asking) -> None:
    cursor = shared.found("/v1/policies", "owner", limit=2, status="Active")["next"]
    shared.found("/v1/policies", "owner", limit=3, status="Active", after=cursor)
    for who, query in (
        ("owner", {"status": "Settled"}),
        ("owner", {}),
        ("owner", {"status": "Active", "direction": "asc"}),
        ("owner", {"status": "Active", "sort": "expiration_height"}),
        ("other", {"status": "Active"}),
        ("reader", {"status": "Active"}),
    ):
        refused(shared.get("/v1/policies", who, limit=2, after=cursor, **query), 422, "bad_cursor")
    refused(shared.get("/v1/policies/expiring", "owner", within_hours=1, after=cursor), 422, "bad_cursor")


@pytest.mark.parametrize(
    "change",
    [
        {"k": 5},
        {"k": None},
        {"k": "2026-01-01"},
        {"k": "9999-12-31T23:59:59Z"},
        {"k": ["x"]},
        {"i": "x"},
        {"i": 7},
        {"i": None},
        {"t": "now"},
        {"t": 2**80},
        {"h": 2**63},
        {"h": "1"},
        {"h": True},
        {"q": "0" * 16},
    ],
)
def test_a_cursor_that_was_tampered_with_is_refused(shared: Asking, change: dict[str, Any]) -> None:
    body = decoded(shared.found("/v1/policies", "owner", limit=2)["next"])
    refused(shared.get("/v1/policies", "owner", limit=2, after=encoded({**body, **change})), 422, "bad_cursor")


@pytest.mark.parametrize(
    "cursor", ["A", "AA==", "é", "W10", "bnVsbA", "MQ", encoded("x" * 600), "_" * 1_000, "[" * 900]
)
def test_what_is_no_cursor_is_refused(shared: Asking, cursor: str) -> None:
    refused(shared.get("/v1/policies", "owner", after=cursor), 422, "bad_cursor")


def test_a_cursor_longer_than_any_is_malformed(shared: Asking) -> None:
    refused(shared.get("/v1/policies", "owner", after="A" * 1_001), 400, "bad_request")
