"""A request for a policy: what its owner asks for, read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from registry.domain.errors import BadRequest
from registry.domain.policy import ExerciseStyle
from registry.domain.prices import Pair
from registry.domain.units import BIGINT_MAX, Sats, Token, Usd8

POLICY_TYPE = "PUT"

_Choice = TypeVar("_Choice", bound=StrEnum)

_FIELDS = {
    "policy_type",
    "protected_value_price_feed_units",
    "protected_amount_sats",
    "duration_days",
    "premium_token",
}
_OPTIONAL = {"exercise_style", "settlement_token"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationRequest:
    """One put: strike, amount, duration, the token it is paid in, and when it may be exercised."""

    strike: Usd8
    amount: Sats
    days: int
    token: Token
    style: ExerciseStyle

    @classmethod
    def from_json(cls, value: object) -> "CreationRequest":
        """Read a request; whatever is unknown, missing or of another kind is `BadRequest` naming the field."""
        body = object_of("request", value, required=_FIELDS, optional=_OPTIONAL)
        if body["policy_type"] != POLICY_TYPE:
            raise BadRequest(field="policy_type", reason=f"{body['policy_type']!r} is not sold, {POLICY_TYPE} is")
        token = _one_of("premium_token", body["premium_token"], Token)
        settlement = body.get("settlement_token", token)
        if settlement != token:
            raise BadRequest(
                field="settlement_token",
                reason=f"a policy paid for in {token} is paid out in {token}, not {settlement}",
            )
        return cls(
            strike=Usd8(integer("protected_value_price_feed_units", body["protected_value_price_feed_units"])),
            amount=Sats(integer("protected_amount_sats", body["protected_amount_sats"])),
            days=integer("duration_days", body["duration_days"]),
            token=token,
            style=_one_of("exercise_style", body.get("exercise_style", ExerciseStyle.AMERICAN), ExerciseStyle),
        )

    def to_json(self) -> dict[str, object]:
        """The request in its one canonical form: two requests are the same if these are equal."""
        return {
            "policy_type": POLICY_TYPE,
            "protected_value_price_feed_units": self.strike,
            "protected_amount_sats": self.amount,
            "duration_days": self.days,
            "premium_token": self.token.value,
            "exercise_style": self.style.value,
        }

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The prices that this request is quoted by."""
        return pairs_of(self.token)


def pairs_of(token: Token) -> tuple[Pair, ...]:
    """The prices that a policy in this token is quoted and settled by."""
    return (Pair.BTC_USD, Pair.STX_USD) if token is Token.STX else (Pair.BTC_USD,)


def object_of(
    name: str, value: object, *, required: set[str], optional: set[str] | frozenset[str] = frozenset()
) -> Mapping[str, object]:
    """Check a JSON object's fields; one too many or too few is `BadRequest`."""
    if not isinstance(value, Mapping):
        raise BadRequest(field=name, reason="it is not a JSON object")
    for missing in sorted(required - set(value)):
        raise BadRequest(field=missing, reason="it is missing")
    for unknown in sorted(set(value) - required - optional):
        raise BadRequest(field=str(unknown), reason=f"{name} has no such field")
    return value


def integer(name: str, value: object, *, lowest: int = 1, highest: int = BIGINT_MAX) -> int:
    """Read a JSON integer or a decimal string of one, within its bounds."""
    digits = 20
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= digits:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRequest(field=name, reason="it is not an integer")
    if not lowest <= value <= highest:
        raise BadRequest(field=name, reason=f"it is not between {lowest} and {highest}", lowest=lowest, highest=highest)
    return value


def text(name: str, value: object, *, longest: int = 200) -> str:
    """Read a printable, non-empty string."""
    if not isinstance(value, str) or not value or len(value) > longest or not value.isprintable():
        raise BadRequest(field=name, reason=f"it is not a printable text of 1 to {longest} characters")
    return value


def _one_of(name: str, value: object, kind: type[_Choice]) -> _Choice:
    try:
        return kind(str(value))
    except ValueError:
        accepted = ", ".join(each.value for each in kind)
        raise BadRequest(field=name, reason=f"it is not one of {accepted}") from None
