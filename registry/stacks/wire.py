"""A transaction as bytes and back.

    version              1   0x00 mainnet, 0x80 testnet
    chain id             4
    authorization        1   0x04 standard: the origin's spending condition
                             0x05 sponsored: the origin's, then the sponsor's
    anchor mode          1
    post-condition mode  1
    post-conditions      4   their count, then each
    payload

Everything is big-endian.
"""

from dataclasses import dataclass
from enum import IntEnum

from registry.stacks.authorization import (
    AWAITED_SPONSOR,
    AuthField,
    AuthType,
    FieldKind,
    HashMode,
    KeyEncoding,
    MultiSig,
    SingleSig,
    read_spending_condition,
)
from registry.stacks.errors import DecodeError, EncodeError
from registry.stacks.hashes import sha512_256
from registry.stacks.network import MAINNET, TESTNET, Network, TransactionVersion
from registry.stacks.payloads import ContractCall, Payload, SmartContract, TokenTransfer, read_payload
from registry.stacks.postconditions import (
    ORIGIN,
    Asset,
    Condition,
    FungiblePostCondition,
    NftCondition,
    NonFungiblePostCondition,
    Origin,
    PostCondition,
    PoxCondition,
    PoxPostCondition,
    StakingPostCondition,
    StxPostCondition,
    read_post_condition,
)
from registry.stacks.reader import Reader, located

__all__ = [
    "AWAITED_SPONSOR",
    "MAINNET",
    "ORIGIN",
    "TESTNET",
    "AnchorMode",
    "Asset",
    "AuthField",
    "AuthType",
    "Condition",
    "ContractCall",
    "DecodeError",
    "EncodeError",
    "FieldKind",
    "FungiblePostCondition",
    "HashMode",
    "KeyEncoding",
    "MultiSig",
    "Network",
    "NftCondition",
    "NonFungiblePostCondition",
    "Origin",
    "Payload",
    "PostCondition",
    "PostConditionMode",
    "PoxCondition",
    "PoxPostCondition",
    "SingleSig",
    "SmartContract",
    "StakingPostCondition",
    "StxPostCondition",
    "TokenTransfer",
    "Transaction",
    "TransactionVersion",
]

MAX_LENGTH = 2 * 1024 * 1024
"""Bytes of a transaction."""


class AnchorMode(IntEnum):
    """Into which kind of block; since all are anchored, without effect."""

    ON_CHAIN = 1
    OFF_CHAIN = 2
    ANY = 3


class PostConditionMode(IntEnum):
    """What becomes of assets that no post-condition speaks of; ORIGINATOR from epoch 3.4."""

    ALLOW = 1
    DENY = 2
    ORIGINATOR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction, signed or not; sponsored if it has a sponsor, be it `AWAITED_SPONSOR`."""

    network: Network
    origin: SingleSig | MultiSig
    sponsor: SingleSig | MultiSig | None = None
    anchor_mode: AnchorMode = AnchorMode.ANY
    post_condition_mode: PostConditionMode = PostConditionMode.DENY
    post_conditions: tuple[PostCondition, ...] = ()
    payload: Payload

    @classmethod
    def decode(cls, data: bytes) -> "Transaction":
        """The transaction of which these are the bytes; DecodeError if there is none."""
        if len(data) > MAX_LENGTH:
            raise DecodeError("a transaction", 0, f"it takes {len(data)} bytes, over 2 MiB")
        reader = Reader(data)
        transaction = _read_transaction(reader)
        reader.finish("a transaction")
        return transaction

    def encode(self) -> bytes:
        """The bytes that a node takes and the txid is the hash of."""
        return self._encode(self.origin.encode(), None if self.sponsor is None else self.sponsor.encode())

    def encode_cleared(self) -> bytes:
        """The bytes that all signing starts from: no nonce, fee and signature, and any sponsor awaited."""
        return self._encode(self.origin.encode_cleared(), None if self.sponsor is None else AWAITED_SPONSOR.encode())

    @property
    def txid(self) -> str:
        """64 lower-case hex digits, no 0x."""
        return sha512_256(self.encode()).hex()

    @property
    def sender(self) -> str:
        """The address that the origin says is its own; `signing.verify` finds out."""
        return self.origin.address(self.network)

    def _encode(self, origin: bytes, sponsor: bytes | None) -> bytes:
        auth_type = AuthType.STANDARD if sponsor is None else AuthType.SPONSORED
        encoded = b"".join(
            [
                bytes((self.network.version,)),
                self.network.chain_id.to_bytes(4, "big"),
                bytes((auth_type,)),
                origin,
                sponsor or b"",
                bytes((self.anchor_mode, self.post_condition_mode)),
                len(self.post_conditions).to_bytes(4, "big"),
                *[condition.encode() for condition in self.post_conditions],
                self.payload.encode(),
            ]
        )
        if len(encoded) > MAX_LENGTH:
            raise EncodeError("a transaction", f"it takes {len(encoded)} bytes, over 2 MiB")
        return encoded


@located
def _read_transaction(reader: Reader) -> Transaction:
    network = Network(
        version=reader.member(TransactionVersion, "a transaction version"),
        chain_id=reader.uint(4, "a chain id"),
    )
    auth_type = reader.member(AuthType, "an authorization")
    return Transaction(
        network=network,
        origin=read_spending_condition(reader),
        sponsor=read_spending_condition(reader) if auth_type is AuthType.SPONSORED else None,
        anchor_mode=reader.member(AnchorMode, "an anchor mode"),
        post_condition_mode=reader.member(PostConditionMode, "a post-condition mode"),
        post_conditions=tuple([read_post_condition(reader) for _ in range(reader.count("the post-conditions"))]),
        payload=read_payload(reader),
    )
