"""Principals: who may hold, send and call, a key's account or a contract."""

from dataclasses import dataclass

from registry.stacks.c32 import ADDRESS_VERSIONS, decode_address, encode_address
from registry.stacks.errors import DecodeError, EncodeError
from registry.stacks.hashes import HASH160_LENGTH
from registry.stacks.names import encode_name, refuse_contract_name
from registry.stacks.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardPrincipal(Value):
    """An account of a key or of several; as text, an address."""

    version: int
    hash160: bytes

    tag = b"\x05"
    kind = "address"

    def __post_init__(self) -> None:
        if not 0 <= self.version < ADDRESS_VERSIONS:
            raise EncodeError("a principal", f"its version {self.version} is not one of 0 to 31")
        if len(self.hash160) != HASH160_LENGTH:
            raise EncodeError("a principal", f"its hash has {len(self.hash160)} bytes, not 20")

    def __str__(self) -> str:
        return encode_address(self.version, self.hash160)

    @classmethod
    def parse(cls, address: str) -> "StandardPrincipal":
        """Of an address; DecodeError unless it is canonical."""
        version, hash160 = decode_address(address)
        return cls(version=version, hash160=hash160)

    def body(self) -> bytes:
        """The version and the hash."""
        return bytes((self.version,)) + self.hash160

    def _content(self) -> object:
        return str(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractPrincipal(Value):
    """A contract; as text, its deployer's address, a dot and its name."""

    deployer: StandardPrincipal
    name: str

    tag = b"\x06"
    kind = "contract"

    def __post_init__(self) -> None:
        refuse_contract_name(self.name)

    def __str__(self) -> str:
        return f"{self.deployer}.{self.name}"

    @classmethod
    def parse(cls, text: str) -> "ContractPrincipal":
        """Of `ADDRESS.name`; DecodeError unless both are canonical."""
        address, dot, name = text.partition(".")
        if not dot:
            raise DecodeError("a contract principal", len(text), "no .name follows the address")
        deployer = StandardPrincipal.parse(address)
        try:
            return cls(deployer=deployer, name=name)
        except EncodeError as refusal:
            raise DecodeError(refusal.what, len(address) + 1, refusal.reason) from refusal

    def body(self) -> bytes:
        """The version and the hash of the deployer, and the name."""
        return self.deployer.body() + encode_name(self.name)

    def _content(self) -> object:
        return str(self)


Principal = StandardPrincipal | ContractPrincipal


def parse_principal(text: str) -> Principal:
    """Of an address, or of an address with `.name` behind it."""
    return ContractPrincipal.parse(text) if "." in text else StandardPrincipal.parse(text)
