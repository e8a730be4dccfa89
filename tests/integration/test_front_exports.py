"""Exports: all of an answer as a file, in constant memory, safe in a spreadsheet, and no longer than somebody reads."""

import csv
import io
import json
import socket
import tracemalloc
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

import api.exports
from registry.domain.policy import PolicyStatus
from registry.queries import search
from registry.store.session import Database
from tests.integration.asking import OTHER, Asking, add, asking, pending, policy, settled
from tests.integration.conftest import make_database
from tests.integration.crowd import POLICIES, fill
from tests.integration.stack import until
from tests.integration.test_api import refused

MEGABYTE = 1024 * 1024
MOST_HELD = 12 * MEGABYTE
LOOKS = 20


@pytest.fixture(scope="module")
def broker(valkey: str) -> str:
    """A database of the run's Valkey that no worker serves."""
    return f"{valkey.removesuffix('/0')}/9"


@pytest.fixture
def front(database: Database, broker: str) -> Iterator[Asking]:
    with asking(database, broker) as own:
        yield own


@pytest.fixture(scope="module")
def crowded(postgres: str, template: str, broker: str) -> Iterator[tuple[Asking, Database]]:
    """A front door to 20 000 policies."""
    with make_database(postgres, template) as url:
        database = Database(url)
        fill(database)
        with asking(database, broker) as own:
            yield own, database
        database.close()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each batch had that was read."""
    read: list[int] = []
    real = search.find

    def counted(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        read.append(len(found.rows))
        return found

    monkeypatch.setattr(search, "find", counted)
    return read


def test_an_export_holds_what_the_list_holds_in_its_order_as_lines_of_either_kind(
    front: Asking, database: Database
) -> None:
    big = 2**62
    add(
        database,
        settled(1, settlement_amount_base_units=big, oracle_data_snapshot_creation={"prices": [{"price": big}]}),
        pending(2),
        policy(3, owner_principal=OTHER),
    )
    listed = front.found("/v1/policies", "owner")["items"]
    lines = front.get("/v1/exports/policies.jsonl", "owner")
    assert (lines.headers["content-type"], [json.loads(line) for line in lines.text.splitlines()]) == (
        "application/jsonl",
        listed,
    )
    table = front.get("/v1/exports/policies.csv", "owner")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"] == 'attachment; filename="policies.csv"'
    head, *cells = csv.reader(io.StringIO(table.text))
    assert head == list(listed[0])
    first, second = (dict(zip(head, row, strict=True)) for row in cells)
    assert (second["settlement_amount_base_units"], second["premium_amount_base_units"]) == (str(big), "1000")
    assert json.loads(second["oracle_data_snapshot_creation"]) == {"prices": [{"price": big}]}
    assert (first["policy_id_on_chain"], first["status_detailed"]) == ("", "PendingCreation")
    found = front.get("/v1/exports/policies.jsonl", "reader", status="Active").text.splitlines()
    assert [json.loads(line)["expiration_height"] for line in found] == [1_003]


def test_nothing_found_is_a_head_without_lines_or_nothing(front: Asking) -> None:
    assert front.get("/v1/exports/policies.jsonl", "owner").content == b""
    assert front.get("/v1/exports/policies.csv", "owner").text.startswith("id,policy_id_on_chain,")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_no_cell_is_a_formula(front: Asking, database: Database, text: str) -> None:
    add(database, policy(1, tx_id_creation=text, oracle_data_snapshot_creation={"a": text}))
    table = front.get("/v1/exports/policies.csv", "reader").content.decode()
    rows = list(csv.reader(io.StringIO(table, newline="")))
    assert len(rows) == 2
    assert f"'{text}" in rows[1]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)


def test_an_export_is_refused_before_it_begins(front: Asking) -> None:
    for form in ("csv", "jsonl"):
        path = f"/v1/exports/policies.{form}"
        refused(front.get(path), 401, "unauthorized")
        refused(front.get(path, "owner", owner=OTHER), 403, "forbidden")
        refused(front.get(path, "owner", strike_min=2, strike_max=1), 422, "bad_request")
        refused(front.get(path, "owner", limit=5), 400, "bad_request")
        refused(front.get(path, "owner", expiring_within_blocks=1), 503, "no_block_yet")


def test_twenty_thousand_policies_are_sent_each_once_in_bounded_memory(
    crowded: tuple[Asking, Database], batches: list[int]
) -> None:
    front, _ = crowded
    tracemalloc.start()
    try:
        ids, size = set[str](), 0
        with front.get("/v1/exports/policies.csv", "reader", stream=True) as answer:
            lines = answer.iter_lines()
            for line in lines:
                size += len(line)
                # between two parts a line's end may be read as two
                if line and not line.startswith(b"id,"):
                    ids.add(line.decode()[:36])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ids) == POLICIES
    assert size > 3 * MEGABYTE
    print(f"{most / MEGABYTE:.1f} MiB held of {size / MEGABYTE:.1f} MiB")  # noqa: T201 - asked for
    assert most < MOST_HELD
    assert max(batches) == api.exports.BATCH


def test_each_batch_begins_where_the_last_one_ended_and_skips_nothing(
    crowded: tuple[Asking, Database], batches: list[int]
) -> None:
    front, _ = crowded
    settled_ones = front.get("/v1/exports/policies.jsonl", "reader", status="Settled").text.splitlines()
    assert len(batches) == -(-len(settled_ones) // api.exports.BATCH)
    assert {json.loads(line)["status_detailed"] for line in settled_ones} == {PolicyStatus.SETTLED.value}


def test_whoever_goes_away_is_read_for_no_more(crowded: tuple[Asking, Database], batches: list[int]) -> None:
    front, _ = crowded
    place = urlsplit(front.url)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        request = "GET /v1/exports/policies.jsonl HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer reader\r\n\r\n"
        connection.sendall(request.encode())
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
    # what was under way ends, and nothing is begun
    seen: list[int] = []

    def rests() -> bool:
        seen.append(len(batches))
        return len(seen) > LOOKS and len(set(seen[-LOOKS:])) == 1

    until(rests, seconds=20)
    assert len(batches) < POLICIES // api.exports.BATCH // 2
