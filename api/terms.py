"""What policies are looked for by, as a query string tells it."""

import re
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from api.caller import Caller, forbidden
from api.numbers import LARGEST
from registry.domain.access import Scope
from registry.domain.errors import BadRequest
from registry.domain.policy import ExerciseStyle, PolicyStatus
from registry.domain.request import POLICY_TYPE
from registry.domain.tier import RiskTier
from registry.domain.units import BurnHeight, Principal, Sats, Token, Usd8
from registry.queries.cursors import EARLIEST, LATEST, LONGEST
from registry.queries.policies import DEFAULT_LIMIT, MOST
from registry.queries.search import Direction, Filter, Order, Sort
from registry.stacks.errors import DecodeError
from registry.stacks.principals import parse_principal

PRINCIPAL = r"^S[0-9A-HJKMNP-TV-Z]{27,40}(\.[a-zA-Z][a-zA-Z0-9_-]{0,127})?$"
MOST_BLOCKS = 1_000_000
MOST_HOURS = 100_000
_DIGITS = re.compile(r"0|[1-9][0-9]{0,18}")


def digits(value: object) -> object:
    """Let in no text but plain digits: pydantic would read others, such as 1_000 and ' 7'."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("it is not a decimal integer")
    return value


def _storable(value: datetime) -> datetime:
    if not EARLIEST <= value.year < LATEST:
        raise BadRequest(field="created", reason=f"its year is not from {EARLIEST} to {LATEST - 1}")
    return value


Height = Annotated[int, Field(ge=0, le=LARGEST, examples=[904_000]), BeforeValidator(digits)]
Amount = Annotated[int, Field(ge=0, le=LARGEST, examples=[10_000_000]), BeforeValidator(digits)]
Limit = Annotated[int, Field(ge=1, le=MOST), BeforeValidator(digits)]
Blocks = Annotated[int, Field(ge=0, le=MOST_BLOCKS, examples=[144]), BeforeValidator(digits)]
Hours = Annotated[int, Field(ge=1, le=MOST_HOURS, examples=[48]), BeforeValidator(digits)]
Time = Annotated[AwareDatetime, AfterValidator(_storable), Field(examples=["2026-03-01T12:00:00Z"])]
After = Annotated[str, Field(min_length=1, max_length=LONGEST, description="The `next` of the page before.")]
Address = Annotated[str, Field(pattern=PRINCIPAL)]


class Nothing(BaseModel):
    """No query."""

    model_config = ConfigDict(extra="forbid")


class Paged(BaseModel):
    """Which page, and how long."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = DEFAULT_LIMIT
    after: After | None = None


class Terms(BaseModel):
    """What must hold of each policy; several values of one kind are alternatives, ranges include both ends."""

    model_config = ConfigDict(extra="forbid")

    owner: Address | None = Field(default=None, description="A holder sees his own without it, and nobody else's.")
    counterparty: Address | None = None
    status: list[PolicyStatus] = Field(default=[], max_length=len(PolicyStatus))
    policy_type: str | None = Field(default=None, pattern=f"^{POLICY_TYPE}$")
    tier: list[RiskTier] = Field(default=[], max_length=len(RiskTier))
    token: list[Token] = Field(default=[], max_length=len(Token), description="What it was asked for, or paid, in.")
    exercise_style: ExerciseStyle | None = None
    strike_min: Amount | None = Field(default=None, description="USD × 10^8, as all strikes.")
    strike_max: Amount | None = None
    amount_min: Amount | None = Field(default=None, description="Sats.")
    amount_max: Amount | None = None
    expiration_min: Height | None = Field(default=None, description="A burn height, as all heights.")
    expiration_max: Height | None = None
    expiring_within_blocks: Blocks | None = Field(default=None, description="From the newest block on.")
    expiring_within_hours: Hours | None = Field(
        default=None,
        description="By `expiration_timestamp_estimate`: a policy has one from the confirmation of its purchase on.",
    )
    created_from: Time | None = None
    created_to: Time | None = Field(default=None, description="This instant itself is not included.")

    def wanted(self, caller: Caller) -> Filter:
        """As a question of this caller's.

        Raises:
            Problem: 403, if others' policies are asked for by who may not see them.
            BadRequest: an address is none.
        """
        return Filter(
            owner=owner_for(caller, self.owner),
            counterparty=None if self.counterparty is None else principal("counterparty", self.counterparty),
            statuses=tuple(sorted(set(self.status))),
            policy_type=self.policy_type,
            tiers=tuple(sorted(set(self.tier))),
            tokens=tuple(sorted(set(self.token))),
            style=self.exercise_style,
            strike_min=_typed(Usd8, self.strike_min),
            strike_max=_typed(Usd8, self.strike_max),
            amount_min=_typed(Sats, self.amount_min),
            amount_max=_typed(Sats, self.amount_max),
            expiration_min=_typed(BurnHeight, self.expiration_min),
            expiration_max=_typed(BurnHeight, self.expiration_max),
            expiring_within_blocks=self.expiring_within_blocks,
            expiring_within_hours=self.expiring_within_hours,
            created_from=self.created_from,
            created_to=self.created_to,
        )


class Ordered(BaseModel):
    """What comes first."""

    sort: Sort = Sort.CREATED_AT
    direction: Direction = Direction.DESC

    @property
    def order(self) -> Order:
        """As a question has it."""
        return Order(sort=self.sort, direction=self.direction)


class Listed(Paged, Ordered, Terms):
    """A page of what these terms find."""

    as_of_height: Height | None = Field(
        default=None, description="Policies as they stood when this was the newest burn height."
    )


class Exported(Ordered, Terms):
    """All of what these terms find."""


def owner_for(caller: Caller, owner: str | None) -> Principal | None:
    """Whose policies are asked for: a holder's are his, a service with the scope read may name anybody, or nobody."""
    if caller.principal is not None:
        if owner not in {None, caller.principal}:
            raise forbidden(detail="a holder sees his own policies; another's need a service's key with the scope read")
        return caller.principal
    if Scope.READ not in caller.scopes:
        raise forbidden(detail="this needs a session of a holder, or a service's key with the scope read")
    return None if owner is None else principal("owner", owner)


def principal(field: str, value: str) -> Principal:
    """A canonical address, or one with a contract's name; any other spelling is `BadRequest`."""
    try:
        parse_principal(value)
    except DecodeError as error:
        raise BadRequest(field=field, reason=str(error)) from None
    return Principal(value)


def _typed(kind: Any, value: int | None) -> Any:  # noqa: ANN401 - a NewType and what it makes
    return None if value is None else kind(value)


LISTING = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""How a list may be refused."""
