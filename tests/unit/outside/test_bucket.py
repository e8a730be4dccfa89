"""The bucket: no minute has more calls than were agreed on, and money goes first."""

from dataclasses import dataclass

import pytest

from registry.outside.bucket import KEPT_FOR_SUBMISSIONS, LEAST_PER_MINUTE, Cost, LocalBucket, Rate


@dataclass
class Clock:
    """Stands still until it is moved."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def drain(bucket: LocalBucket, cost: Cost) -> int:
    """Take until there is nothing left for this; answer how often."""
    for taken in range(10_000):
        if bucket.take(cost) > 0:
            return taken
    raise AssertionError("it is never empty")


def test_a_full_bucket_gives_half_of_a_minute_less_what_is_kept_for_submissions() -> None:
    bucket = LocalBucket(Rate(per_minute=400), clock=Clock())
    assert drain(bucket, Cost.READ) == 200 - KEPT_FOR_SUBMISSIONS


def test_submissions_take_what_reading_leaves() -> None:
    bucket = LocalBucket(Rate(per_minute=400), clock=Clock())
    drain(bucket, Cost.READ)
    assert drain(bucket, Cost.SUBMISSION) == KEPT_FOR_SUBMISSIONS // Cost.SUBMISSION


def test_it_says_when_there_is_enough_and_then_there_is() -> None:
    clock = Clock()
    bucket = LocalBucket(Rate(per_minute=400), clock=clock)
    drain(bucket, Cost.CALL_READ)
    seconds = bucket.take(Cost.CALL_READ)
    clock.seconds += seconds - 0.01
    assert bucket.take(Cost.CALL_READ) > 0
    clock.seconds += 0.02
    assert bucket.take(Cost.CALL_READ) == 0


@pytest.mark.parametrize("per_minute", [LEAST_PER_MINUTE, 50, 500, 1_234])
def test_no_minute_has_more_than_was_agreed_on(per_minute: int) -> None:
    clock = Clock()
    bucket = LocalBucket(Rate(per_minute=per_minute), clock=clock)
    taken: list[int] = []
    for _ in range(3 * 60):
        taken.append(drain(bucket, Cost.SUBMISSION) * Cost.SUBMISSION)
        clock.seconds += 1
    assert all(sum(taken[begin : begin + 60]) <= per_minute for begin in range(len(taken)))


def test_the_smallest_bucket_holds_the_dearest_read() -> None:
    bucket = LocalBucket(Rate(per_minute=LEAST_PER_MINUTE), clock=Clock())
    assert bucket.take(Cost.CALL_READ) == 0
