"""The hash functions of the chain."""

import hashlib
from collections.abc import Callable

from registry.stacks.ripemd160 import ripemd160 as ripemd160_in_python

HASH160_LENGTH = 20


def sha256(data: bytes) -> bytes:
    """32 bytes: of scripts, messages and checksums."""
    return hashlib.sha256(data).digest()


def sha512_256(data: bytes) -> bytes:
    """32 bytes: SHA-512/256, of transactions; not the first half of SHA-512."""
    return hashlib.new("sha512_256", data).digest()


def hash160(data: bytes) -> bytes:
    """20 bytes: RIPEMD-160 of SHA-256, of public keys and scripts."""
    return _ripemd160(hashlib.sha256(data).digest())


def _ripemd160_of_openssl(data: bytes) -> bytes:
    return hashlib.new("ripemd160", data).digest()


def _choose_ripemd160() -> Callable[[bytes], bytes]:
    """OpenSSL's, unless its build leaves RIPEMD-160 out, as OpenSSL 3 does without its legacy provider."""
    try:
        _ripemd160_of_openssl(b"")
    except ValueError:
        return ripemd160_in_python
    return _ripemd160_of_openssl


_ripemd160 = _choose_ripemd160()
