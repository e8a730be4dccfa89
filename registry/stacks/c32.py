"""Addresses: a version and a hash160 in Crockford's base 32, with a checksum.

Decoders elsewhere also take lower case, O for 0 and I or L for 1. Only the canonical spelling is taken here, or one
account would have two names.
"""

import base64
import re
from functools import lru_cache

from registry.stacks.errors import DecodeError, EncodeError
from registry.stacks.hashes import HASH160_LENGTH, sha256

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ADDRESS_VERSIONS = len(ALPHABET)
CHECKSUM_LENGTH = 4

_RFC4648 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TO_RFC4648 = str.maketrans(ALPHABET, _RFC4648)
_FROM_RFC4648 = str.maketrans(_RFC4648, ALPHABET)

# 24 bytes fill 38.4 digits: with one zero byte before them, exactly 40.
_DIGITS = 40
_SPELLING = re.compile(f"S[{ALPHABET}]{{27,40}}")


def encode_address(version: int, hash160: bytes) -> str:
    """The address, such as `SP…` for version 22 and `ST…` for version 26."""
    if not 0 <= version < ADDRESS_VERSIONS:
        raise EncodeError("an address", f"its version {version} is not one of 0 to 31")
    if len(hash160) != HASH160_LENGTH:
        raise EncodeError("an address", f"its hash has {len(hash160)} bytes, not 20")
    body = hash160 + _checksum(version, hash160)
    digits = base64.b32encode(b"\0" + body).decode().translate(_FROM_RFC4648).lstrip("0")
    leading_zeros = len(body) - len(body.lstrip(b"\0"))
    return f"S{ALPHABET[version]}{'0' * leading_zeros}{digits}"


# The same few come again and again: contracts, signers, the owners of one block's events.
@lru_cache(maxsize=1024)
def decode_address(text: str) -> tuple[int, bytes]:
    """The version and the hash160 of an address; DecodeError unless it is spelled as the encoder does."""
    if not _SPELLING.fullmatch(text):
        raise DecodeError("an address", 0, "it is not S and 27 to 40 digits of Crockford's base 32")
    version = ALPHABET.index(text[1])
    digits = text[2:].rjust(_DIGITS, "0")
    body = base64.b32decode(digits.translate(_TO_RFC4648))[1:]
    hash160, checksum = body[:HASH160_LENGTH], body[HASH160_LENGTH:]
    if checksum != _checksum(version, hash160):
        raise DecodeError("an address", 2, "its checksum is wrong")
    if text != encode_address(version, hash160):
        raise DecodeError("an address", 2, "it has more or fewer leading zeros than its bytes")
    return version, hash160


def _checksum(version: int, hash160: bytes) -> bytes:
    return sha256(sha256(bytes((version,)) + hash160))[:CHECKSUM_LENGTH]
