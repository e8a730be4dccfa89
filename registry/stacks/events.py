"""What our contracts print, as typed events. A number may have any 128 bits: no column is promised to hold it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from registry.domain.policy import OnChainStatus
from registry.domain.units import BaseUnits, BurnHeight, Principal, Sats, Token, Usd8
from registry.stacks import clarity
from registry.stacks.clarity import StringAscii, Tuple
from registry.stacks.contracts import Contracts
from registry.stacks.errors import DecodeError
from registry.stacks.shapes import Shape, UnexpectedValue


class MalformedEvent(UnexpectedValue):
    """Bytes that are no value, or an event of ours with fields that ours does not have. Its bytes are to be kept."""

    code = "malformed_event"
    sentence = "an event of {contract_id} cannot be read: {reason}"
    remedy = "keep its bytes aside and compare the contract with what is deployed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCreated:
    """The registry made an entry, for our pool or for another counterparty."""

    policy_id: int
    owner: Principal
    counterparty: Principal
    protected_value: Usd8
    protected_amount: Sats
    expiration_height: BurnHeight
    policy_type: str
    status: OnChainStatus
    burn_height: BurnHeight

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            policy_id=shape.uint("policy-id"),
            owner=shape.principal("owner"),
            counterparty=shape.principal("counterparty"),
            protected_value=Usd8(shape.uint("protected-value")),
            protected_amount=Sats(shape.uint("protected-amount")),
            expiration_height=shape.height("expiration-height"),
            policy_type=shape.text("policy-type"),
            status=shape.status("status"),
            burn_height=shape.height("burn-height"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatusUpdated:
    """The registry moved a policy, ours or another counterparty's."""

    policy_id: int
    owner: Principal
    counterparty: Principal
    previous_status: OnChainStatus
    new_status: OnChainStatus
    burn_height: BurnHeight

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            policy_id=shape.uint("policy-id"),
            owner=shape.principal("owner"),
            counterparty=shape.principal("counterparty"),
            previous_status=shape.status("previous-status"),
            new_status=shape.status("new-status"),
            burn_height=shape.height("burn-height"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPurchased:
    """The pool took a premium, the fee within it, and locked the collateral."""

    quote_id: bytes
    policy_id: int
    buyer: Principal
    token: Token
    premium: BaseUnits
    fee: BaseUnits
    collateral: BaseUnits

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            quote_id=shape.buffer("quote-id"),
            policy_id=shape.uint("policy-id"),
            buyer=shape.principal("buyer"),
            token=shape.token("token"),
            premium=shape.units("premium"),
            fee=shape.units("fee"),
            collateral=shape.units("collateral"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettled:
    """The pool paid `amount` to the owner and freed the collateral."""

    policy_id: int
    owner: Principal
    token: Token
    amount: BaseUnits
    collateral: BaseUnits

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            policy_id=shape.uint("policy-id"),
            owner=shape.principal("owner"),
            token=shape.token("token"),
            amount=shape.units("amount"),
            collateral=shape.units("collateral"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CollateralReleased:
    """The pool freed the collateral of a policy that ran out."""

    policy_id: int
    owner: Principal
    token: Token
    collateral: BaseUnits

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            policy_id=shape.uint("policy-id"),
            owner=shape.principal("owner"),
            token=shape.token("token"),
            collateral=shape.units("collateral"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _FundsMoved:
    """A provider's `amount` against `shares` of one token's pool."""

    provider: Principal
    token: Token
    amount: BaseUnits
    shares: int

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            provider=shape.principal("provider"),
            token=shape.token("token"),
            amount=shape.units("amount"),
            shares=shape.uint("shares"),
        )


class FundsDeposited(_FundsMoved):
    """A provider lent `amount` and got `shares`."""

    __slots__ = ()


class FundsWithdrawn(_FundsMoved):
    """A provider gave `shares` back and took `amount`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeGiven:
    """A provider named the shares that are to leave from `ready_height` on; 0 takes the notice back."""

    provider: Principal
    token: Token
    shares: int
    ready_height: BurnHeight

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(
            provider=shape.principal("provider"),
            token=shape.token("token"),
            shares=shape.uint("shares"),
            ready_height=shape.height("ready-height"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _PrincipalSet:
    """The deployer put one principal in another's place."""

    previous: Principal
    current: Principal

    @classmethod
    def read(cls, shape: Shape, /) -> Self:
        """Take every field by its kebab name."""
        return cls(previous=shape.principal("previous"), current=shape.principal("current"))


class QuoteSignerSet(_PrincipalSet):
    """Quotes need another's signature from here on."""

    __slots__ = ()


class TreasurySet(_PrincipalSet):
    """Fees go to another from here on."""

    __slots__ = ()


class BackendPrincipalSet(_PrincipalSet):
    """Another may settle and expire from here on."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent:
    """Something printed that is none of ours: by another contract, or under a name that we do not know."""

    contract_id: Principal
    raw: bytes


RegistryEvent = PolicyCreated | PolicyStatusUpdated | BackendPrincipalSet
PoolEvent = (
    PolicyPurchased
    | PolicySettled
    | CollateralReleased
    | FundsDeposited
    | FundsWithdrawn
    | NoticeGiven
    | QuoteSignerSet
    | TreasurySet
)
Event = RegistryEvent | PoolEvent | UnknownEvent

_OF_REGISTRY: Mapping[str, type[RegistryEvent]] = MappingProxyType(
    {
        "policy-created": PolicyCreated,
        "policy-status-updated": PolicyStatusUpdated,
        "backend-principal-set": BackendPrincipalSet,
    }
)
_OF_POOL: Mapping[str, type[PoolEvent]] = MappingProxyType(
    {
        "policy-purchased": PolicyPurchased,
        "policy-settled": PolicySettled,
        "collateral-released": CollateralReleased,
        "funds-deposited": FundsDeposited,
        "funds-withdrawn": FundsWithdrawn,
        "notice-given": NoticeGiven,
        "quote-signer-set": QuoteSignerSet,
        "treasury-set": TreasurySet,
    }
)


def decode_event(contracts: Contracts, contract_id: Principal, raw: bytes) -> Event:
    """Read one printed value by the contract that printed it; raise MalformedEvent, and nothing else."""
    try:
        value = clarity.decode(raw)
        kind = _kind(contracts, contract_id, value)
        if kind is None:
            return UnknownEvent(contract_id=contract_id, raw=raw)
        return Shape.of(value, "an event").read_as(kind, besides=1)
    except (DecodeError, UnexpectedValue) as error:
        raise MalformedEvent(contract_id=contract_id, reason=str(error)) from error


def _kind(contracts: Contracts, contract_id: Principal, value: clarity.Value) -> type[RegistryEvent | PoolEvent] | None:
    name = dict(value.entries).get("event") if isinstance(value, Tuple) else None
    if not isinstance(name, StringAscii):
        return None
    if contract_id == contracts.registry:
        return _OF_REGISTRY.get(name.value)
    return _OF_POOL.get(name.value) if contract_id == contracts.pool else None
