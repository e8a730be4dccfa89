"""Streams of the front door while things end: each event is heard once and in one order, whatever breaks off."""

import gc
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

import api.live
import api.server
import api.streams
from api.listener import LOOK_SECONDS
from api.server import STOP_SECONDS
from api.streams import Ending, Hub, Subscription, of_owner
from registry.store.feed import give_places
from registry.store.migrate import migrate
from registry.store.session import Database, unit_of_work
from tests.integration import rows
from tests.integration.stack import until
from tests.integration.streaming import (
    STATS,
    WRITERS,
    WRITTEN,
    Opener,
    listen,
    listeners,
    overtaken,
    sold,
    walk,
    write_out_of_turn,
)
from workers.embedded.ports import HeldPorts
from workers.embedded.servers import Durability
from workers.embedded.supervisor import Supervisor
from workers.local import postgres_server


@pytest.fixture
def opener(database: Database, valkey: str) -> Opener:
    """Front doors on a database of the test's own."""
    return Opener(database=database, valkey_url=valkey)


@pytest.fixture
def url(opener: Opener) -> Iterator[str]:
    """One such door."""
    with opener.open() as url:
        yield url


def test_what_is_committed_while_the_past_is_told_is_heard_once_behind_it(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_id, read = sold(database), api.live._page
    with listen(url, by="owner") as ear:
        ear.next("ready")
        walk(database, policy_id, times=2)
        assert ear.take(2) == [1, 2]

    def read_late(*asked: Any) -> tuple[bytes, int]:
        walk(database, policy_id)
        with unit_of_work(database) as session:
            give_places(session)
        return read(*asked)

    monkeypatch.setattr(api.live, "_page", read_late)
    with listen(url, by="owner", last_id=0) as ear:
        heard = ear.take(3)
        walk(database, policy_id)
        assert heard + ear.take(1) == [1, 2, 3, 4]


def test_each_event_is_heard_once_over_broken_streams_and_restarts(opener: Opener, database: Database) -> None:
    chance = random.Random(5)  # noqa: S311 - not for secrets
    heard = list[int]()
    last: int | None = 0
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write_out_of_turn, database, seed) for seed in range(WRITERS)]
        while len(heard) < WRITERS * WRITTEN:
            with opener.open() as url:
                for _ in range(4):
                    count = min(chance.randrange(1, 25), WRITERS * WRITTEN - len(heard))
                    with listen(url, by="partner", last_id=last) as ear:
                        heard += ear.take(count)
                    last = heard[-1]
        for each in writers:
            each.result()
    assert heard == list(range(1, WRITERS * WRITTEN + 1))
    assert overtaken(database) > 0


def test_one_connection_listens_whatever_the_number_of_streams(url: str, database: Database) -> None:
    with ExitStack() as held:
        ears = [held.enter_context(listen(url, by="owner")) for _ in range(10)]
        ears += [held.enter_context(listen(url, by="partner")) for _ in range(10)]
        for ear in ears:
            ear.next("ready")
        assert len(listeners(database)) == 1
        walk(database, sold(database))
        assert [ear.next().id for ear in ears] == [1] * 20


def test_an_event_is_heard_when_it_is_committed_and_not_at_the_next_look(url: str, database: Database) -> None:
    policy_id, commits = sold(database), 6
    with listen(url, by="owner") as ear:
        ear.next("ready")
        since = time.monotonic()
        for _ in range(commits):
            walk(database, policy_id)
            ear.next()
    # each would wait for a look of its own
    assert time.monotonic() - since < (commits - 2) * LOOK_SECONDS


def test_a_listening_connection_that_is_ended_is_opened_again(url: str, database: Database) -> None:
    policy_id = sold(database)
    with listen(url, by="owner") as ear:
        ear.next("ready")
        (before,) = listeners(database)
        with unit_of_work(database) as session:
            session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": before})
        until(lambda: len(found := listeners(database)) == 1 and found != [before], seconds=10)
        walk(database, policy_id)
        assert ear.next().id == 1


def test_a_notification_that_is_lost_costs_two_seconds(url: str, database: Database) -> None:
    policy_id = sold(database)
    with listen(url, by="owner") as ear:
        ear.next("ready")
        with unit_of_work(database) as session:
            session.execute(text("ALTER TABLE policy_events DISABLE TRIGGER policy_events_feed"))
            session.add(made := rows.event(policy_id))
            session.flush()
            assert made.id is not None
            session.add(rows.fed(policy_id, event_id=made.id))
            session.execute(text("ALTER TABLE policy_events ENABLE TRIGGER policy_events_feed"))
        since = time.monotonic()
        assert ear.next().id == 1
        assert time.monotonic() - since < LOOK_SECONDS + 1


