"""JSON that has one meaning only."""

import json

import pytest

from api import strict


@pytest.mark.parametrize("value", [{}, [], "x", 1, 1.5, None, {"a": [{"b": "ü€𝄞"}]}, 10**99])
def test_what_json_holds_is_read_as_it_is(value: object) -> None:
    assert strict.read(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}x", "not JSON"),
        (b"\xff{}", "not UTF-8"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a":1,"a":2}', "twice"),
        (b'[{"a":1,"\\u0061":2}]', "twice"),
        (b"[NaN]", "no JSON"),
        (b"-Infinity", "no JSON"),
        (b"1e999", "too large"),
        (b"9" * 101, "more than 100 digits"),
        (b"9" * 5_000, "more than 100 digits"),
        (b'"\\u0000"', "NUL"),
        (b'{"a\\u0000":1}', "NUL"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b"[" * 40 + b"]" * 40, "deep"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "deep"),
        (b"[" * 30_000, "deep"),
        (b"[" * 30_000 + b"]" * 30_000, "deep"),
    ],
)
def test_what_two_readers_might_read_differently_is_refused_with_the_reason(sent: bytes, reason: str) -> None:
    with pytest.raises(strict.Unusable, match=reason):
        strict.read(sent)


def test_a_reason_holds_nothing_of_what_was_sent() -> None:
    for sent in (b'{"secret":1,"secret":2}', b"[secret]", b'"secret\\u0000"'):
        with pytest.raises(strict.Unusable) as refused:
            strict.read(sent)
        assert "secret" not in str(refused.value)
