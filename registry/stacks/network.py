"""Which chain a transaction is for."""

from dataclasses import dataclass
from enum import IntEnum

from registry.stacks.errors import EncodeError


class TransactionVersion(IntEnum):
    """The first byte of a transaction."""

    MAINNET = 0x00
    TESTNET = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A transaction version and a chain id: mainnet, or any of the many that call themselves testnet."""

    version: TransactionVersion
    chain_id: int

    def __post_init__(self) -> None:
        if not 0 <= self.chain_id < 2**32:
            raise EncodeError("a chain id", "it is not one of 0 to 2^32 - 1")

    @property
    def single_sig(self) -> int:
        """The version of an address of one key: SP or ST."""
        return 22 if self.version is TransactionVersion.MAINNET else 26

    @property
    def multi_sig(self) -> int:
        """The version of an address of a script: SM or SN."""
        return 20 if self.version is TransactionVersion.MAINNET else 21


MAINNET = Network(version=TransactionVersion.MAINNET, chain_id=0x0000_0001)
TESTNET = Network(version=TransactionVersion.TESTNET, chain_id=0x8000_0000)
"""Testnet, devnet and simnet."""
