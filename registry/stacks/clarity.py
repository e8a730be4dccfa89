"""Clarity values as bytes and back.

    id       type                 body
    00 01    int, uint            16 bytes
    02       buffer               length, bytes
    03 04    true, false
    05       standard principal   version, hash160
    06       contract principal   version, hash160, name
    07 08    ok, err              value
    09 0a    none, some           (none), value
    0b       list                 count, values
    0c       tuple                count, (name, value)…, names in byte order
    0d 0e    string-ascii, -utf8  length in bytes, bytes

Lengths and counts have 4 bytes, the length of a name 1. Everything is big-endian.
"""

from collections.abc import Callable
from typing import Final

from registry.stacks.containers import MAX_DEPTH, Err, List, Ok, Some, Tuple
from registry.stacks.errors import DecodeError
from registry.stacks.hashes import HASH160_LENGTH
from registry.stacks.principals import ContractPrincipal, Principal, StandardPrincipal, parse_principal
from registry.stacks.reader import Reader, located
from registry.stacks.values import (
    MAX_ENCODED_LENGTH,
    Bool,
    Buffer,
    Int,
    NoneValue,
    StringAscii,
    StringUtf8,
    UInt,
    Value,
)

__all__ = [
    "FALSE",
    "MAX_DEPTH",
    "NONE",
    "TRUE",
    "Bool",
    "Buffer",
    "ContractPrincipal",
    "DecodeError",
    "Err",
    "Int",
    "List",
    "NoneValue",
    "Ok",
    "Principal",
    "Some",
    "StandardPrincipal",
    "StringAscii",
    "StringUtf8",
    "Tuple",
    "UInt",
    "Value",
    "decode",
    "encode",
    "from_hex",
    "parse_principal",
    "read_value",
    "to_hex",
]

TRUE: Final = Bool(value=True)
FALSE: Final = Bool(value=False)
NONE: Final = NoneValue()


def encode(value: Value) -> bytes:
    """The consensus bytes of a value."""
    return value.encode()


def decode(data: bytes) -> Value:
    """The value of which these are the consensus bytes; DecodeError if there is none."""
    if len(data) > MAX_ENCODED_LENGTH:
        raise DecodeError("a value", 0, f"it takes {len(data)} bytes, over 1 MiB")
    reader = Reader(data)
    value = read_value(reader)
    reader.finish("a value")
    return value


def to_hex(value: Value) -> str:
    """The consensus bytes in lower-case hex, without 0x."""
    return value.encode().hex()


def from_hex(text: str) -> Value:
    """The value of hex with or without 0x."""
    digits = text.removeprefix("0x")
    try:
        data = bytes.fromhex(digits)
    except ValueError as error:
        raise DecodeError("a value", 0, "it is not hex") from error
    if len(digits) != 2 * len(data):
        raise DecodeError("a value", 0, "there is white space in its hex")
    return decode(data)


@located
def read_value(reader: Reader, *, levels: int = MAX_DEPTH) -> Value:
    """The next value, no deeper than `levels`."""
    if levels == 0:
        raise DecodeError("a value", reader.offset, "it is nested too deep")
    start = reader.offset
    tag = reader.uint(1, "the type of a value")
    if tag >= len(_BODIES):
        raise DecodeError("a value", start, f"0x{tag:02x} is the type of nothing")
    return _BODIES[tag](reader, levels - 1)


def read_standard_principal(reader: Reader) -> StandardPrincipal:
    """A version and a hash160, with no type byte."""
    version = reader.uint(1, "the version of a principal")
    return StandardPrincipal(version=version, hash160=reader.take(HASH160_LENGTH, "the hash of a principal"))


def read_contract_principal(reader: Reader) -> ContractPrincipal:
    """A version, a hash160 and a name, with no type byte."""
    deployer = read_standard_principal(reader)
    return ContractPrincipal(deployer=deployer, name=reader.name("a contract name"))


def _read_int(reader: Reader, _: int) -> Int:
    return Int(int.from_bytes(reader.take(16, "an int"), "big", signed=True))


def _read_uint(reader: Reader, _: int) -> UInt:
    return UInt(reader.uint(16, "a uint"))


def _read_buffer(reader: Reader, _: int) -> Buffer:
    return Buffer(reader.take(reader.uint(4, "the length of a buffer"), "a buffer"))


def _read_ascii(reader: Reader, _: int) -> StringAscii:
    data = reader.take(reader.uint(4, "the length of a string-ascii"), "a string-ascii")
    # A byte beyond ASCII becomes a character beyond it, which the class refuses.
    return StringAscii(data.decode("latin-1"))


def _read_utf8(reader: Reader, _: int) -> StringUtf8:
    length = reader.uint(4, "the length of a string-utf8")
    start = reader.offset
    try:
        return StringUtf8(reader.take(length, "a string-utf8").decode())
    except UnicodeDecodeError as error:
        raise DecodeError("a string-utf8", start + error.start, error.reason) from error


def _read_list(reader: Reader, levels: int) -> List:
    return List([read_value(reader, levels=levels) for _ in range(reader.count("a list"))])


def _read_tuple(reader: Reader, levels: int) -> Tuple:
    fields: dict[str, Value] = {}
    previous = ""
    for _ in range(reader.count("a tuple")):
        start = reader.offset
        name = reader.name("a tuple key")
        if fields and name <= previous:
            raise DecodeError("a tuple key", start, f"{name!r} does not come after {previous!r} in byte order")
        fields[name] = read_value(reader, levels=levels)
        previous = name
    return Tuple(fields)


# By type byte.
_BODIES: Final[tuple[Callable[[Reader, int], Value], ...]] = (
    _read_int,
    _read_uint,
    _read_buffer,
    lambda _reader, _levels: TRUE,
    lambda _reader, _levels: FALSE,
    lambda reader, _: read_standard_principal(reader),
    lambda reader, _: read_contract_principal(reader),
    lambda reader, levels: Ok(read_value(reader, levels=levels)),
    lambda reader, levels: Err(read_value(reader, levels=levels)),
    lambda _reader, _levels: NONE,
    lambda reader, levels: Some(read_value(reader, levels=levels)),
    _read_list,
    _read_tuple,
    _read_ascii,
    _read_utf8,
)
