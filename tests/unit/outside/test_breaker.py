"""The breaker, by a clock of the test's own: who fails is left alone, and one call finds out whether that is over."""

from dataclasses import dataclass

import pytest

from registry.outside.breaker import Breaker, Pauses, Shut


@dataclass
class Clock:
    """Stands still until it is moved."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock=clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed("HTTP 503")


def probe(breaker: Breaker, clock: Clock) -> None:
    """Let the pause pass, and be the one that asks."""
    shut = breaker.refuses()
    assert shut is not None
    clock.seconds += shut.seconds
    assert breaker.refuses() is None


def test_four_failures_in_a_row_change_nothing(breaker: Breaker) -> None:
    fail(breaker, 4)
    assert breaker.refuses() is None
    assert not breaker.is_open


def test_the_fifth_begins_a_pause_that_says_why(breaker: Breaker) -> None:
    fail(breaker, 5)
    assert breaker.refuses() == Shut(seconds=10.0, because="it failed 5 times in a row (HTTP 503)")
    assert breaker.is_open


def test_one_answer_in_between_begins_the_count_anew(breaker: Breaker) -> None:
    fail(breaker, 4)
    breaker.succeeded()
    fail(breaker, 4)
    assert breaker.refuses() is None


def test_after_the_pause_one_asks_and_the_others_wait_for_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    probe(breaker, clock)
    assert breaker.refuses() is not None


def test_an_answer_to_that_one_ends_the_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    probe(breaker, clock)
    breaker.succeeded()
    assert breaker.refuses() is None
    fail(breaker, 4)
    assert breaker.refuses() is None


def test_each_further_pause_is_twice_as_long_up_to_five_minutes(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    lengths = []
    for _ in range(7):
        shut = breaker.refuses()
        assert shut is not None
        lengths.append(shut.seconds)
        probe(breaker, clock)
        breaker.failed("HTTP 503")
    assert lengths == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]


def test_one_that_asked_and_was_never_heard_of_is_followed_by_another(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 5)
    probe(breaker, clock)
    probe(breaker, clock)
    breaker.succeeded()
    assert breaker.refuses() is None


def test_failures_of_calls_that_were_under_way_make_a_pause_no_longer(breaker: Breaker) -> None:
    fail(breaker, 9)
    assert breaker.refuses() == Shut(seconds=10.0, because="it failed 5 times in a row (HTTP 503)")


def test_a_pause_that_is_asked_for_is_kept_at_once(breaker: Breaker, clock: Clock) -> None:
    breaker.failed("HTTP 429", wait=37)
    assert breaker.refuses() == Shut(seconds=37.0, because="it asked for a pause (HTTP 429)")
    clock.seconds += 37
    assert breaker.refuses() is None


def test_nobody_can_ask_for_more_than_ten_minutes(breaker: Breaker) -> None:
    breaker.failed("HTTP 503", wait=86_400)
    assert breaker.refuses() == Shut(seconds=600.0, because="it asked for a pause (HTTP 503)")


def test_a_pause_of_nothing_lets_the_next_one_ask(breaker: Breaker) -> None:
    breaker.failed("HTTP 429", wait=0)
    assert breaker.refuses() is None


def test_how_many_and_how_long_can_be_set(clock: Clock) -> None:
    breaker = Breaker(Pauses(failures=1, first_seconds=0.5, longest_seconds=0.75), clock=clock)
    breaker.failed("it timed out")
    assert breaker.refuses() == Shut(seconds=0.5, because="it failed 1 times in a row (it timed out)")
    probe(breaker, clock)
    breaker.failed("it timed out")
    shut = breaker.refuses()
    assert shut is not None
    assert shut.seconds == pytest.approx(0.75)
