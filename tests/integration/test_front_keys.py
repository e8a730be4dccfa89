"""Keys of services over HTTP: who is let in by one, who makes them, and what a key can never give."""

import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import update
from sqlmodel import col

import registry.services.api_keys
from registry.domain.access import KeyUnknown, Scope
from registry.services import api_keys as service
from registry.services.api_keys import NOTED_EVERY
from registry.store import api_keys
from registry.store.front_tables import ApiKeyRow
from registry.store.session import Database, unit_of_work
from tests.integration.chain import new_key
from tests.integration.doors import ask, open_door
from tests.integration.signing_in import OFTEN, new_front_secret, sign_in
from tests.integration.stack import until

SECONDS = 10.0


@pytest.fixture(scope="module")
def broker(valkey: str) -> str:
    """A database of the run's Valkey that no worker serves."""
    return f"{valkey.removesuffix('/0')}/6"


@pytest.fixture(scope="module")
def url(module_database: Database, broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A front door that knows keys."""
    secret_file = new_front_secret(tmp_path_factory.mktemp("front") / "secret")
    with open_door(module_database, broker, front_secret_file=secret_file, **OFTEN) as own:
        yield own


@pytest.fixture
def operator(module_database: Database) -> str:
    """A key that may make others, and read."""
    return made(module_database, Scope.OPERATOR, Scope.READ)


def made(database: Database, *scopes: Scope, expires_at: datetime | None = None, ago: timedelta = timedelta(0)) -> str:
    now = datetime.now(UTC) - ago
    return service.create(database, "tests", scopes=scopes, expires_at=expires_at, now=now)["key"]


def prefix_of(key: str) -> str:
    return key.split("_")[1]


def row_of(database: Database, key: str) -> ApiKeyRow:
    with unit_of_work(database) as session:
        row = api_keys.by_prefix(session, prefix_of(key))
    assert row is not None
    return row


def me(url: str, key: str) -> requests.Response:
    return ask(url, "GET", "/v1/me", token=key)


def refused(answer: requests.Response, status: int, code: str, reason: str = "") -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert reason in answer.json()["detail"]


def created(url: str, operator: str, **asked: Any) -> requests.Response:
    return ask(url, "POST", "/v1/api-keys", token=operator, json={"name": "reporting", **asked})


def test_a_service_is_let_in_by_its_key_with_its_scopes(url: str, module_database: Database) -> None:
    key = made(module_database, Scope.POOL, Scope.READ)
    told = me(url, key).json()
    assert (told["kind"], told["principal"], told["session"]) == ("service", None, None)
    assert told["scopes"] == ["pool", "read"]
    assert (told["api_key"]["prefix"], told["api_key"]["name"]) == (prefix_of(key), "tests")
    assert "digest" not in told["api_key"]


def test_an_operator_makes_a_key_that_works_and_takes_it_back_at_once(url: str, operator: str) -> None:
    answer = created(url, operator, scopes=["read"], days=90)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    key, own = told["key"], told["api_key"]
    assert key.startswith(f"prk_{own['prefix']}_")
    left = datetime.fromisoformat(own["expires_at"]) - datetime.fromisoformat(own["created_at"])
    assert (own["scopes"], left) == (["read"], timedelta(days=90))
    assert me(url, key).status_code == 200
    for _ in range(2):
        revoked = ask(url, "DELETE", f"/v1/api-keys/{own['prefix']}", token=operator)
        assert revoked.status_code == 200
        assert revoked.json()["revoked_at"] is not None
        refused(me(url, key), 401, "key_ended", "taken back")
    refused(ask(url, "DELETE", f"/v1/api-keys/{'0' * 12}", token=operator), 404, "api_key_not_found")
    refused(ask(url, "DELETE", "/v1/api-keys/nothing", token=operator), 400, "bad_request")


def test_a_key_gives_only_what_it_has_and_never_what_operators_have(
    url: str, module_database: Database, operator: str
) -> None:
    for scopes in (["operator"], ["read", "operator"], ["pool"], ["read", "events"]):
        refused(created(url, operator, scopes=scopes), 403, "scope_not_given", "operator")
    refused(created(url, made(module_database, Scope.OPERATOR), scopes=["read"]), 403, "scope_not_given", "give read")
    with_all = made(module_database, *Scope)
    assert created(url, with_all, scopes=["read", "pool", "events"]).status_code == 201


def test_a_key_never_outlives_the_one_that_made_it(url: str, module_database: Database) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    brief = made(module_database, *Scope, expires_at=end)
    for days in (None, 1, 3650):
        told = created(url, brief, scopes=["read"], **({} if days is None else {"days": days})).json()
        assert datetime.fromisoformat(told["api_key"]["expires_at"]) <= end
    assert created(url, made(module_database, *Scope), scopes=["read"]).json()["api_key"]["expires_at"] is None


def test_only_an_operator_looks_after_keys(url: str, module_database: Database) -> None:
    holder = sign_in(url, new_key()).token
    service_without = made(module_database, Scope.READ, Scope.POOL, Scope.EVENTS)
    own = prefix_of(service_without)
    for method, path, body in (
        ("GET", "/v1/api-keys", None),
        ("POST", "/v1/api-keys", {"name": "mine", "scopes": ["read"]}),
        ("DELETE", f"/v1/api-keys/{own}", None),
    ):
        refused(ask(url, method, path, json=body), 401, "unauthorized")
        for token in (holder, service_without):
            refused(ask(url, method, path, token=token, json=body), 403, "forbidden", "operator")
    assert me(url, service_without).status_code == 200


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "read"},
        {"scopes": ["read"], "days": 0},
        {"scopes": ["read"], "days": 3651},
        {"scopes": ["read"], "days": True},
        {"scopes": ["read"], "days": 1.5},
        {"scopes": ["read"], "name": ""},
        {"scopes": ["read"], "name": "two\nlines"},
        {"scopes": ["read"], "name": "x" * 101},
        {"scopes": ["read"], "digest": "0" * 64},
    ],
    ids=str,
)
def test_a_key_that_nobody_can_have_meant_is_not_made(url: str, operator: str, asked: dict[str, Any]) -> None:
    refused(created(url, operator, **asked), 400, "bad_request")


def test_a_key_that_is_over_is_told_so_and_a_wrong_secret_is_told_nothing(url: str, module_database: Database) -> None:
    over = made(module_database, Scope.READ, ago=timedelta(days=2), expires_at=datetime.now(UTC) - timedelta(days=1))
    refused(me(url, over), 401, "key_ended", "its end has come")
    known = made(module_database, Scope.READ)
    wrong = f"{known[:-1]}{'0' if known[-1] != '0' else '1'}"
    nobodys = f"prk_{'0' * 12}_{known.rpartition('_')[2]}"
    of_the_one_that_is_over = f"{over[:17]}{known[17:]}"
    said = {
        me(url, each).text for each in (wrong, nobodys, of_the_one_that_is_over, "prk_", f"{known}0", known.upper())
    }
    assert {json.loads(each)["code"] for each in said} == {"key_unknown", "token_invalid"}
    assert len(said) == 2, "a prefix that somebody has is answered as one that nobody has"
    assert me(url, known).status_code == 200


def test_an_unknown_prefix_takes_the_work_of_a_wrong_secret(
    module_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    known = made(module_database, Scope.READ)
    monkeypatch.setattr(registry.services.api_keys, "compare_digest", compare)
    service.bearer(module_database, known, now=datetime.now(UTC))
    for each in (f"{known[:17]}{'0' * 64}", f"prk_{'0' * 12}_{'0' * 64}"):
        with pytest.raises(KeyUnknown):
            service.bearer(module_database, each, now=datetime.now(UTC))
    assert compared == [(64, 64)] * 3


def test_only_a_digest_is_kept(url: str, module_database: Database, operator: str) -> None:
    key = created(url, operator, scopes=["read"]).json()["key"]
    secret = key.rpartition("_")[2]
    assert len(bytes.fromhex(secret)) * 8 >= 160
    assert secret not in repr(row_of(module_database, key).model_dump())
    listed = ask(url, "GET", "/v1/api-keys", token=operator)
    assert secret not in listed.text
    assert row_of(module_database, key).digest not in listed.text


def test_keys_are_listed_page_by_page_newest_first(url: str, module_database: Database, operator: str) -> None:
    keys = [prefix_of(made(module_database, Scope.READ)) for _ in range(5)]
    seen, after = list[str](), ""
    while len(seen) < 5:
        page = ask(url, "GET", f"/v1/api-keys?limit=2{after}", token=operator).json()
        seen += [each["prefix"] for each in page["items"]]
        after = f"&after={page['next']}"
    assert seen[:5] == keys[::-1]
    everything = ask(url, "GET", "/v1/api-keys?limit=200", token=operator).json()
    assert everything["next"] is None
    refused(ask(url, "GET", f"/v1/api-keys?after={'0' * 12}", token=operator), 422, "bad_request", "after")
    for query in ("limit=0", "limit=201", "limit=x", "after=x", "other=1"):
        refused(ask(url, "GET", f"/v1/api-keys?{query}", token=operator), 400, "bad_request")


def test_when_a_key_was_used_last_is_noted_once_a_minute(url: str, module_database: Database) -> None:
    key = made(module_database, Scope.READ)
    assert row_of(module_database, key).last_used_at is None
    assert me(url, key).status_code == 200
    until(lambda: row_of(module_database, key).last_used_at is not None, seconds=SECONDS)
    first = row_of(module_database, key).last_used_at
    for _ in range(3):
        assert me(url, key).status_code == 200
    assert not note(module_database, key)
    assert row_of(module_database, key).last_used_at == first
    long_ago = datetime.now(UTC) - NOTED_EVERY
    with unit_of_work(module_database) as session:
        own = col(ApiKeyRow.prefix) == prefix_of(key)
        session.execute(update(ApiKeyRow).where(own).values(last_used_at=long_ago))
    assert me(url, key).status_code == 200
    until(lambda: row_of(module_database, key).last_used_at != long_ago, seconds=SECONDS)


def note(database: Database, key: str) -> bool:
    """Note a use now; whether that was due."""
    before = row_of(database, key)
    service.note_use(database, before.id, now=datetime.now(UTC))
    return row_of(database, key).last_used_at != before.last_used_at


def test_a_request_does_not_wait_until_its_use_is_noted(url: str, module_database: Database) -> None:
    key = made(module_database, Scope.READ)
    with unit_of_work(module_database) as session:
        session.execute(update(ApiKeyRow).where(col(ApiKeyRow.prefix) == prefix_of(key)).values(name="held"))
        # the row is locked: whoever wants to note a use waits until this commits
        assert [me(url, key).status_code for _ in range(3)] == [200] * 3
    until(lambda: row_of(module_database, key).last_used_at is not None, seconds=SECONDS)


def test_no_log_line_holds_a_key(
    url: str, module_database: Database, operator: str, capfd: pytest.CaptureFixture[str]
) -> None:
    key = created(url, operator, scopes=["read"]).json()["key"]
    me(url, key)
    me(url, f"{key[:-1]}0")
    ask(url, "DELETE", f"/v1/api-keys/{prefix_of(key)}", token=operator)
    me(url, key)
    until(lambda: row_of(module_database, key).last_used_at is not None, seconds=SECONDS)
    heard = capfd.readouterr()
    said = heard.out + heard.err
    assert "key.created" in said
    assert f"prk_{prefix_of(operator)}" in said, "who made it is told"
    for secret in (key, operator, key.rpartition("_")[2][:-1], row_of(module_database, key).digest):
        assert secret not in said


def test_without_a_front_secret_keys_are_good_all_the_same(module_database: Database, broker: str) -> None:
    with open_door(module_database, broker, **OFTEN) as url:
        assert me(url, made(module_database, Scope.READ)).status_code == 200
        refused(me(url, "eyJ.eyJ.abc"), 503, "front_secret_file_missing")
