"""The bucket that processes share: together they take what one may, and go on alone while its server is away."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from registry.outside.bucket import KEPT_FOR_SUBMISSIONS, Cost, LocalBucket, Rate
from registry.outside.shared_bucket import SharedBucket, bucket_at

ROOT = Path(__file__).parents[2]
RATE = Rate(per_minute=400)
FULL = RATE.at_once - KEPT_FOR_SUBMISSIONS

_GREEDY = """
import json, sys, time
from registry.outside.bucket import Cost, Rate
from registry.outside.shared_bucket import SharedBucket

bucket = SharedBucket(sys.stdin.readline().strip(), api="https://api.example", rate=Rate(per_minute=400))
began = time.time()
taken = sum(bucket.take(Cost.READ) == 0 for _ in range(400))
print(json.dumps([taken, began, time.time()]))
"""


@pytest.fixture
def at_broker(valkey: str) -> Iterator[str]:
    """An empty database of the run's own Valkey."""
    url = f"{valkey.removesuffix('/0')}/9"
    with closing(Redis.from_url(url)) as server:
        server.flushdb()
        yield url
        server.flushdb()


def test_two_processes_together_take_no_more_than_one_may(at_broker: str) -> None:
    greedy = [
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", _GREEDY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(2)
    ]
    for each in greedy:
        assert each.stdin is not None
        each.stdin.write(f"{at_broker}\n")
        each.stdin.flush()
    told = [json.loads(each.communicate(timeout=30)[0]) for each in greedy]
    taken = [each[0] for each in told]
    lasted = max(each[2] for each in told) - min(each[1] for each in told)
    assert FULL <= sum(taken) <= FULL + lasted * RATE.per_second + 1


def test_submissions_take_what_reading_leaves(at_broker: str) -> None:
    with closing(SharedBucket(at_broker, api="https://api.example", rate=RATE)) as bucket:
        while bucket.take(Cost.READ) == 0:
            pass
        assert bucket.take(Cost.SUBMISSION) == 0


def test_it_says_in_how_many_seconds_there_is_enough(at_broker: str) -> None:
    with closing(SharedBucket(at_broker, api="https://api.example", rate=RATE)) as bucket:
        while (seconds := bucket.take(Cost.CALL_READ)) == 0:
            pass
    assert 0 < seconds <= Cost.CALL_READ / RATE.per_second


def test_another_api_has_a_bucket_of_its_own(at_broker: str) -> None:
    with (
        closing(SharedBucket(at_broker, api="https://api.example", rate=RATE)) as one,
        closing(SharedBucket(at_broker, api="https://other.example", rate=RATE)) as other,
    ):
        while one.take(Cost.READ) == 0:
            pass
        assert other.take(Cost.READ) == 0


def test_a_server_that_was_emptied_gives_a_full_bucket_and_no_error(at_broker: str) -> None:
    with closing(SharedBucket(at_broker, api="https://api.example", rate=RATE)) as bucket:
        while bucket.take(Cost.READ) == 0:
            pass
        with closing(Redis.from_url(at_broker)) as server:
            server.flushdb()
            server.script_flush()
        assert bucket.take(Cost.READ) == 0


def test_while_the_server_is_away_each_process_keeps_to_the_rate_by_itself() -> None:
    with closing(SharedBucket("redis://127.0.0.1:1/0", api="https://api.example", rate=RATE)) as bucket:
        taken = sum(bucket.take(Cost.READ) == 0 for _ in range(2 * FULL))
    assert FULL <= taken < 2 * FULL


def test_a_broker_that_keeps_no_buckets_leaves_each_process_its_own() -> None:
    assert isinstance(bucket_at("amqp://127.0.0.1:1/", api="https://api.example", rate=RATE), LocalBucket)
