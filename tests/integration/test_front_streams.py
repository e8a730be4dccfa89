"""Streams of the front door: who hears what, each event once and in one order, whatever ends meanwhile."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from sqlalchemy import text

import api.live
from api.caller import Caller
from api.listener import STATS_SECONDS
from api.live import REPLAYED
from api.streams import EVERY_POLICY, Hub
from registry.domain.errors import DatabaseUnavailable
from registry.queries import feed as read_feed
from registry.store.feed import give_places
from registry.store.session import Database, unit_of_work
from tests.integration import rows
from tests.integration.doors import Known, ask
from tests.integration.stack import until
from tests.integration.streaming import CALLERS, OTHER, POLICIES, STATS, Opener, listen, sold, walk


@pytest.fixture
def opener(database: Database, valkey: str) -> Opener:
    """Front doors on a database of the test's own."""
    return Opener(database=database, valkey_url=valkey)


@pytest.fixture(scope="module")
def shared_url(module_database: Database, valkey: str) -> Iterator[str]:
    """A door for all who are not let in."""
    with Opener(database=module_database, valkey_url=valkey).open() as url:
        yield url


@pytest.fixture
def url(opener: Opener) -> Iterator[str]:
    """One such door."""
    with opener.open() as url:
        yield url


def test_a_holder_hears_each_edge_of_his_own_policies_and_of_no_others(url: str, database: Database) -> None:
    own, foreign = sold(database), sold(database, OTHER)
    with listen(url, by="owner") as ear:
        assert (ear.status, ear.answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert ear.next("ready").data == {"seq": 0}
        walk(database, foreign)
        walk(database, own, height=7, tx_id="ab" * 32)
        heard = ear.next()
    assert (heard.id, heard.data["seq"]) == (2, 2)
    told = heard.data
    policy = told.pop("policy")
    assert {name: told[name] for name in ("policy_id", "edge", "from", "to", "cause", "height", "tx_id")} == {
        "policy_id": str(own),
        "edge": "b",
        "from": "PendingCreation",
        "to": "Active",
        "cause": "purchase confirmed",
        "height": 7,
        "tx_id": "ab" * 32,
    }
    assert set(told) == {"seq", "policy_id", "edge", "from", "to", "cause", "height", "tx_id", "at"}
    assert (policy["id"], policy["owner_principal"]) == (str(own), rows.OWNER)
    assert policy["protected_value_price_feed_units"] == str(45_000 * 10**8)


def test_a_service_with_the_scope_hears_of_all_policies(url: str, database: Database) -> None:
    with listen(url, by="partner") as ear:
        ear.next("ready")
        for owner in (rows.OWNER, OTHER):
            walk(database, sold(database, owner))
        assert [ear.next().data["policy"]["owner_principal"] for _ in range(2)] == [rows.OWNER, OTHER]


@pytest.mark.parametrize(
    ("by", "status", "code"),
    [(None, 401, "unauthorized"), ("gone", 401, "unauthorized"), ("reader", 403, "forbidden")],
)
@pytest.mark.parametrize("path", [POLICIES, f"{POLICIES}/1"])
def test_who_may_not_listen_is_told_why(shared_url: str, path: str, by: str | None, status: int, code: str) -> None:
    with listen(shared_url, path, by=by) as ear:
        assert (ear.status, ear.problem()["code"]) == (status, code)


def test_one_policy_is_heard_alone_by_either_of_its_names(url: str, database: Database) -> None:
    quiet = sold(database)
    with unit_of_work(database) as session:
        session.add(named := rows.active(77))
    for name in (str(named.id), "77"):
        with listen(url, f"{POLICIES}/{name}", by="owner") as ear:
            ear.next("ready")
            walk(database, quiet)
            walk(database, named.id)
            assert ear.next().data["policy_id"] == str(named.id)


def test_another_owners_policy_looks_like_a_missing_one(url: str, database: Database) -> None:
    foreign = str(sold(database, OTHER))
    refusals = []
    for name in (foreign, str(uuid4())):
        with listen(url, f"{POLICIES}/{name}", by="owner") as ear:
            assert ear.status == 404
            refusals.append(json.dumps(ear.problem()).replace(name, "…"))
    assert refusals[0] == refusals[1]
    assert '"policy_not_found"' in refusals[0]


@pytest.mark.parametrize("name", ["x", "1.5", "-1", "²", str(2**64), "%00"])
def test_a_name_that_is_none_is_refused(shared_url: str, name: str) -> None:
    with listen(shared_url, f"{POLICIES}/{quote(name, safe='%')}", by="owner") as ear:
        assert (ear.status, ear.problem()["code"]) == (400, "bad_request")


def test_who_comes_again_hears_what_he_missed_and_then_what_comes(url: str, database: Database) -> None:
    own, foreign = sold(database), sold(database, OTHER)
    with listen(url, by="owner") as ear:
        begun = ear.next("ready").id
    # more than two pages, with another's in between
    for policy_id in (own, foreign, own):
        walk(database, policy_id, times=REPLAYED + 10)
    with listen(url, by="owner", last_id=begun) as ear:
        heard = ear.take(2 * REPLAYED + 20)
        walk(database, own)
        heard += ear.take(1)
    mine = [*range(1, REPLAYED + 11), *range(2 * REPLAYED + 21, 3 * REPLAYED + 32)]
    assert heard == mine
    with listen(url, f"{POLICIES}?after={mine[-3]}", by="owner") as ear:
        assert ear.take(2) == mine[-2:]
    # what EventSource sends when it comes again goes before what its address says
    with listen(url, f"{POLICIES}/{own}?after=0", by="owner", last_id=mine[-2]) as ear:
        assert ear.take(1) == mine[-1:]


@pytest.mark.parametrize("last_id", ["x", "-1", "1.5", "1_0", "01", "", str(2**63), "1 2"])
def test_a_last_id_that_is_none_is_refused(shared_url: str, last_id: str) -> None:
    with listen(shared_url, by="owner", last_id=last_id) as ear:
        assert (ear.status, ear.problem()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("query", ["after=x", "after=-1", "before=1", "after=1&after=x"])
def test_a_query_that_is_none_is_refused(shared_url: str, query: str) -> None:
    with listen(shared_url, f"{POLICIES}?{query}", by="owner") as ear:
        assert (ear.status, ear.problem()["code"]) == (400, "bad_request")


def test_a_last_id_that_no_event_has_yet_is_refused(url: str, database: Database) -> None:
    walk(database, sold(database), times=3)
    with listen(url, by="owner", last_id=4) as ear:
        assert (ear.status, ear.problem()["code"]) == (422, "unknown_place")


def test_a_door_that_is_behind_another_repeats_nothing(database: Database) -> None:
    hub = Hub(most=1, most_per_caller=1)
    hub.begin(3)
    owned = sold(database)
    walk(database, owned, times=6)
    with unit_of_work(database) as session:
        give_places(session)
        events = read_feed.after(session, 3, limit=10)
    with hub.subscribed(EVERY_POLICY, caller="one", heard=5) as subscription:
        hub.tell(events)
        sent = asyncio.run(subscription.take(seconds=1))
    assert sent.count(b"event: policy") == 1
    assert b"id: 6\n" in sent


def test_what_is_committed_late_under_an_early_id_is_not_lost(url: str, database: Database) -> None:
    first, second = sold(database), sold(database)
    with listen(url, by="owner") as ear:
        ear.next("ready")
        with unit_of_work(database) as early:
            early.add(rows.event(first))
            early.flush()
            walk(database, second)
            with unit_of_work(database) as session:
                naive: int = session.execute(text("SELECT max(id) FROM policy_events")).scalar_one()
            heard = [ear.next()]
        heard.append(ear.next())
    assert [(each.id, each.data["policy_id"]) for each in heard] == [(1, str(second)), (2, str(first))]
    # whoever had asked for ids behind the greatest that he saw would not have heard of it
    with unit_of_work(database) as session:
        late = session.execute(text("SELECT count(*) FROM policy_events WHERE id > :naive"), {"naive": naive})
        assert late.scalar_one() == 0


def test_a_caller_has_so_many_streams_and_one_that_ends_makes_room(opener: Opener) -> None:
    with opener.open(api_streams_per_caller=2) as url, ExitStack() as held:
        ears = [held.enter_context(listen(url, by="owner")) for _ in range(2)]
        for ear in ears:
            ear.next("ready")
        with listen(url, by="owner") as refused:
            assert (refused.status, refused.problem()["code"]) == (429, "too_many_streams")
            assert int(refused.answer.headers["Retry-After"]) > 0
        with listen(url, by="other") as another:
            another.next("ready")
        ears[0].wire.shutdown(socket.SHUT_RDWR)
        until(lambda: _status(url, POLICIES, by="owner") == 200, seconds=5)


def test_a_door_has_so_many_streams(opener: Opener) -> None:
    with opener.open(api_streams=2) as url, listen(url, by="owner") as ear, listen(url, by="other") as other:
        ear.next("ready")
        other.next("ready")
        for path in (POLICIES, STATS):
            with listen(url, path, by="partner") as refused:
                assert (refused.status, refused.problem()["code"]) == (503, "too_many_streams")
        # whoever does not listen is served
        assert ask(url, "GET", "/health").status_code == 200


def _status(url: str, path: str, *, by: str) -> int:
    with listen(url, path, by=by) as ear:
        return ear.status


def test_a_stream_with_nothing_to_tell_shows_that_it_lives(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.live, "BEAT_SECONDS", 0.1)
    for path in (POLICIES, STATS):
        with listen(url, path, by="owner") as ear:
            comments = islice((each.comment for each in ear.blocks() if each.comment is not None), 2)
            assert list(comments) == ["ping", "ping"]


def test_a_session_that_ends_ends_its_streams_and_no_others(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.live, "BEAT_SECONDS", 0.1)
    callers = dict(CALLERS)
    with opener.open(identifier=Known(callers=callers)) as url:
        with listen(url, by="owner") as ear, listen(url, by="other") as other:
            del callers["owner"]
            *_, last = ear.rest()
            assert last.comment == "the session or key has ended"
            walk(opener.database, sold(opener.database, OTHER))
            other.next("ready")
            other.next()
        with listen(url, by="owner") as ear:
            assert ear.status == 401


def test_a_stream_outlives_that_nobody_can_be_asked(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.live, "BEAT_SECONDS", 0.05)
    known = Failing(callers=CALLERS)
    with opener.open(identifier=known) as url, listen(url, by="owner") as ear:
        ear.next("ready")
        known.fails.append(DatabaseUnavailable(reason="a test"))
        assert [each.comment for each in islice(ear.blocks(), 3)] == ["ping"] * 3
        walk(opener.database, sold(opener.database))
        ear.next()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing(Known):
    """Knows somebody, until it is told to fail."""

    fails: list[Exception] = field(default_factory=list)

    async def identify(self, token: str) -> Caller:
        for error in self.fails:
            raise error
        return self.callers[token]


def test_a_stream_is_neither_packed_nor_kept(url: str) -> None:
    with listen(url, by="owner", headers={"Accept-Encoding": "gzip"}) as ear:
        ear.next("ready")
        told = ear.answer.headers
    assert (told["Content-Encoding"], told["Cache-Control"], told["X-Accel-Buffering"]) == (None, "no-store", "no")


def test_the_figures_are_told_as_they_stand_and_when_they_change(url: str, database: Database) -> None:
    sold(database)
    with listen(url, STATS) as ear:
        first = ear.next("stats").data
        assert (first["policies"], first["by_status"]["PendingCreation"]) == (1, 1)
        since = time.monotonic()
        for _ in range(5):
            sold(database)
        told = list[dict[str, Any]]()
        while not told or told[-1]["policies"] < 6:
            told.append(ear.next("stats").data)
        sold(database)
        told.append(ear.next("stats").data)
        assert time.monotonic() - since >= (len(told) - 1) * STATS_SECONDS
    assert told[-1] == ask(url, "GET", "/v1/stats").json()
