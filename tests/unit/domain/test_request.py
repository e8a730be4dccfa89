"""What a request may say, and what each wrong word is answered with."""

from typing import Any

import pytest

from registry.domain.errors import BadRequest
from registry.domain.policy import ExerciseStyle
from registry.domain.prices import Pair
from registry.domain.request import CreationRequest, integer, object_of, text
from registry.domain.units import BIGINT_MAX, Token

GOOD: dict[str, Any] = {
    "policy_type": "PUT",
    "protected_value_price_feed_units": 4_500_000_000_000,
    "protected_amount_sats": 10_000_000,
    "duration_days": 30,
    "premium_token": "STX",
}
NUMBERS = ("protected_value_price_feed_units", "protected_amount_sats", "duration_days")


def refused(body: object) -> str:
    with pytest.raises(BadRequest) as caught:
        CreationRequest.from_json(body)
    return str(caught.value.figures["field"])


def test_a_request_is_american_unless_it_says_otherwise() -> None:
    read = CreationRequest.from_json(GOOD)
    assert (read.strike, read.amount, read.days) == (4_500_000_000_000, 10_000_000, 30)
    assert (read.token, read.style) == (Token.STX, ExerciseStyle.AMERICAN)
    assert CreationRequest.from_json({**GOOD, "exercise_style": "european"}).style is ExerciseStyle.EUROPEAN


def test_digits_in_a_string_are_the_same_request() -> None:
    written = {name: str(GOOD[name]) for name in NUMBERS}
    assert CreationRequest.from_json({**GOOD, **written}) == CreationRequest.from_json(GOOD)


def test_what_is_read_is_written_in_one_form_and_read_again() -> None:
    read = CreationRequest.from_json({**GOOD, "duration_days": "030", "settlement_token": "STX"})
    assert read.to_json() == {**GOOD, "exercise_style": "american"}
    assert CreationRequest.from_json(read.to_json()) == read


@pytest.mark.parametrize("missing", GOOD)
def test_each_missing_field_is_named(missing: str) -> None:
    assert refused({name: value for name, value in GOOD.items() if name != missing}) == missing


@pytest.mark.parametrize("name", ["owner_principal", "premium", "Duration_days", ""])
def test_a_field_too_many_is_named(name: str) -> None:
    assert refused({**GOOD, name: 1}) == name


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [None, True, False, 1.0, 30.5, "", "1.5", "-1", "+1", " 30", "1_000", "0x1f", "٣٠", "9" * 21, [30], {}, 0, -1],
)
@pytest.mark.parametrize("huge", [BIGINT_MAX + 1, 2**128, 10**400])
def test_a_number_is_a_positive_integer_that_a_column_holds(name: str, value: object, huge: int) -> None:
    assert refused({**GOOD, name: value}) == name
    assert refused({**GOOD, name: huge}) == name
    assert CreationRequest.from_json({**GOOD, name: BIGINT_MAX}).to_json()[name] == BIGINT_MAX


@pytest.mark.parametrize("value", ["CALL", "put", "", None, 1, ["PUT"]])
def test_only_puts_are_sold(value: object) -> None:
    assert refused({**GOOD, "policy_type": value}) == "policy_type"


@pytest.mark.parametrize("value", ["BTC", "stx", "SBTC", "", None, 0, ["STX"]])
def test_a_token_is_spelt_exactly(value: object) -> None:
    assert refused({**GOOD, "premium_token": value}) == "premium_token"


@pytest.mark.parametrize("value", ["bermudan", "American", "", None, True])
def test_an_exercise_style_is_american_or_european(value: object) -> None:
    assert refused({**GOOD, "exercise_style": value}) == "exercise_style"


@pytest.mark.parametrize("token", Token)
@pytest.mark.parametrize("settled", ["STX", "sBTC", "BTC", None])
def test_a_policy_is_paid_out_in_the_token_that_it_is_paid_for_in(token: Token, settled: object) -> None:
    body = {**GOOD, "premium_token": token.value, "settlement_token": settled}
    if settled == token:
        assert CreationRequest.from_json(body).token is token
    else:
        assert refused(body) == "settlement_token"


@pytest.mark.parametrize("value", [None, [], "PUT", 1, [("policy_type", "PUT")]])
def test_a_request_is_an_object(value: object) -> None:
    assert refused(value) == "request"


def test_stx_needs_both_prices_and_sbtc_only_one() -> None:
    assert CreationRequest.from_json(GOOD).pairs == (Pair.BTC_USD, Pair.STX_USD)
    assert CreationRequest.from_json({**GOOD, "premium_token": "sBTC"}).pairs == (Pair.BTC_USD,)


def test_both_ends_of_a_numbers_range_are_in_it() -> None:
    assert [integer("limit", value, lowest=1, highest=500) for value in (1, "500")] == [1, 500]
    for value in (0, 501):
        with pytest.raises(BadRequest, match="between 1 and 500"):
            integer("limit", value, lowest=1, highest=500)


@pytest.mark.parametrize("value", ["", "a" * 201, "line\nbreak", "nul\0", "\u202e", None, 1, b"key"])
def test_a_text_is_short_and_printable(value: object) -> None:
    with pytest.raises(BadRequest, match="key is not usable"):
        text("key", value)
    assert text("key", "a" * 200) == "a" * 200


def test_an_object_may_leave_out_what_is_optional_only() -> None:
    assert object_of("message", {"a": 1}, required={"a"}, optional={"b"}) == {"a": 1}
    assert object_of("message", {"a": 1, "b": 2}, required={"a"}, optional={"b"}) == {"a": 1, "b": 2}
    with pytest.raises(BadRequest, match="b is not usable: message has no such field"):
        object_of("message", {"a": 1, "b": 2}, required={"a"})
