"""Volatility from daily closes."""

import math
from datetime import date, timedelta

import pytest

from registry.domain.closes import Close, ClosesUnavailable, differing_day, finished_closes
from registry.domain.units import Ppm, Usd8
from registry.domain.volatility import NoVolatility, annualised_volatility, closes_needed, nearest_window

TODAY = date(2026, 3, 1)


def closes(*prices: int, last: date = TODAY - timedelta(days=1)) -> list[Close]:
    """One close a day, the last of them on `last`."""
    start = last - timedelta(days=len(prices) - 1)
    return [Close(day=start + timedelta(days=n), price=Usd8(price)) for n, price in enumerate(prices)]


def zigzag(count: int) -> list[int]:
    return [10_000 if n % 2 else 11_000 for n in range(count)]


@pytest.mark.parametrize(
    ("days", "window"),
    [
        (1, 30), (30, 30), (44, 30), (45, 30), (46, 60), (60, 60), (75, 60), (76, 90),
        (90, 90), (135, 90), (136, 180), (270, 180), (271, 360), (360, 360), (365, 360),
    ],
)  # fmt: skip
def test_the_nearest_window_is_taken_and_of_two_the_shorter(days: int, window: int) -> None:
    assert nearest_window(days) == window
    assert closes_needed(days) == window + 1


def test_it_is_the_population_deviation_of_log_returns_times_the_root_of_365() -> None:
    up_or_down = math.log(1.1)  # 30 returns, half of them up and half down: mean 0, deviation log 1.1
    measured = annualised_volatility(closes(*zigzag(31)), days=30, today=TODAY)
    assert measured == pytest.approx(up_or_down * math.sqrt(365), rel=1e-12)


def test_a_climb_by_the_same_step_each_day_is_an_error_and_not_a_volatility_of_rounding() -> None:
    climb = closes(*(10**12 * 101**n // 100**n for n in range(31)))
    with pytest.raises(NoVolatility):
        annualised_volatility(climb, days=30, today=TODAY)


def test_n_returns_need_one_close_more() -> None:
    with pytest.raises(ClosesUnavailable) as refused:
        annualised_volatility(closes(*zigzag(30)), days=30, today=TODAY)
    assert refused.value.figures == {
        "reason": "1 of 31 days before 2026-03-01 are missing, 2026-01-29 is the latest of them",
        "needed": 31,
        "missing": 1,
        "latest": "2026-01-29",
    }


def test_the_last_close_is_yesterdays() -> None:
    with pytest.raises(ClosesUnavailable, match="2026-02-28 is the latest"):
        annualised_volatility(closes(*zigzag(400), last=TODAY - timedelta(days=2)), days=30, today=TODAY)


def test_the_unfinished_day_and_older_days_change_nothing() -> None:
    exact = closes(*zigzag(31))
    more = closes(*[7] * 5, *zigzag(31), 999_999_999, last=TODAY)
    reckoned = annualised_volatility(more, days=30, today=TODAY)
    assert reckoned == annualised_volatility(reversed(exact), days=30, today=TODAY)


def test_a_hole_in_the_history_is_an_error() -> None:
    holed = [close for close in closes(*zigzag(31)) if close.day != date(2026, 2, 10)]
    with pytest.raises(ClosesUnavailable, match="2026-02-10"):
        annualised_volatility(holed, days=30, today=TODAY)


def test_no_history_at_all_is_an_error() -> None:
    with pytest.raises(ClosesUnavailable, match="361 of 361 days"):
        annualised_volatility([], days=365, today=TODAY)


def test_a_price_that_stood_still_is_an_error_and_not_a_volatility_of_zero() -> None:
    with pytest.raises(NoVolatility, match="of the 30 days before 2026-03-01 do not vary"):
        annualised_volatility(closes(*[10_000] * 31), days=30, today=TODAY)


@pytest.mark.parametrize("price", [0, -1])
def test_a_close_is_positive(price: int) -> None:
    with pytest.raises(ValueError, match="not positive"):
        Close(day=TODAY, price=Usd8(price))


def test_finished_closes_come_oldest_first() -> None:
    found = finished_closes(reversed(closes(1, 2, 3)), count=3, today=TODAY)
    assert [close.price for close in found] == [1, 2, 3]


def test_venues_agree_up_to_the_tolerance_and_differ_beyond_it() -> None:
    mine = closes(10_000, 10_000, 10_000)
    assert differing_day(mine, closes(10_200, 9_800, 10_000), tolerance=Ppm(20_000)) is None
    assert differing_day(mine, closes(10_200, 9_799, 10_000), tolerance=Ppm(20_000)) == date(2026, 2, 27)


def test_a_day_that_the_other_venue_lacks_is_a_difference() -> None:
    assert differing_day(closes(1, 2, 3), closes(2, 3), tolerance=Ppm(20_000)) == date(2026, 2, 26)
