"""What a Clarity value is, and those without others in them: a frozen class per type."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from registry.stacks.errors import EncodeError

MAX_LENGTH = 1024 * 1024
"""Bytes of a buffer or string."""

MAX_ENCODED_LENGTH = 1 + 4 + MAX_LENGTH
"""Bytes of a whole value: the largest buffer just fits."""

# Letters, digits, punctuation and the white space of ASCII, which leaves out the vertical tab.
_ASCII = re.compile(r"[\t\n\f\r -~]*")


class Value(ABC):
    """A type byte and a body."""

    __slots__ = ()

    @property
    @abstractmethod
    def tag(self) -> bytes:
        """The type byte."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """The type in JSON."""

    @property
    def depth(self) -> int:
        """Levels: one, and those of the deepest value in it."""
        return 1

    @abstractmethod
    def body(self) -> bytes:
        """What follows the type byte."""

    def _content(self) -> object:
        """What JSON says of the value beside its type; None where the type says it all."""
        return None

    def encode(self) -> bytes:
        """The consensus bytes."""
        encoded = self.tag + self.body()
        if len(encoded) > MAX_ENCODED_LENGTH:
            raise EncodeError("a value", f"it takes {len(encoded)} bytes, over 1 MiB")
        return encoded

    def to_json(self) -> dict[str, object]:
        """The value as JSON: integers as decimal strings, buffers as hex without 0x."""
        content = self._content()
        return {"type": self.kind} if content is None else {"type": self.kind, "value": content}


@dataclass(frozen=True, slots=True)
class Int(Value):
    """A signed integer of 128 bits."""

    value: int

    tag = b"\x00"
    kind = "int"

    def __post_init__(self) -> None:
        if not -(2**127) <= self.value < 2**127:
            raise EncodeError("an int", "it is not one of -2^127 to 2^127 - 1")

    def body(self) -> bytes:
        """16 bytes, two's complement."""
        return self.value.to_bytes(16, "big", signed=True)

    def _content(self) -> object:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class UInt(Value):
    """An unsigned integer of 128 bits."""

    value: int

    tag = b"\x01"
    kind = "uint"

    def __post_init__(self) -> None:
        if not 0 <= self.value < 2**128:
            raise EncodeError("a uint", "it is not one of 0 to 2^128 - 1")

    def body(self) -> bytes:
        """16 bytes."""
        return self.value.to_bytes(16, "big")

    def _content(self) -> object:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Bool(Value):
    """True or false: all of it is in the type byte."""

    value: bool

    @property
    def tag(self) -> bytes:
        """3 for true, 4 for false."""
        return b"\x03" if self.value else b"\x04"

    @property
    def kind(self) -> str:
        """Its own word for each."""
        return "true" if self.value else "false"

    def body(self) -> bytes:
        """Nothing."""
        return b""


@dataclass(frozen=True, slots=True)
class Buffer(Value):
    """Bytes, up to 1 MiB."""

    value: bytes

    tag = b"\x02"
    kind = "buffer"

    def __post_init__(self) -> None:
        _refuse_over_length("a buffer", len(self.value))

    def body(self) -> bytes:
        """A 4-byte length and the bytes."""
        return _with_length(self.value)

    def _content(self) -> object:
        return self.value.hex()


@dataclass(frozen=True, slots=True)
class StringAscii(Value):
    """Letters, digits, punctuation and white space of ASCII, up to 1 MiB."""

    value: str

    tag = b"\x0d"
    kind = "ascii"

    def __post_init__(self) -> None:
        _refuse_over_length("a string-ascii", len(self.value))
        if not _ASCII.fullmatch(self.value):
            raise EncodeError("a string-ascii", "a character is neither printable ASCII nor ASCII white space")

    def body(self) -> bytes:
        """A 4-byte length and the characters."""
        return _with_length(self.value.encode("ascii"))

    def _content(self) -> object:
        return self.value


@dataclass(frozen=True, slots=True)
class StringUtf8(Value):
    """Unicode, up to 1 MiB of UTF-8: the length before it counts bytes, not characters."""

    value: str

    tag = b"\x0e"
    kind = "utf8"

    def __post_init__(self) -> None:
        try:
            encoded = self.value.encode()
        except UnicodeEncodeError as error:
            raise EncodeError("a string-utf8", f"character {error.start} is half a surrogate pair") from error
        _refuse_over_length("a string-utf8", len(encoded))

    def body(self) -> bytes:
        """A 4-byte length and the bytes."""
        return _with_length(self.value.encode())

    def _content(self) -> object:
        return self.value


@dataclass(frozen=True, slots=True)
class NoneValue(Value):
    """The optional that holds nothing."""

    tag = b"\x09"
    kind = "none"

    def body(self) -> bytes:
        """Nothing."""
        return b""


def _refuse_over_length(what: str, length: int) -> None:
    if length > MAX_LENGTH:
        raise EncodeError(what, f"it has {length} bytes, over 1 MiB")


def _with_length(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
