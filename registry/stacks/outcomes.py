"""What our contracts' calls returned: a payout, or a refusal with its number."""

from dataclasses import dataclass
from typing import Self

from registry.domain.units import BaseUnits, Token
from registry.stacks import clarity
from registry.stacks.clarity import Err, NoneValue, UInt, Value
from registry.stacks.contract_errors import meaning_of
from registry.stacks.errors import DecodeError
from registry.stacks.shapes import Shape, UnexpectedValue, items, response, truth, unexpected


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """A policy that ended: what was paid (0 when it expired) and the collateral that became free."""

    token: Token
    collateral: BaseUnits
    payout: BaseUnits

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(token=shape.token("token"), collateral=shape.units("collateral"), payout=shape.units("payout"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A contract's refusal; the code is None after a runtime error, and may be one that is not in our table."""

    code: int | None

    @property
    def meaning(self) -> str:
        """Why, for people."""
        return meaning_of(self.code)


def settlement(raw: bytes) -> Payout | Refused:
    """Read what `settle-policy` or `release-collateral` returned."""
    return _ended(_decode(raw, "the result of an ended policy"), "the result of an ended policy")


def expirations(raw: bytes, *, count: int) -> tuple[Payout | Refused, ...]:
    """Read what `expire-policies` or `settle-policies` returned for `count` policies, in their order.

    The transaction succeeds with every entry refused; a batch refused as a whole refuses each entry.
    """
    what = "the result of a batch"
    whole = response(_decode(raw, what), what)
    if isinstance(whole, Err):
        return (_refused(whole, what),) * count
    return tuple(_ended(entry, "an entry of a batch") for entry in items(whole.value, what, count=count))


def acknowledgement(raw: bytes) -> Refused | None:
    """Read what `update-policy-status` returned; None is `(ok true)`."""
    what = "the result of a status update"
    whole = response(_decode(raw, what), what)
    if isinstance(whole, Err):
        return _refused(whole, what)
    truth(whole.value, what)
    return None


def _ended(value: Value, what: str) -> Payout | Refused:
    whole = response(value, what)
    if isinstance(whole, Err):
        return _refused(whole, what)
    return Shape.of(whole.value, what).read_as(Payout)


def _refused(error: Err, what: str) -> Refused:
    if isinstance(error.value, NoneValue):
        return Refused(code=None)
    if not isinstance(error.value, UInt):
        unexpected(what, error, "an error with a number")
    return Refused(code=error.value.value)


def _decode(raw: bytes, what: str) -> Value:
    try:
        return clarity.decode(raw)
    except DecodeError as error:
        raise UnexpectedValue(what=what, reason=str(error)) from error
