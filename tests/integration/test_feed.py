"""The feed: each event is given one place after its commit, whoever gives it, and no reader is overtaken."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from sqlalchemy import text

from registry.queries import feed as read_feed
from registry.store.feed import give_places
from registry.store.session import Database, unit_of_work
from tests.integration.stack import until
from tests.integration.streaming import WRITERS, WRITTEN, overtaken, sold, walk, write_out_of_turn

MOST_SECONDS = 30.0


def test_whoever_gives_places_waits_for_the_commit_of_who_gave_some_before(database: Database) -> None:
    policy_id = sold(database)
    walk(database, policy_id)
    with ThreadPoolExecutor(1) as pool:
        with unit_of_work(database) as first:
            assert give_places(first) == 1
            walk(database, policy_id)
            second = pool.submit(give, database)
            until(lambda: is_waited_for(database), seconds=10)
        assert second.result() == 1
    with unit_of_work(database) as session:
        assert [each.seq for each in read_feed.after(session, 0, limit=10)] == [1, 2]


def give(database: Database) -> int:
    with unit_of_work(database) as session:
        return give_places(session)


def is_waited_for(database: Database) -> bool:
    """Whether somebody waits for the turn to give places."""
    with unit_of_work(database) as session:
        asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(session.execute(text(asked)).scalar_one())


def test_places_given_by_many_at_once_are_each_given_once_and_never_overtaken(database: Database) -> None:
    ended = threading.Event()
    with ThreadPoolExecutor(8) as pool, ExitStack() as held:
        held.callback(ended.set)
        writers = [pool.submit(write_out_of_turn, database, seed) for seed in range(WRITERS)]
        sequencers = [pool.submit(give_until, database, ended) for _ in range(3)]
        heard, seen = list[int](), 0
        end = time.monotonic() + MOST_SECONDS
        while len(heard) < WRITERS * WRITTEN:
            assert time.monotonic() < end, heard
            with unit_of_work(database) as session:
                heard += [each.seq for each in read_feed.after(session, seen, limit=50)]
            seen = heard[-1] if heard else 0
            if all(each.done() for each in writers):
                for each in writers:
                    each.result()
        ended.set()
        for each in sequencers:
            each.result()
    assert heard == list(range(1, WRITERS * WRITTEN + 1))
    assert overtaken(database) > 0


def give_until(database: Database, ended: threading.Event) -> None:
    while not ended.is_set():
        with unit_of_work(database) as session:
            give_places(session, most=7)
