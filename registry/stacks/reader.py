"""Bytes read once, from front to back, taking nothing on trust."""

from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from registry.stacks.errors import DecodeError, EncodeError

P = ParamSpec("P")
T = TypeVar("T")
Member = TypeVar("Member", bound=IntEnum)


class Reader:
    """The bytes and how far they are read."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, length: int, what: str) -> bytes:
        """The next `length` bytes."""
        start = self.offset
        remaining = len(self.data) - start
        if length > remaining:
            raise DecodeError(what, start, f"it needs {length} bytes and {remaining} remain")
        self.offset = start + length
        return self.data[start : self.offset]

    def uint(self, size: int, what: str) -> int:
        """An unsigned big-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size, what), "big")

    def count(self, what: str) -> int:
        """A 4-byte number of things to come; each of them takes a byte at least, so no more than remain."""
        start = self.offset
        count = self.uint(4, what)
        remaining = len(self.data) - self.offset
        if count > remaining:
            raise DecodeError(what, start, f"it announces {count} items and {remaining} bytes remain")
        return count

    def member(self, members: type[Member], what: str) -> Member:
        """One byte that stands for one of a few things."""
        start = self.offset
        number = self.uint(1, what)
        try:
            return members(number)
        except ValueError:
            known = ", ".join(f"0x{member:02x}" for member in members)
            raise DecodeError(what, start, f"0x{number:02x} is none of {known}") from None

    def name(self, what: str) -> str:
        """A name after its 1-byte length; that it is a good one, its owner checks."""
        return self.take(self.uint(1, what), what).decode("latin-1")

    def finish(self, what: str) -> None:
        """Refuse bytes that nothing asked for."""
        remaining = len(self.data) - self.offset
        if remaining:
            raise DecodeError(what, self.offset, f"{remaining} bytes follow it")


def located(read: Callable[Concatenate[Reader, P], T]) -> Callable[Concatenate[Reader, P], T]:
    """Let what is read refuse itself by its own rules, and say where it stood."""

    @wraps(read)
    def read_here(reader: Reader, /, *args: P.args, **kwargs: P.kwargs) -> T:
        start = reader.offset
        try:
            return read(reader, *args, **kwargs)
        except EncodeError as refusal:
            raise DecodeError(refusal.what, start, refusal.reason) from refusal

    return read_here
