"""The front door over HTTP: who is let in, what is taken, what each refusal says, and what nobody is kept by."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from redis import Redis
from sqlalchemy import select
from sqlmodel import col

import api.server
from api.body import Bounds
from api.server import IDLE_SECONDS
from registry.domain.push import PushSource
from registry.settings import Settings
from registry.store.session import Database, unit_of_work
from registry.store.tables import PushRow
from tests.integration.pushing import Caller, front_door, new_secrets
from workers.commands.checks import pushes
from workers.commands.checks.check import Verdict, held
from workers.queues import CHAIN

SIZE = 20_000
SECONDS = 0.5
HASH, PARENT = "0x" + "ab" * 32, "0x" + "cd" * 32
BLOCK = {"block_height": 7, "index_block_hash": HASH, "parent_index_block_hash": PARENT}
BURN = {"burn_block_hash": HASH, "burn_block_height": 7, "reward_recipients": []}
HOOKED = {"block_identifier": {"hash": HASH, "index": 7}, "parent_block_identifier": {"hash": PARENT, "index": 6}}
NODE, HOOK = "/events/node/new_block", "/events/chainhook"


@pytest.fixture(scope="module")
def broker(valkey: str) -> str:
    """A database of the run's Valkey that no worker serves."""
    return f"{valkey.removesuffix('/0')}/4"


