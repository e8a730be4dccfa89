"""Digests, and the fallback for builds of OpenSSL without RIPEMD-160."""

import hashlib

import pytest

from registry.stacks import hashes
from registry.stacks.ripemd160 import ripemd160

# Of the authors' paper.
PUBLISHED = {
    b"": "9c1185a5c5e9fc54612808977ee8f548b2258d31",
    b"abc": "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
    b"abcdefghijklmnopqrstuvwxyz": "f71c27109c692c1b56bbdceb5b9d2865b3708dbc",
    b"1234567890" * 8: "9b752e45573d4b39f4dbd3323cab82bf63326bfb",
    b"a" * 1_000: "aa69deee9a8922e92f8105e007f76110f381e9cf",
}


@pytest.mark.parametrize(("data", "digest"), PUBLISHED.items(), ids=lambda value: str(value)[:20])
def test_the_fallback_gives_the_published_digests(data: bytes, digest: str) -> None:
    assert ripemd160(data).hex() == digest


def test_the_fallback_equals_openssl_at_every_padding() -> None:
    if hashes._choose_ripemd160() is ripemd160:
        pytest.skip("this build of OpenSSL has no RIPEMD-160 to compare with")
    for length in range(131):
        data = bytes(range(length))
        assert ripemd160(data) == hashes._ripemd160_of_openssl(data)


def test_without_openssls_the_fallback_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(_name: str, _data: bytes = b"") -> None:
        raise ValueError("unsupported hash type ripemd160")

    monkeypatch.setattr(hashlib, "new", unsupported)
    assert hashes._choose_ripemd160() is ripemd160


def test_sha512_256_is_not_half_of_sha512() -> None:
    # FIPS 180-4's example of "abc".
    assert hashes.sha512_256(b"abc").hex() == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
    assert hashes.sha512_256(b"abc") != hashlib.sha512(b"abc").digest()[:32]
