"""Clarity values with others in them: optionals, responses, lists and tuples."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from registry.stacks.errors import EncodeError
from registry.stacks.names import encode_name, refuse_clarity_name
from registry.stacks.values import Value

MAX_DEPTH = 32
"""Levels of a value, a value without others in it being one."""

MAX_UNTYPED_DEPTH = 16
"""Levels of a value in a transaction, where the node expects no type of it."""


@dataclass(frozen=True, slots=True)
class _Wrapper(Value):
    """A value around one other."""

    value: Value
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _depth_around((self.value,)))

    def body(self) -> bytes:
        """The other value."""
        return self.value.encode()

    def _content(self) -> object:
        return self.value.to_json()


class Some(_Wrapper):
    """The optional that holds a value."""

    __slots__ = ()
    tag = b"\x0a"
    kind = "some"


class Ok(_Wrapper):
    """A response that went well."""

    __slots__ = ()
    tag = b"\x07"
    kind = "ok"


class Err(_Wrapper):
    """A response that did not."""

    __slots__ = ()
    tag = b"\x08"
    kind = "err"


@dataclass(frozen=True, slots=True, init=False)
class List(Value):
    """Values in order. That they are of one type is for the contract to check."""

    items: tuple[Value, ...]
    depth: int = field(repr=False, compare=False)

    tag = b"\x0b"
    kind = "list"

    def __init__(self, items: Iterable[Value] = ()) -> None:
        object.__setattr__(self, "items", tuple(items))
        object.__setattr__(self, "depth", _depth_around(self.items))

    def __iter__(self) -> Iterator[Value]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def body(self) -> bytes:
        """A 4-byte count and the values."""
        return len(self.items).to_bytes(4, "big") + b"".join([item.encode() for item in self.items])

    def _content(self) -> object:
        return [item.to_json() for item in self.items]


@dataclass(frozen=True, slots=True, init=False)
class Tuple(Value):
    """Values by name, one at least, in the byte order of their names whichever order they are given in."""

    entries: tuple[tuple[str, Value], ...]
    depth: int = field(repr=False, compare=False)

    tag = b"\x0c"
    kind = "tuple"

    def __init__(self, fields: Mapping[str, Value]) -> None:
        if not fields:
            raise EncodeError("a tuple", "it is empty")
        for name in fields:
            refuse_clarity_name(name)
        # Names are ASCII, so that the order of characters is that of bytes.
        object.__setattr__(self, "entries", tuple(sorted(fields.items(), key=itemgetter(0))))
        object.__setattr__(self, "depth", _depth_around(fields.values()))

    def __getitem__(self, name: str) -> Value:
        return dict(self.entries)[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def body(self) -> bytes:
        """A 4-byte count and, each after its name, the values."""
        fields = [encode_name(name) + value.encode() for name, value in self.entries]
        return len(fields).to_bytes(4, "big") + b"".join(fields)

    def _content(self) -> object:
        return {name: value.to_json() for name, value in self.entries}


def refuse_untyped_depth(value: Value) -> None:
    """Refuse a value that is deeper than a transaction can hold."""
    if value.depth > MAX_UNTYPED_DEPTH:
        raise EncodeError("a value", f"it is nested deeper than the {MAX_UNTYPED_DEPTH} levels of a transaction")


def _depth_around(inner: Iterable[Value]) -> int:
    """The levels of a value around others."""
    depth = 1 + max((value.depth for value in inner), default=0)
    if depth > MAX_DEPTH:
        raise EncodeError("a value", f"it is nested deeper than {MAX_DEPTH} levels")
    return depth
