"""What headers say of an action: the one usable key, and for how long its answer is waited for."""

import pytest
from fastapi import Request

from api.idempotency import MOST_SECONDS, idempotency_key, waits
from api.problem import Problem
from registry.services.submissions import inner_key

USUAL = 10.0


def asked(*headers: tuple[str, str]) -> Request:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize("key", ["k", "k" * 200, "with a space", "~!"])
def test_a_printable_key_of_up_to_200_characters_is_taken_as_it_is(key: str) -> None:
    assert idempotency_key(asked(("Idempotency-Key", key))) == key


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ((), "idempotency_key_missing"),
        (("",), "bad_request"),
        (("k" * 201,), "bad_request"),
        (("a", "a"), "bad_request"),
        (("a\x7f",), "bad_request"),
        (("\xe9",), "bad_request"),
        (("a\n",), "bad_request"),
    ],
    ids=str,
)
def test_any_other_is_refused_and_not_shown_again(keys: tuple[str, ...], code: str) -> None:
    with pytest.raises(Problem) as refused:
        idempotency_key(asked(*(("Idempotency-Key", key) for key in keys)))
    assert (refused.value.status, refused.value.code) == (400, code)
    assert not any(len(key) > 1 and key in refused.value.detail for key in keys)


@pytest.mark.parametrize(
    ("preferred", "seconds"),
    [
        ((), USUAL),
        (("wait=3",), 3.0),
        (("wait=0",), 0.0),
        (("respond-async, WAIT = 4",), 4.0),
        (("respond-async", "wait=5; foo=bar"), 5.0),
        (("wait=9999",), MOST_SECONDS),
        (("wait=99999",), USUAL),
        (("wait=-1",), USUAL),
        (("wait=1.5",), USUAL),
        (("wait=",), USUAL),
        (("waiting=1",), USUAL),
    ],
    ids=str,
)
def test_a_preference_bounds_the_wait_and_one_that_is_none_is_passed_over(
    preferred: tuple[str, ...], seconds: float
) -> None:
    assert waits(asked(*(("Prefer", each) for each in preferred)), usual=USUAL) == seconds


def test_a_wait_that_is_usually_longer_may_be_asked_for() -> None:
    assert waits(asked(("Prefer", "wait=9999")), usual=45.0) == 45.0


def test_the_inner_key_is_the_same_for_the_same_and_of_no_other_operation() -> None:
    keys = [inner_key(operation, key) for operation in ("a", "b") for key in ("k", "k" * 200, "a:k")]
    assert len(set(keys)) == len(keys)
    assert keys[0] == inner_key("a", "k")
    assert all(len(inner_key("policies.activate", "k" * size)) <= 200 for size in (1, 200))
