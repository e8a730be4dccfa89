"""RIPEMD-160 in plain Python, for builds of OpenSSL that leave it out."""

import struct
from typing import NamedTuple

State = tuple[int, int, int, int, int]

_MASK = 0xFFFF_FFFF

_INITIAL: State = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)


class _Line(NamedTuple):
    """What one of the two lines does in each of its five rounds of sixteen steps."""

    words: tuple[tuple[int, ...], ...]
    """The order in which the words of a block are added."""

    turns: tuple[tuple[int, ...], ...]
    """How far each step rotates."""

    functions: tuple[int, ...]
    constants: tuple[int, ...]


_LEFT = _Line(
    words=(
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8),
        (3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12),
        (1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2),
        (4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13),
    ),
    turns=(
        (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
        (7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12),
        (11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5),
        (11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12),
        (9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6),
    ),
    functions=(0, 1, 2, 3, 4),
    constants=(0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E),
)
_RIGHT = _Line(
    words=(
        (5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12),
        (6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2),
        (15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13),
        (8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14),
        (12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11),
    ),
    turns=(
        (8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6),
        (9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11),
        (9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5),
        (15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8),
        (8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11),
    ),
    functions=(4, 3, 2, 1, 0),
    constants=(0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000),
)


def _mix(function: int, x: int, y: int, z: int) -> int:
    """One of the five functions of three words."""
    match function:
        case 0:
            return x ^ y ^ z
        case 1:
            return (x & y) | (~x & z)
        case 2:
            return (x | ~y) ^ z
        case 3:
            return (x & z) | (y & ~z)
        case _:
            return x ^ (y | ~z)


def _turn(word: int, by: int) -> int:
    """Rotate a 32-bit word to the left."""
    word &= _MASK
    return (word << by | word >> (32 - by)) & _MASK


def _follow(line: _Line, state: State, block: tuple[int, ...]) -> State:
    """The eighty steps of a line over one block."""
    a, b, c, d, e = state
    for words, turns, function, constant in zip(*line, strict=True):
        for word, by in zip(words, turns, strict=True):
            mixed = a + _mix(function, b, c, d) + block[word] + constant
            a, b, c, d, e = e, (_turn(mixed, by) + e) & _MASK, b, _turn(c, 10), d
    return a, b, c, d, e


def _compress(state: State, block: tuple[int, ...]) -> State:
    """Take one block of sixteen words into the state."""
    left = _follow(_LEFT, state, block)
    right = _follow(_RIGHT, state, block)
    a, b, c, d, e = ((state[(i + 1) % 5] + left[(i + 2) % 5] + right[(i + 3) % 5]) & _MASK for i in range(5))
    return a, b, c, d, e


def ripemd160(data: bytes) -> bytes:
    """The 20-byte digest."""
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", 8 * len(data))
    state = _INITIAL
    for block in struct.iter_unpack("<16I", padded):
        state = _compress(state, block)
    return struct.pack("<5I", *state)
