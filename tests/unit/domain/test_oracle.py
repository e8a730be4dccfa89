"""One price out of what many venues say."""

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registry.domain.oracle import Aggregate, Failure, Observation, aggregate, median, require_fresh
from registry.domain.parameters import Parameters
from registry.domain.prices import Pair, PriceUnavailable
from registry.domain.units import Usd8

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEFAULTS = Parameters()


def says(venue: str, price: int, *, age: float = 1, pair: Pair = Pair.BTC_USD) -> Observation:
    return Observation(
        venue=venue,
        pair=pair,
        price=Usd8(price),
        source_time=NOW - timedelta(seconds=age),
        fetched_at=NOW,
    )


def agree(*observations: Observation, failures: tuple[Failure, ...] = ()) -> Aggregate:
    return aggregate(Pair.BTC_USD, observations, failures=failures, now=NOW, parameters=DEFAULTS)


def exclusions(found: Aggregate) -> dict[str, str]:
    return {each.venue: each.excluded for each in found.observations if each.excluded is not None}


@pytest.mark.parametrize(
    ("prices", "middle"),
    [([5], 5), ([3, 1, 2], 2), ([1, 2, 3, 4], 2), ([4, 1, 2, 2], 2), ([10, 11], 10), ([10, 13], 11)],
)
def test_the_median_of_an_even_number_is_the_floored_mean_of_the_middle_two(prices: list[int], middle: int) -> None:
    assert median([Usd8(price) for price in prices]) == middle


def test_the_price_is_the_median_whatever_the_order() -> None:
    found = agree(says("c", 10_100), says("a", 10_000), says("b", 10_050))
    assert (found.price, found.at, found.pair) == (10_050, NOW, Pair.BTC_USD)
    assert exclusions(found) == {}


def test_a_quote_two_per_cent_from_the_median_counts_and_one_farther_does_not() -> None:
    near = agree(says("a", 100_000), says("b", 100_000), says("c", 100_000), says("d", 102_000))
    assert exclusions(near) == {}
    far = agree(says("a", 100_000), says("b", 100_000), says("c", 100_000), says("d", 97_999))
    assert exclusions(far) == {"d": "it is 20010 ppm from the median 100000, at most 20000 are allowed"}


def test_an_excluded_quote_has_no_part_in_the_price() -> None:
    found = agree(says("a", 100_000), says("b", 100_400), says("c", 101_000), says("d", 200_000))
    assert found.price == 100_400
    assert [each.venue for each in found.used] == ["a", "b", "c"]


@pytest.mark.parametrize(("age", "counts"), [(60, True), (60.001, False), (-60, True), (-60.001, False)])
def test_a_quote_counts_up_to_its_greatest_age_and_no_farther_in_the_future(*, age: float, counts: bool) -> None:
    found = agree(says("a", 100), says("b", 100), says("c", 100), says("d", 100, age=age))
    assert ("d" not in exclusions(found)) is counts


def test_a_stale_quote_does_not_move_the_median_either() -> None:
    found = agree(says("a", 100_000), says("b", 100_000), says("c", 100_000), says("old", 90_000, age=99))
    assert exclusions(found) == {"old": "it is 99 s old, at most 60 are allowed"}


def test_a_venue_has_one_vote_its_latest() -> None:
    found = agree(says("a", 1, age=5), says("a", 100), says("a", 2, age=6), says("b", 100), says("c", 100))
    assert [each.price for each in found.observations] == [100, 100, 100]


def test_too_few_sources_is_an_error_that_says_which_venue_failed_and_why() -> None:
    failures = (Failure(venue="kraken", pair=Pair.BTC_USD, reason="HTTP 429"),)
    with pytest.raises(PriceUnavailable) as refused:
        agree(says("a", 100), says("b", 100), says("old", 100, age=61), failures=failures)
    assert refused.value.figures["used"] == 2
    assert refused.value.figures["needed"] == 3
    assert refused.value.figures["venues"] == {
        "old": "it is 61 s old, at most 60 are allowed",
        "kraken": "HTTP 429",
    }
    assert "kraken: HTTP 429" in str(refused.value)
    json.dumps(refused.value.as_json())


def test_no_source_at_all_is_the_same_error() -> None:
    with pytest.raises(PriceUnavailable, match="0 of the 3 sources"):
        agree()


def test_two_camps_make_no_price() -> None:
    with pytest.raises(PriceUnavailable, match="0 of the 3"):
        agree(says("a", 100), says("b", 100), says("c", 200), says("d", 200))


def test_two_sources_are_enough_for_stx_and_not_for_bitcoin() -> None:
    pair = Pair.STX_USD
    two = [says("a", 200, pair=pair), says("b", 200, pair=pair)]
    assert aggregate(pair, two, now=NOW, parameters=DEFAULTS).price == 200
    with pytest.raises(PriceUnavailable):
        agree(says("a", 200), says("b", 200))


def test_a_quote_for_another_pair_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="was asked for BTC/USD and says STX/USD"):
        agree(says("a", 200, pair=Pair.STX_USD))


@pytest.mark.parametrize(("later", "fresh"), [(10, True), (10.001, False)])
def test_a_price_grows_old_with_its_oldest_source(*, later: float, fresh: bool) -> None:
    found = agree(says("a", 100, age=50), says("b", 100), says("c", 100))
    refusal = pytest.raises(PriceUnavailable, match="it is 61 s old, at most 60 are allowed")
    with nullcontext() if fresh else refusal:
        require_fresh(
            found.pair,
            observed_at=found.observed_at,
            now=NOW + timedelta(seconds=later),
            parameters=DEFAULTS,
        )


def test_a_price_is_as_young_as_its_first_fetch() -> None:
    early = replace(says("a", 100), fetched_at=NOW - timedelta(seconds=2))
    assert agree(early, says("b", 100), says("c", 100)).fetched_from == NOW - timedelta(seconds=2)


def test_a_snapshot_holds_every_source_and_is_json() -> None:
    failures = (Failure(venue="pyth", pair=Pair.BTC_USD, reason="HTTP 401"),)
    found = agree(says("a", 100), says("b", 100), says("c", 100), says("d", 500), failures=failures)
    snapshot = json.loads(json.dumps(found.to_json()))
    assert snapshot["price"] == 100
    assert snapshot["failures"] == {"pyth": "HTTP 401"}
    assert [each["excluded"] is None for each in snapshot["sources"]] == [True, True, True, False]


def test_an_observation_is_positive_and_its_times_have_zones() -> None:
    with pytest.raises(ValueError, match="not positive"):
        says("a", 0)
    with pytest.raises(ValueError, match="no zone"):
        Observation(
            venue="a",
            pair=Pair.BTC_USD,
            price=Usd8(1),
            source_time=NOW.replace(tzinfo=None),
            fetched_at=NOW,
        )
