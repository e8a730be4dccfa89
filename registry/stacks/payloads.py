"""What a transaction does: transfer STX, call a contract or deploy one."""

import re
from dataclasses import dataclass
from enum import IntEnum

from registry.stacks.clarity import read_contract_principal, read_value
from registry.stacks.containers import MAX_UNTYPED_DEPTH, refuse_untyped_depth
from registry.stacks.errors import DecodeError, EncodeError
from registry.stacks.integers import encode_u64, refuse_beyond_u64
from registry.stacks.names import encode_name, refuse_clarity_name, refuse_contract_name
from registry.stacks.principals import ContractPrincipal, Principal, StandardPrincipal
from registry.stacks.reader import Reader, located
from registry.stacks.values import Value

MEMO_LENGTH = 34
NEWEST_CLARITY = 6

# Printable ASCII, tab and newline.
_CODE = re.compile(r"[\t\n -~]*")


class _Kind(IntEnum):
    TOKEN_TRANSFER = 0
    SMART_CONTRACT = 1
    CONTRACT_CALL = 2
    VERSIONED_SMART_CONTRACT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTransfer:
    """STX to a principal, in micro-STX, with up to 34 bytes beside it."""

    recipient: Principal
    amount: int
    memo: bytes = b""

    def __post_init__(self) -> None:
        refuse_beyond_u64("an amount", self.amount)
        if len(self.memo) > MEMO_LENGTH:
            raise EncodeError("a memo", f"it has {len(self.memo)} bytes, over 34")
        if self.memo.endswith(b"\0"):
            raise EncodeError("a memo", "it ends in the zero bytes that fill it up to 34")

    def encode(self) -> bytes:
        """The recipient with its type byte, the amount and the memo, filled up with zero bytes."""
        recipient, amount = self.recipient.encode(), encode_u64(self.amount)
        return b"\x00" + recipient + amount + self.memo.ljust(MEMO_LENGTH, b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractCall:
    """A call of a public function."""

    contract: ContractPrincipal
    function: str
    arguments: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        refuse_clarity_name(self.function)
        for argument in self.arguments:
            refuse_untyped_depth(argument)

    def encode(self) -> bytes:
        """The contract without its type byte, the function and the arguments after their 4-byte count."""
        return b"".join(
            [
                b"\x02",
                self.contract.body(),
                encode_name(self.function),
                len(self.arguments).to_bytes(4, "big"),
                *[argument.encode() for argument in self.arguments],
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartContract:
    """The deployment of a contract, at a version of Clarity or at the newest of its day."""

    name: str
    code: str
    clarity_version: int | None = None

    def __post_init__(self) -> None:
        refuse_contract_name(self.name)
        if not _CODE.fullmatch(self.code):
            raise EncodeError("a contract's code", "a character is not printable ASCII, tab or newline")
        if self.clarity_version is not None and not 1 <= self.clarity_version <= NEWEST_CLARITY:
            raise EncodeError("a version of Clarity", f"{self.clarity_version} is not one of 1 to 6")

    def encode(self) -> bytes:
        """The version if any, the name and the code after its 4-byte length."""
        code = self.code.encode("ascii")
        kind = b"\x01" if self.clarity_version is None else bytes((0x06, self.clarity_version))
        return kind + encode_name(self.name) + len(code).to_bytes(4, "big") + code


Payload = TokenTransfer | ContractCall | SmartContract


@located
def read_payload(reader: Reader) -> Payload:
    """The next payload; those that only miners send are refused."""
    match reader.member(_Kind, "a payload"):
        case _Kind.TOKEN_TRANSFER:
            return _read_token_transfer(reader)
        case _Kind.CONTRACT_CALL:
            return ContractCall(
                contract=read_contract_principal(reader),
                function=reader.name("a function name"),
                arguments=tuple(
                    [read_value(reader, levels=MAX_UNTYPED_DEPTH) for _ in range(reader.count("the arguments"))]
                ),
            )
        case _Kind.SMART_CONTRACT:
            return _read_smart_contract(reader, clarity_version=None)
        case _Kind.VERSIONED_SMART_CONTRACT:
            return _read_smart_contract(reader, clarity_version=reader.uint(1, "a version of Clarity"))


def _read_token_transfer(reader: Reader) -> TokenTransfer:
    start = reader.offset
    recipient = read_value(reader)
    if not isinstance(recipient, StandardPrincipal | ContractPrincipal):
        raise DecodeError("a recipient", start, "it is not a principal")
    amount = reader.uint(8, "an amount")
    memo = reader.take(MEMO_LENGTH, "a memo").rstrip(b"\0")
    return TokenTransfer(recipient=recipient, amount=amount, memo=memo)


def _read_smart_contract(reader: Reader, *, clarity_version: int | None) -> SmartContract:
    name = reader.name("a contract name")
    code = reader.take(reader.uint(4, "the length of a contract's code"), "a contract's code")
    return SmartContract(name=name, code=code.decode("latin-1"), clarity_version=clarity_version)
