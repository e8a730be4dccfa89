"""Clarity values read by the shape that our contracts promise; anything else raises UnexpectedValue."""

from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar, NoReturn, Protocol, Self, TypeVar

from registry.domain.errors import Alarm
from registry.domain.policy import OnChainStatus
from registry.domain.units import BaseUnits, BurnHeight, Principal, Token
from registry.stacks.clarity import (
    Bool,
    Buffer,
    ContractPrincipal,
    Err,
    List,
    NoneValue,
    Ok,
    Some,
    StandardPrincipal,
    StringAscii,
    Tuple,
    UInt,
    Value,
)

SHOWN = 200
"""Characters of a strange value that an error repeats."""


class UnexpectedValue(Alarm):
    """A contract answered or printed what ours never does: another contract stands at that id."""

    code = "unexpected_value"
    sentence = "{what} is not what our contracts give: {reason}"
    remedy = "compare the configured contract ids with what is deployed"


class Shaped(Protocol):
    """A frozen dataclass that reads itself from a tuple with one key per field."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @classmethod
    def read(cls, shape: "Shape", /) -> Self:
        """Take every field by its kebab name."""
        ...


S = TypeVar("S", bound=Shaped)


@dataclass(frozen=True, slots=True)
class Shape:
    """A tuple's values by name; `what` it is, for messages. Numbers may have any 128 bits."""

    what: str
    values: dict[str, Value]

    @classmethod
    def of(cls, value: Value, what: str) -> "Shape":
        """See a value as a tuple."""
        if not isinstance(value, Tuple):
            unexpected(what, value, "a tuple")
        return cls(what, dict(value.entries))

    def read_as(self, kind: type[S], *, besides: int = 0) -> S:
        """Read the whole tuple, which has one key per field of `kind` and `besides` more."""
        thing = kind.read(self)
        if len(self.values) != len(fields(kind)) + besides:
            raise UnexpectedValue(what=self.what, reason=f"its keys are {sorted(self.values)}")
        return thing

    def uint(self, name: str) -> int:
        """A uint."""
        return uint(self._get(name), f"{self.what} {name}")

    def units(self, name: str) -> BaseUnits:
        """A uint that counts micro-STX or satoshi."""
        return BaseUnits(self.uint(name))

    def height(self, name: str) -> BurnHeight:
        """A uint that is a burn height."""
        return BurnHeight(self.uint(name))

    def principal(self, name: str) -> Principal:
        """A principal of either kind."""
        return principal(self._get(name), f"{self.what} {name}")

    def text(self, name: str) -> str:
        """A string-ascii."""
        value = self._get(name)
        if not isinstance(value, StringAscii):
            unexpected(f"{self.what} {name}", value, "a string-ascii")
        return value.value

    def token(self, name: str) -> Token:
        """A string-ascii that names a token."""
        text = self.text(name)
        if text not in list(Token):
            raise UnexpectedValue(what=f"{self.what} {name}", reason=f"{text[:SHOWN]!r} names no token")
        return Token(text)

    def status(self, name: str) -> OnChainStatus:
        """A uint that stands for a status."""
        number = self.uint(name)
        if number not in list(OnChainStatus):
            raise UnexpectedValue(what=f"{self.what} {name}", reason=f"u{number} stands for no status")
        return OnChainStatus(number)

    def buffer(self, name: str) -> bytes:
        """A buffer of any length."""
        value = self._get(name)
        if not isinstance(value, Buffer):
            unexpected(f"{self.what} {name}", value, "a buffer")
        return value.value

    def _get(self, name: str) -> Value:
        value = self.values.get(name)
        if value is None:
            raise UnexpectedValue(what=self.what, reason=f"it has no {name}")
        return value


def uint(value: Value, what: str) -> int:
    """Read a uint."""
    if not isinstance(value, UInt):
        unexpected(what, value, "a uint")
    return value.value


def principal(value: Value, what: str) -> Principal:
    """Read a principal of either kind, as text."""
    if not isinstance(value, StandardPrincipal | ContractPrincipal):
        unexpected(what, value, "a principal")
    return Principal(str(value))


def truth(value: Value, what: str) -> None:
    """Read `true`, the only answer of calls that have nothing else to say."""
    if not isinstance(value, Bool) or not value.value:
        unexpected(what, value, "true")


def optional(value: Value, what: str) -> Value | None:
    """Read an optional: what it holds, or None."""
    if isinstance(value, Some):
        return value.value
    if not isinstance(value, NoneValue):
        unexpected(what, value, "an optional")
    return None


def items(value: Value, what: str, *, count: int) -> tuple[Value, ...]:
    """Read a list of exactly `count` values."""
    if not isinstance(value, List):
        unexpected(what, value, "a list")
    if len(value) != count:
        raise UnexpectedValue(what=what, reason=f"it has {len(value)} entries, not {count}")
    return tuple(value)


def response(value: Value, what: str) -> Ok | Err:
    """Read a response of either kind."""
    if not isinstance(value, Ok | Err):
        unexpected(what, value, "a response")
    return value


def unexpected(what: str, value: Value, expected: str) -> NoReturn:
    """Refuse a value of another type."""
    raise UnexpectedValue(what=what, reason=f"it is {str(value.to_json())[:SHOWN]}, not {expected}")