@pytest.fixture(scope="module")
def caller(module_database: Database, broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A front door whose bounds are short enough to wait for."""
    with (
        closing(Redis.from_url(broker)) as server,
        front_door(
            module_database,
            broker,
            place=tmp_path_factory.mktemp("door"),
            bounds=Bounds(size=SIZE, seconds=SECONDS),
        ) as own,
    ):
        server.flushdb()
        yield own


def kept(database: Database) -> list[PushRow]:
    with unit_of_work(database) as session:
        return list(session.execute(select(PushRow).order_by(col(PushRow.id))).scalars())


def refused(answer: requests.Response, status: int, code: str) -> dict[str, Any]:
    """See that it is a problem in the standard's form; answer it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert (told["status"], told["code"]) == (status, code)
    assert told["type"] == f"urn:policy-registry:{code}"
    assert (
        {"type", "title", "status", "code", "detail"}
        <= set(told)
        <= {"type", "title", "status", "code", "detail", "figures"}
    )
    return told


def test_what_is_pushed_is_kept_as_it_came_and_the_workers_are_told(
    caller: Caller, module_database: Database, broker: str
) -> None:
    body = json.dumps({**BLOCK, "matured_miner_rewards": [2**127], "unknown": {"to": "us"}}).encode()
    answer = caller.post(NODE, body)
    assert answer.status_code == 200
    row = kept(module_database)[-1]
    assert (row.id, row.source, row.body, row.times, row.taken_at) == (
        answer.json()["push_id"],
        PushSource.NODE,
        body,
        1,
        None,
    )
    assert row.said == {
        "rolled_back": [],
        "applied": [{"hash": HASH[2:], "height": 7, "parent": PARENT[2:]}],
    }
    with closing(Redis.from_url(broker)) as server:
        popped = server.blpop([CHAIN], timeout=10)
    assert popped is not None
    _, message = popped
    assert json.loads(message)["headers"]["task"] == "chain.take_push"


def test_the_same_body_again_is_counted_and_not_kept_twice(caller: Caller, module_database: Database) -> None:
    body = {**BLOCK, "block_height": 8}
    answers = [caller.post(NODE, body).json() for _ in range(3)]
    assert [each["times"] for each in answers] == [1, 2, 3]
    (push_id,) = {each["push_id"] for each in answers}
    assert [row.times for row in kept(module_database) if row.id == push_id] == [3]


@pytest.mark.parametrize(
    "body",
    [
        {"apply": [HOOKED], "rollback": [], "events": [], "chainhook": {"uuid": "1", "predicate": {}}},
        {"event": {"apply": [HOOKED], "rollback": [], "chain": "stacks", "network": "testnet"}, "chainhook": {}},
        {"apply": [], "rollback": [HOOKED], "chainhook": {}},
    ],
)
def test_both_versions_of_hooks_are_taken(caller: Caller, module_database: Database, body: dict[str, Any]) -> None:
    answer = caller.post(HOOK, body)
    assert answer.status_code == 202
    said = kept(module_database)[-1].said
    assert [*said["rolled_back"], *(block["hash"] for block in said["applied"])] == [HASH[2:]]


@pytest.mark.parametrize("kind", ["new_mempool_tx", "drop_mempool_tx", "attachments/new", "proposal_response"])
def test_what_a_node_tells_of_other_things_is_answered_and_not_kept(
    caller: Caller, module_database: Database, kind: str
) -> None:
    before = len(kept(module_database))
    assert caller.post(f"/events/node/{kind}", ["0x00"]).status_code == 200
    assert len(kept(module_database)) == before


@pytest.mark.parametrize(("path", "body"), [("/events/node", BLOCK), ("/events/node/new_burn_block", BURN)])
def test_blocks_of_both_chains_are_kept_whatever_a_proxy_does_to_the_path(
    caller: Caller, path: str, body: dict[str, Any]
) -> None:
    assert caller.post(path, body).json()["accepted"] is True


@pytest.mark.parametrize("path", [NODE, HOOK])
def test_nobody_is_let_in_without_the_secret_of_the_source(caller: Caller, path: str) -> None:
    own = PushSource(path.split("/")[2])
    (other,) = set(PushSource) - {own}
    told = {"Content-Type": "application/json"}
    wrong: list[dict[str, str]] = [
        {},
        caller.bearer(other),
        {"Authorization": f"Basic {caller.secrets[own]}"},
        {"Authorization": f"Bearer {caller.secrets[own]}x"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer \xe9"},
        {"x-chainhook-consumer-secret": caller.secrets[own][:-1]},
    ]
    for headers in wrong:
        answer = caller.ask("POST", path, headers={**told, **headers}, data=json.dumps(BLOCK))
        refused(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    right = {"x-chainhook-consumer-secret": caller.secrets[own]}
    # past the door: it is the body that will not do
    refused(caller.ask("POST", path, headers={**told, **right}, data=b"{}"), 422, "bad_request")


def test_the_secret_is_asked_for_before_a_byte_of_the_body_is_read(caller: Caller) -> None:
    head = caller.head(NODE, Authorization="Bearer wrong", **{"Content-Length": "1000"})
    assert caller.raw(head).startswith(b"HTTP/1.1 401 ")


def test_a_body_that_is_said_to_be_too_large_is_refused_unread(caller: Caller) -> None:
    heard = caller.raw(caller.head(NODE, **{"Content-Length": str(SIZE + 1)}))
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in heard


def test_a_body_that_does_not_say_its_length_is_refused_where_it_gets_too_large(caller: Caller) -> None:
    chunk = f"{SIZE // 2:x}\r\n".encode() + b" " * (SIZE // 2) + b"\r\n"
    heard = caller.raw(caller.head(NODE, **{"Transfer-Encoding": "chunked"}), chunk, chunk, b"1\r\n \r\n")
    assert heard.startswith(b"HTTP/1.1 413 ")


def test_a_body_as_large_as_allowed_is_taken_in_chunks(caller: Caller) -> None:
    start, end = json.dumps(BLOCK)[:-1].encode() + b', "padding": "', b'"}'
    padded = start + b"x" * (SIZE - len(start) - len(end)) + end
    assert len(padded) == SIZE
    chunked = iter([padded[: SIZE // 3], padded[SIZE // 3 :]])
    told = {"Content-Type": "application/json", **caller.bearer(PushSource.NODE)}
    assert caller.ask("POST", NODE, headers=told, data=chunked).status_code == 200
    assert Bounds().size == 5 * 1024 * 1024


@pytest.mark.parametrize("parts", [(b'{"block',), ()])
def test_a_body_that_does_not_come_is_waited_for_no_longer_than_allowed(
    caller: Caller, parts: tuple[bytes, ...]
) -> None:
    begun = time.monotonic()
    heard = caller.raw(caller.head(NODE, **{"Content-Length": "1000"}), *parts)
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - begun >= SECONDS


def test_a_request_that_does_not_come_is_waited_for_no_longer_than_allowed(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.server, "REQUEST_SECONDS", SECONDS)
    head = caller.head(NODE, **{"Content-Length": "0"})
    assert caller.raw(head[:-2]) == b""
    assert caller.raw() == b""


def test_nor_is_the_next_request_on_a_connection(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.server, "REQUEST_SECONDS", SECONDS)
    with socket.create_connection(("127.0.0.1", caller.port), timeout=IDLE_SECONDS - SECONDS) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: any\r\n\r\n")
        heard = b""
        while not heard.endswith(b'{"status":"ok"}'):
            part = connection.recv(65_536)
            assert part, heard
            heard += part
        connection.sendall(b"POST /events/node HTTP/1.1\r\n")
        assert connection.recv(65_536) == b""


@pytest.mark.parametrize(
    ("name", "value"),
    [("Content-Type", "text/plain"), ("Content-Type", ""), ("Content-Encoding", "gzip")],
)
def test_what_is_not_json_is_refused_by_its_type(caller: Caller, name: str, value: str) -> None:
    refused(caller.post(NODE, BLOCK, **{name: value}), 415, "not_json")
    assert caller.post(NODE, BLOCK, **{"Content-Type": "application/json; charset=utf-8"}).status_code == 200


WRONG_HASHES: list[object] = ["", "ab" * 31, "0x" + "g" * 64, " " + "ab" * 32, 7, None, ["ab" * 32], "ab" * 32 + "\n"]
WRONG_HEIGHTS: list[object] = [-1, 2**63, 2**127, "x", 1.5, True, None, "9" * 5000]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b'{"block_height": NaN}',
        b"[" * 5000,
        b'{"block_height": ' + b"9" * 5000 + b"}",
        b"[]",
        b"null",
        b"{}",
        b'{"burn_block_height": 7}',
        *(json.dumps({**BLOCK, "index_block_hash": wrong}).encode() for wrong in WRONG_HASHES),
        *(json.dumps({**BLOCK, "parent_index_block_hash": wrong}).encode() for wrong in WRONG_HASHES),
        *(json.dumps({**BLOCK, "block_height": wrong}).encode() for wrong in WRONG_HEIGHTS),
    ],
)
def test_a_body_in_none_of_a_nodes_forms_is_refused(caller: Caller, body: bytes) -> None:
    told = refused(caller.post(NODE, body), 422, "bad_request")
    assert "is not usable" in told["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"apply": 7},
        {"apply": [7]},
        {"apply": [{}]},
        {"apply": [{**HOOKED, "parent_block_identifier": None}]},
        {"apply": [{**HOOKED, "block_identifier": {"hash": HASH, "index": 2**64}}]},
        {"rollback": [{**HOOKED, "block_identifier": {"hash": "0x", "index": 1}}]},
        {"event": []},
        {"event": {"apply": [], "rollback": [], "chain": "bitcoin"}},
        BLOCK,
    ],
)
def test_a_body_in_none_of_a_hooks_forms_is_refused(caller: Caller, body: dict[str, Any]) -> None:
    refused(caller.post(HOOK, body), 422, "bad_request")


@pytest.mark.parametrize("path", ["/events", "/events/other", "/docs", "/openapi.json", "/events/chainhook/"])
def test_what_is_not_there_is_not_found(caller: Caller, path: str) -> None:
    refused(caller.ask("POST", path, headers={}), 404, "not_found")


@pytest.mark.parametrize(("method", "path"), [("GET", NODE), ("PUT", HOOK), ("POST", "/health")])
def test_a_method_that_is_not_for_this_is_told_which_one_is(caller: Caller, method: str, path: str) -> None:
    answer = caller.ask(method, path, headers={})
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == ("GET, HEAD, OPTIONS" if path == "/health" else "POST, OPTIONS")


def test_a_broker_that_is_away_does_not_turn_the_answer_into_an_error(
    module_database: Database, tmp_path: Path
) -> None:
    with front_door(module_database, "redis://127.0.0.1:1/0", place=tmp_path, bounds=Bounds()) as own:
        answer = own.post(NODE, {**BLOCK, "block_height": 9})
        assert answer.status_code == 200
        (row,) = [row for row in kept(module_database) if row.id == answer.json()["push_id"]]
        assert row.taken_at is None


def test_without_the_database_whoever_pushes_is_told_to_come_again(broker: str, tmp_path: Path) -> None:
    nowhere = Database("postgresql://nobody:nothing@127.0.0.1:1/nowhere")
    with closing(nowhere), front_door(nowhere, broker, place=tmp_path, bounds=Bounds()) as own:
        answer = own.post(NODE, BLOCK)
        told = refused(answer, 503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "nowhere" not in told["detail"]
        assert own.ask("GET", "/health", headers={}).status_code == 503


def test_it_says_that_it_is_well(caller: Caller) -> None:
    assert caller.ask("GET", "/health", headers={}).json() == {"status": "ok"}
    wrong = replace(caller, secrets=dict.fromkeys(PushSource, "w" * 32))
    assert wrong.post(NODE, BLOCK).status_code == 401


def settings(**named: Any) -> Settings:
    """Settings of no place, besides those that are named."""
    nowhere = "http://127.0.0.1:1"
    contracts: dict[str, Any] = dict.fromkeys(("registry_contract", "pool_contract", "sbtc_contract"), "none")
    return Settings(database_url=nowhere, broker_url=nowhere, stacks_url=nowhere, **contracts, **named)


def test_the_doctor_sees_a_door_that_answers_one_that_does_not_and_secrets_that_will_not_do(
    caller: Caller, tmp_path: Path
) -> None:
    path, _ = new_secrets(tmp_path / "secrets")
    own = settings(api_port=caller.port, push_secret_file=path)
    assert [each.verdict for each in (*pushes.secrets(own), *pushes.door(own))] == [Verdict.OK, Verdict.OK]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        closed = settings(api_port=silent.getsockname()[1])
    (found,) = pushes.door(closed)
    assert (found.verdict, "does not answer" in found.found) == (Verdict.WARNING, True)
    path.chmod(0o644)
    (found,) = held("push secrets", lambda: pushes.secrets(own))
    assert (found.verdict, "others can read it" in found.found) == (Verdict.PROBLEM, True)


def test_the_doctor_sees_pushes_that_pile_up(database: Database, broker: str, tmp_path: Path) -> None:
    (found,) = pushes.waiting(database)
    assert (found.verdict, "none has come" in found.found) == (Verdict.OK, True)
    with front_door(database, broker, place=tmp_path, bounds=Bounds()) as own:
        for height in range(pushes.MOST_WAITING + 1):
            (found,) = pushes.waiting(database)
            assert found.verdict is Verdict.OK
            own.post(NODE, {**BLOCK, "block_height": height})
    (found,) = pushes.waiting(database)
    assert (found.verdict, found.found.split(maxsplit=1)[0]) == (Verdict.WARNING, str(pushes.MOST_WAITING + 1))