def test_a_database_that_is_started_again_loses_and_repeats_nothing(
    open_path: Path, ports: HeldPorts, valkey: str
) -> None:
    server = postgres_server(open_path, ports, Durability.DISPOSABLE)
    with Supervisor(open_path) as supervisor, server.creation() as initdb:
        supervisor.start(initdb)
    with ExitStack() as held, closing(Database(server.url())) as database:
        with Supervisor(open_path) as supervisor:
            supervisor.start(server.process())
            migrate(database)
            policy_id = sold(database)
            door = Opener(database=database, valkey_url=valkey)
            url = held.enter_context(door.open())
            ear = held.enter_context(listen(url, by="owner"))
            ear.next("ready")
            walk(database, policy_id, times=3)
            assert ear.take(3) == [1, 2, 3]
        with listen(url, by="owner") as refused:
            # the streams that are open go on, and new ones from where this process stands
            assert refused.next("ready").id == 3
        with listen(url, by="owner", last_id=1) as stuck:
            (last,) = stuck.rest()
        assert (last.comment, last.retry) == (Ending.STUCK.value, 1_000)
        with Supervisor(open_path) as supervisor:
            supervisor.start(server.process())
            walk(database, policy_id, times=2)
            with listen(url, by="owner", last_id=1) as again:
                assert again.take(4) == [2, 3, 4, 5]
            assert ear.take(2) == [4, 5]
            assert len(listeners(database)) == 1
            held.close()


def test_streams_end_at_once_when_the_door_closes_and_say_when_to_come_again(opener: Opener) -> None:
    with ExitStack() as held:
        with opener.open() as url:
            ears = [held.enter_context(listen(url, by="owner")) for _ in range(5)]
            ears.append(held.enter_context(listen(url, STATS)))
            for ear in ears[:-1]:
                ear.next("ready")
            since = time.monotonic()
        assert time.monotonic() - since < STOP_SECONDS
        for ear in ears:
            *_, last = ear.rest()
            assert (last.comment, last.retry) == (Ending.CLOSING.value, 1_000)


def test_a_client_that_is_too_slow_is_ended_and_loses_nothing(
    opener: Opener, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 5 * LARGE_BYTES
    monkeypatch.setattr(api.streams, "MOST_WAITING_BYTES", most)
    policy_id, written = large(database), 0
    with (
        opener.open() as url,
        listen(url, by="owner", window=WINDOW) as slow,
        listen(url, by="partner") as quick,
    ):
        quick.next("ready")
        (subscription,) = opened_to(rows.OWNER)
        while subscription.ending is None:
            walk(database, policy_id)
            quick.next()
            written += 1
            assert subscription._size <= most
        assert (subscription.ending, subscription._size, len(subscription._waiting)) == (Ending.SLOW, 0, 0)
        slow.next("ready")
        *events, last = slow.rest()
        assert (last.comment, last.retry) == (Ending.SLOW.value, 1_000)
        heard = [each.data["seq"] for each in events]
        assert len(heard) < written
        with listen(url, by="owner", last_id=heard[-1] if heard else 0) as again:
            heard += again.take(written - len(heard))
    assert heard == list(range(1, written + 1))


def test_a_client_that_reads_nothing_at_all_is_broken_off(
    opener: Opener, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.server, "UNREAD_SECONDS", 0.3)
    policy_id = large(database)
    with opener.open() as url, listen(url, by="owner", window=WINDOW), listen(url, by="partner") as quick:
        quick.next("ready")
        subscriptions = opened_to(rows.OWNER)
        assert len(subscriptions) == 1

        def commit() -> None:
            walk(database, policy_id, times=5)
            quick.take(5)

        until(lambda: not subscriptions, meanwhile=commit, seconds=20)


LARGE_BYTES = 100_000
WINDOW = 4_096


def large(database: Database) -> UUID:
    """A policy of which every event is that long."""
    with unit_of_work(database) as session:
        session.add(made := rows.policy(oracle_data_snapshot_creation={"pad": "x" * LARGE_BYTES}))
    return made.id


def opened_to(owner: str) -> set[Subscription]:
    """The streams of an owner in this very process; those of a door that was closed are no more."""
    # by type alone: a proxy of Celery's that is asked for its class loads a configuration
    topics = [hub._topics for hub in gc.get_objects() if type(hub) is Hub]
    (found,) = [each[of_owner(owner)] for each in topics if of_owner(owner) in each]
    return found
