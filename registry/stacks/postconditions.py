"""Post-conditions: what a transaction may move, or else be undone."""

from dataclasses import dataclass
from enum import IntEnum

from registry.stacks.clarity import read_contract_principal, read_standard_principal, read_value
from registry.stacks.containers import MAX_UNTYPED_DEPTH, refuse_untyped_depth
from registry.stacks.errors import DecodeError, EncodeError
from registry.stacks.integers import encode_u64, refuse_beyond_u64
from registry.stacks.names import encode_name, refuse_clarity_name
from registry.stacks.principals import ContractPrincipal, StandardPrincipal
from registry.stacks.reader import Reader, located
from registry.stacks.values import Value


class Condition(IntEnum):
    """What the amount sent must be, held against the amount named."""

    EQUAL = 0x01
    GREATER = 0x02
    GREATER_OR_EQUAL = 0x03
    LESS = 0x04
    LESS_OR_EQUAL = 0x05


class NftCondition(IntEnum):
    """What must become of a token; MAYBE_SENT from epoch 3.4."""

    SENT = 0x10
    NOT_SENT = 0x11
    MAYBE_SENT = 0x12


class PoxCondition(IntEnum):
    """Whether a stacking position may be altered."""

    NOT_PERFORMED = 0x30
    MAYBE_PERFORMED = 0x31
    PERFORMED = 0x32


class _Kind(IntEnum):
    STX = 0
    FUNGIBLE = 1
    NON_FUNGIBLE = 2
    STAKING = 3
    POX = 4


class _Holder(IntEnum):
    ORIGIN = 0x01
    STANDARD = 0x02
    CONTRACT = 0x03


@dataclass(frozen=True, slots=True)
class Origin:
    """Whoever the transaction's origin is."""


Holder = Origin | StandardPrincipal | ContractPrincipal
"""Of whose assets a post-condition speaks."""

ORIGIN = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A token: the contract that defines it and its name there; as text, `ADDRESS.contract::name`."""

    contract: ContractPrincipal
    name: str

    def __post_init__(self) -> None:
        refuse_clarity_name(self.name)

    def __str__(self) -> str:
        return f"{self.contract}::{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Asset":
        """Of `ADDRESS.contract::name`."""
        contract, colons, name = text.partition("::")
        if not colons:
            raise DecodeError("an asset", len(text), "no ::name follows the contract")
        try:
            return cls(contract=ContractPrincipal.parse(contract), name=name)
        except EncodeError as refusal:
            raise DecodeError(refusal.what, len(contract) + 2, refusal.reason) from refusal

    def encode(self) -> bytes:
        """The contract without its type byte, and the name."""
        return self.contract.body() + encode_name(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class StxPostCondition:
    """How much STX is sent, in micro-STX; the fee does not count."""

    holder: Holder
    condition: Condition
    amount: int

    def __post_init__(self) -> None:
        refuse_beyond_u64("an amount", self.amount)

    def encode(self) -> bytes:
        """Type, holder, condition and amount."""
        return _head(_Kind.STX, self.holder) + _amount(self.condition, self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class FungiblePostCondition:
    """How much of a fungible token is sent: 64 bits, although balances have 128."""

    holder: Holder
    asset: Asset
    condition: Condition
    amount: int

    def __post_init__(self) -> None:
        refuse_beyond_u64("an amount", self.amount)

    def encode(self) -> bytes:
        """Type, holder, asset, condition and amount."""
        head = _head(_Kind.FUNGIBLE, self.holder)
        return head + self.asset.encode() + _amount(self.condition, self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class NonFungiblePostCondition:
    """Whether a non-fungible token, named by its id, is sent."""

    holder: Holder
    asset: Asset
    asset_id: Value
    condition: NftCondition

    def __post_init__(self) -> None:
        refuse_untyped_depth(self.asset_id)

    def encode(self) -> bytes:
        """Type, holder, asset, id and condition."""
        head = _head(_Kind.NON_FUNGIBLE, self.holder)
        return head + self.asset.encode() + self.asset_id.encode() + bytes((self.condition,))


@dataclass(frozen=True, slots=True, kw_only=True)
class StakingPostCondition:
    """How much STX is locked, in micro-STX; from epoch 4.0."""

    holder: Holder
    condition: Condition
    amount: int

    def __post_init__(self) -> None:
        refuse_beyond_u64("an amount", self.amount)

    def encode(self) -> bytes:
        """Type, holder, condition and amount."""
        return _head(_Kind.STAKING, self.holder) + _amount(self.condition, self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoxPostCondition:
    """Whether the holder's stacking position is altered; from epoch 4.0."""

    holder: Holder
    condition: PoxCondition

    def encode(self) -> bytes:
        """Type, holder and condition."""
        return _head(_Kind.POX, self.holder) + bytes((self.condition,))


PostCondition = (
    StxPostCondition | FungiblePostCondition | NonFungiblePostCondition | StakingPostCondition | PoxPostCondition
)


@located
def read_post_condition(reader: Reader) -> PostCondition:
    """The next post-condition."""
    kind = reader.member(_Kind, "a post-condition")
    holder = _read_holder(reader)
    match kind:
        case _Kind.STX:
            condition, amount = _read_amount(reader)
            return StxPostCondition(holder=holder, condition=condition, amount=amount)
        case _Kind.FUNGIBLE:
            asset = _read_asset(reader)
            condition, amount = _read_amount(reader)
            return FungiblePostCondition(holder=holder, asset=asset, condition=condition, amount=amount)
        case _Kind.NON_FUNGIBLE:
            return NonFungiblePostCondition(
                holder=holder,
                asset=_read_asset(reader),
                asset_id=read_value(reader, levels=MAX_UNTYPED_DEPTH),
                condition=reader.member(NftCondition, "a condition on a non-fungible token"),
            )
        case _Kind.STAKING:
            condition, amount = _read_amount(reader)
            return StakingPostCondition(holder=holder, condition=condition, amount=amount)
        case _Kind.POX:
            return PoxPostCondition(holder=holder, condition=reader.member(PoxCondition, "a PoX condition"))


def _head(kind: _Kind, holder: Holder) -> bytes:
    match holder:
        case Origin():
            return bytes((kind, _Holder.ORIGIN))
        case StandardPrincipal():
            return bytes((kind, _Holder.STANDARD)) + holder.body()
        case ContractPrincipal():
            return bytes((kind, _Holder.CONTRACT)) + holder.body()


def _amount(condition: Condition, amount: int) -> bytes:
    return bytes((condition,)) + encode_u64(amount)


def _read_holder(reader: Reader) -> Holder:
    match reader.member(_Holder, "a holder"):
        case _Holder.ORIGIN:
            return ORIGIN
        case _Holder.STANDARD:
            return read_standard_principal(reader)
        case _Holder.CONTRACT:
            return read_contract_principal(reader)


def _read_asset(reader: Reader) -> Asset:
    return Asset(contract=read_contract_principal(reader), name=reader.name("an asset name"))


def _read_amount(reader: Reader) -> tuple[Condition, int]:
    return reader.member(Condition, "a condition on an amount"), reader.uint(8, "an amount")
