"""Reading a venue's JSON strictly."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from registry.market.answer import Answer
from registry.market.venue import VenueError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def answer(value: object) -> Answer:
    return Answer(venue="test", value=value, fetched_at=NOON)


@pytest.mark.parametrize(
    ("value", "price"),
    [
        ("50000", 5_000_000_000_000),
        ("0.00000001", 1),
        ("50000.12345678", 5_000_012_345_678),
        ("1.000000005", 100_000_000),  # half to even, down
        ("1.000000015", 100_000_002),  # half to even, up
        ("1.0000000150000000000000000000000001", 100_000_002),
        ("1.0000000050000000000000000000000001", 100_000_001),
        (Decimal("6.5E+4"), 6_500_000_000_000),
        (50_000, 5_000_000_000_000),
        (10**9, 10**17),
    ],
)
def test_a_price_is_scaled_exactly_and_rounded_half_to_even(value: object, price: int) -> None:
    assert answer(value).price() == price


@pytest.mark.parametrize("value", ["0", "-1", 0, -5, Decimal(0), "0.0", "-0.00000001"])
def test_a_price_is_positive(value: object) -> None:
    with pytest.raises(VenueError, match="is not a positive price"):
        answer(value).price()


@pytest.mark.parametrize(
    "value",
    ["1000000000.01", 10**40, Decimal("1E+999999999"), Decimal("1E-999999999"), "0.000000009"],
)
def test_an_absurd_price_is_refused_before_it_fills_the_memory(value: object) -> None:
    with pytest.raises(VenueError, match="is no believable price"):
        answer(value).price()


@pytest.mark.parametrize(
    "value", ["", " 1", "1 ", "1_000", "1,5", "+1", ".5", "1.", "1e5", "NaN", "Infinity", "٣", "0x1", "1" * 41]
)
def test_a_string_is_a_number_only_in_plain_digits(value: str) -> None:
    with pytest.raises(VenueError, match="is not a decimal number"):
        answer(value).decimal()


@pytest.mark.parametrize("value", [None, True, False, [], {}, 1.5])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(VenueError, match="is not a number"):
        answer(value).decimal()


@pytest.mark.parametrize("value", ["1.5", Decimal("1E+30"), Decimal("1E+999999999"), 2**63 + 1])
def test_an_integer_is_whole_and_fits(value: object) -> None:
    with pytest.raises(VenueError, match="is not a whole number of 64 bits"):
        answer(value).integer()


def test_every_form_of_time_is_read_as_utc() -> None:
    assert answer(1_772_366_400).seconds() == NOON
    assert answer("1772366400").seconds() == NOON
    assert answer(1_772_366_400_500).milliseconds() == NOON.replace(microsecond=500_000)
    assert answer("2026-03-01T12:00:00.000000Z").iso_time() == NOON
    assert answer("2026-03-01T13:00:00+01:00").iso_time() == NOON


@pytest.mark.parametrize("value", ["yesterday", "2026-03-01T12:00:00", ""])
def test_a_time_without_meaning_or_zone_is_refused(value: str) -> None:
    with pytest.raises(VenueError):
        answer(value).iso_time()


def test_a_time_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(VenueError, match="is no believable time"):
        answer(2**62).seconds()


def test_an_error_names_the_venue_and_the_place() -> None:
    with pytest.raises(VenueError) as refused:
        answer({"result": {"c": ["1"]}}).field("result").field("c").item(1)
    assert refused.value.figures == {
        "venue": "test",
        "reason": "the answer.result.c has 1 elements, no [1]",
    }


def test_a_place_of_another_kind_is_refused() -> None:
    with pytest.raises(VenueError, match="is not an object"):
        answer([]).field("a")
    with pytest.raises(VenueError, match="is not a list"):
        answer({}).item(0)
    with pytest.raises(VenueError, match="is not a list"):
        list(answer("ab").items())
    with pytest.raises(VenueError, match="is not a string"):
        answer(1).text()
    with pytest.raises(VenueError, match="has no 'a'"):
        answer({"b": 1}).field("a")


@pytest.mark.parametrize("value", [{}, {"a": 1, "b": 2}, {"last": 1}])
def test_the_only_entry_is_the_only_one(value: object) -> None:
    with pytest.raises(VenueError, match="entries, not one"):
        answer(value).only_field(beside="last")


def test_a_daily_candle_opens_at_midnight_utc() -> None:
    assert answer("5").close(NOON.replace(hour=0)).day == NOON.date()
    with pytest.raises(VenueError, match="not at midnight UTC"):
        answer("5").close(NOON)
